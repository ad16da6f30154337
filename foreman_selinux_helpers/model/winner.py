"""Find which file-context rule wins for a path, and which others matched and lost.  Pure.

A literal rule beats all rules with special characters.  How libselinux chooses among several literal rules for one
path, and which regexes it tries, depends on the version: up to 3.7 it has one list (``src/label_file.h``, sort_specs,
and ``src/label_file.c``, lookup_all), from 3.8 on a tree of directories (insert_spec, lookup_check_node).  Therefore
libselinux is queried (behaviour.label_order), and the order is a value here.
"""

from .equivalence import Equivalences, Substitution
from .filecontexts import ALL_FILES, NONE_CONTEXT, SOCKET, Rule, candidates, escape
from .typed import Callable, Dict, Iterator, List, Optional, Sequence, Tuple, Value

# Returns whether libselinux matches a rule's regex with a canonical path; None: it cannot compile the regex.
Ask = Callable[[Rule, str], Optional[bool]]


class Order(Value):
    """How libselinux chooses among several rules that match.  The default is the order up to 3.7.

    ``tree``: it stores regexes under their first directories, and tries those with more directories first; the newest
    that matches still wins, but a ``<<none>>`` ends the search.  ``strict``: a rule is literal only if all its escapes
    are of certain characters.

    Among literal rules for one path: ``newer_first``: the later line of a file wins.  ``later_file_first``: the later
    file wins.  ``exact_first``: a rule for this file type beats one for all types in the same file, wherever it
    stands.  ``exact_before_file``: it also beats one in another file.
    """

    tree: bool = False
    strict: bool = False
    newer_first: bool = True
    later_file_first: bool = True
    exact_first: bool = False
    exact_before_file: bool = False

    @property
    def local_wins(self) -> bool:
        """Return whether a literal local rule beats all rules of the policy."""
        return self.later_file_first and not self.exact_before_file


class Library(Value):
    """Queries of libselinux: whether a rule matches (None: it cannot be queried), and how it orders rules."""

    matches: Optional[Ask] = None
    order: Callable[[], Order] = Order


NOBODY = Library()


class Verdict(Value):
    """The rule that gives a path its expected label, and the others that match.

    ``path``: the canonical path.  ``rule``: the winner, or None if no rule matches.  ``beaten``: the other matching
    rules for this file type, best first.  ``mismatched``: the matching rules for another file type.

    ``undecided``: rules of which only libselinux knows whether they match, and it was not queried.  ``broken``:
    libselinux fails at this rule's regex and gives the path no label at all.  ``untold``: libselinux answers another
    context than that of the winner, so ``rule`` is None and all matching rules are in ``beaten``.
    """

    path: str
    substitutions: List[Substitution]
    rule: Optional[Rule]
    beaten: List[Rule]
    mismatched: List[Rule]
    undecided: Sequence[Rule] = ()
    broken: Optional[Rule] = None
    untold: bool = False


def winning(rules: Sequence[Rule], path: str, file_type: str, equivalences: Equivalences,
            library: Library = NOBODY) -> Verdict:
    """Find the winner for a path and a file type among rules in file order.

    Rules whose literal stem differs from the path are skipped; see in_the_way().
    """
    canonical, substitutions = equivalences.explain(path)
    matching, undecided = [], []
    for rule in candidates(rules, canonical):
        judged = rule.judge(canonical)
        if judged is None and library.matches is not None:
            judged = library.matches(rule, canonical)
        elif judged is None:
            undecided.append(rule)
        if judged:
            matching.append(rule)
    order = library.order() if _order_matters(matching) else Order()
    covering = ranked([rule for rule in matching if rule.covers(file_type)], order)
    return Verdict(canonical, substitutions, covering[0] if covering else None, covering[1:],
                   ranked([rule for rule in matching if not rule.covers(file_type)], order), undecided)


