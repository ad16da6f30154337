"""Which file-context rule wins a path, and which others matched and lost.  Pure.

libselinux looks at the rules from the last to the first, after it has moved those without
special characters to the end; the files count in the order file_contexts, .homedirs, .local
(libselinux ``src/label_file.h``, sort_specs, and ``src/label_file.c``, lookup_all; up to 3.7).
From 3.8 on it keeps the rules in a tree, meant to give the same order.
"""

from typing import Callable, List, NamedTuple, Optional, Sequence

from .equivalence import Equivalences, Substitution
from .filecontexts import Rule, candidates

# What libselinux says about a rule's regex and a canonical path; None: it cannot compile the regex.
Ask = Callable[[Rule, str], Optional[bool]]


class Verdict(NamedTuple):
    """Why a path has the label it should have.

    ``path`` is canonical; ``rule`` is the winner, or None where no rule matches; ``beaten`` are
    the other rules for this file type that match, the next best first; ``mismatched`` are the
    rules that match but speak of another file type.

    ``undecided`` are rules of which only libselinux can tell whether they match, and nobody asked
    it.  ``broken``: libselinux fails at this rule's regex and gives the path no label at all.
    """

    path: str
    substitutions: List[Substitution]
    rule: Optional[Rule]
    beaten: List[Rule]
    mismatched: List[Rule]
    undecided: Sequence[Rule] = ()
    broken: Optional[Rule] = None


def winning(rules: Sequence[Rule], path: str, file_type: str, equivalences: Equivalences,
            ask: Optional[Ask] = None) -> Verdict:
    """Judge the rules, given in file order, on a path and a file type.

    A rule whose literal stem differs from the path is not looked at any further: see in_the_way().
    """
    canonical, substitutions = equivalences.explain(path)
    matching, undecided = [], []
    for rule in candidates(rules, canonical):
        judged = rule.judge(canonical)
        if judged is None and ask is not None:
            judged = ask(rule, canonical)
        elif judged is None:
            undecided.append(rule)
        if judged:
            matching.append(rule)
    matching = ranked(matching)
    covering = [rule for rule in matching if rule.covers(file_type)]
    return Verdict(canonical, substitutions, covering[0] if covering else None, covering[1:],
                   [rule for rule in matching if not rule.covers(file_type)], undecided)


def in_the_way(verdict: Verdict, rules: Sequence[Rule], file_type: str, ask: Ask) -> Verdict:
    """Return the verdict where libselinux answers something else: a regex in its way that it cannot compile.

    It compiles a regex when it first looks at it, and gives up at one that is broken, whatever
    the path.
    """
    for rule in ranked(rules):
        if rule is verdict.rule:
            break
        if rule.covers(file_type) and rule.reaches(verdict.path) and not rule.compiles() \
                and ask(rule, verdict.path) is None:
            beaten = ([verdict.rule] if verdict.rule else []) + verdict.beaten
            return verdict._replace(rule=None, beaten=beaten, broken=rule)
    return verdict


def ranked(rules: Sequence[Rule]) -> List[Rule]:
    """Return rules in the order in which libselinux looks at them, the best first."""
    last_first = rules[::-1]
    return [rule for rule in last_first if not rule.special] + [rule for rule in last_first if rule.special]