def in_the_way(verdict: Verdict, rules: Sequence[Rule], file_type: str, library: Library) -> Verdict:
    """Return the verdict with the regex at which libselinux fails, if there is one.

    libselinux compiles a regex when it first tries it, and fails at one that is broken, whatever the path.
    """
    covering = [rule for rule in rules if rule.covers(file_type)]
    if not covering:
        return verdict
    order = library.order()
    matching = {verdict.rule, *verdict.beaten}
    reached = [rule for rule in covering if rule.reaches(verdict.path, order.tree)]
    for rule in _tried(reached, order, lambda rule: rule in matching):
        if not rule.compiles() and library.matches and library.matches(rule, verdict.path) is None:
            return _without_winner(verdict)._replace(broken=rule)
    return verdict


def contradicted(verdict: Verdict, answer: Optional[str]) -> Verdict:
    """Return the verdict, without its winner if libselinux answers another context."""
    context = verdict.rule.context if verdict.rule and verdict.rule.context != NONE_CONTEXT else None
    return verdict if verdict.broken or context == answer else _without_winner(verdict)._replace(untold=True)


def local_file_type(rules: Sequence[Rule], path: str, local: str,
                    library: Library) -> Tuple[Optional[str], Optional[Rule]]:
    """Return the file type under which a new rule in the file ``local`` wins a canonical path for sockets.

    That is all file types where it can be, else sockets alone; None: such a rule would have no
    effect, for the rule that is returned beside it.
    """
    better = None
    for file_type in (ALL_FILES, SOCKET):
        new = Rule(escape(path), file_type, "", local)
        others = [rule for rule in rules if (rule.file, rule.key) != (local, new.key)]
        better = winning([*others, new], path, SOCKET, Equivalences(), library).rule
        if better == new:
            return file_type, None
    return None, better


def ranked(rules: Sequence[Rule], order: Order) -> List[Rule]:
    """Sort matching rules, given in file order, best first."""
    unranked, best_first = list(rules), []
    while unranked:
        # libselinux takes the last rule that it tries.
        best_first.append(list(_tried(unranked, order, lambda rule: True))[-1])
        unranked.remove(best_first[-1])
    return best_first


def _tried(rules: Sequence[Rule], order: Order, matches: Callable[[Rule], bool]) -> Iterator[Rule]:
    """Yield the rules in the order in which libselinux tries them; the last one that matches is its answer."""
    literal: List[Tuple[int, Rule]] = []
    regexes: List[Tuple[int, Rule]] = []
    for place, rule in enumerate(rules):
        (literal if rule.literal_to_libselinux(order.strict) else regexes).append((place, rule))
    for rule in _literal_first(literal, rules, order):
        if not order.tree or matches(rule):  # the tree finds it by its text
            yield rule
        if matches(rule):
            return
    by_depth: Dict[int, List[Tuple[int, Rule]]] = {}
    for place, rule in regexes:
        by_depth.setdefault(len(rule.directories) if order.tree else 0, []).append((place, rule))
    best_place = -1
    for depth in sorted(by_depth, reverse=True):
        for place, rule in reversed(by_depth[depth]):
            if place < best_place:
                break
            yield rule
            if matches(rule):
                if rule.context == NONE_CONTEXT:
                    return
                best_place = place
                break


def _literal_first(literal: Sequence[Tuple[int, Rule]], rules: Sequence[Rule], order: Order) -> List[Rule]:
    """Return literal rules in the order in which libselinux tries them."""
    files = {file: number for number, file in enumerate(dict.fromkeys(rule.file for rule in rules))}

    def key(placed: Tuple[int, Rule]) -> Tuple[int, int, int, int]:
        place, rule = placed
        exact = int(rule.file_type == ALL_FILES)
        number = files[rule.file]
        return (exact if order.exact_before_file else 0, -number if order.later_file_first else number,
                exact if order.exact_first else 0, -place if order.newer_first else place)
    return [rule for _, rule in sorted(literal, key=key)]


def _order_matters(matching: Sequence[Rule]) -> bool:
    """Return whether the orders differ for these rules; they agree on one literal rule before regexes."""
    plain = [rule for rule in matching if not rule.special]
    return len(plain) > 1 or any(rule.context == NONE_CONTEXT for rule in matching) or \
        not all(rule.literal_to_libselinux(True) for rule in plain)


def _without_winner(verdict: Verdict) -> Verdict:
    return verdict._replace(rule=None, beaten=([verdict.rule] if verdict.rule else []) + verdict.beaten)
