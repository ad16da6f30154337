"""The rules of an ``.fc`` file, what lint derives from each, and indexes to find rules by path.  Pure."""

import re

from ..model.filecontexts import ALL_FILES, FILE_TYPES, SOCKET, Rule, stem
from ..model.typed import Callable, Dict, FrozenSet, Iterable, Iterator, List, Optional, Sequence, Tuple, Value
from .codes import BAD_CONTEXT, BAD_REGEX
from .contexts import context_fault
from .fcsource import Conditions, SourceRule
from .regexes import regex_fault, spelt_out, with_dots_escaped
from .slashes import never_matches, with_slashes_mended

# A regex with more repetitions than this is not matched: it could take exponential time.
_REPETITIONS = 6
# In a whole policy at most 34 rules have the same stem.  More rules than this are not searched.
CROWD = 100


class LintedRule(Value):
    """A rule of the file and what is derived from it once.

    ``mended``: its regex with the dots escaped and the slashes corrected.  ``dotted``: it has dots to escape.
    ``never``: it matches nothing.  ``context``: the context that is meant, or None if a fault of the rule makes that
    unknown.  ``faults``: the code and the message of each fault.
    """

    written: SourceRule
    rule: Rule
    mended: str
    dotted: bool
    never: bool
    context: Optional[str]
    context_key: str
    faults: Sequence[Tuple[str, str]]

    @property
    def readable(self) -> bool:
        """Return whether the regex and the file type of the rule are valid; its context may be invalid."""
        return not any(code == BAD_REGEX for code, _ in self.faults) and self.written.file_type in FILE_TYPES

    @property
    def clear(self) -> bool:
        """Return whether the whole rule is known, if need be with a corrected context."""
        return self.readable and self.context is not None


class Index:
    """Finds rules by a path that they match: a policy has thousands, and matching each would be slow."""

    def __init__(self, regexes: Iterable[Tuple[int, str]]) -> None:
        self._by_path: Dict[str, List[int]] = {}
        self._by_stem: Dict[str, List[int]] = {}
        self._rules: Dict[int, Rule] = {}
        for number, regex in regexes:
            paths = spelt_out(regex)
            if paths is not None:
                for path in paths:
                    self._by_path.setdefault(path, []).append(number)
            elif not re.search(r"\)[*+{]", regex) and len(re.findall(r"[*+{]", regex)) <= _REPETITIONS:
                self._by_stem.setdefault(stem(regex), []).append(number)
            else:
                continue  # a regex that could take exponential time counts as not matching
            self._rules[number] = Rule(regex, ALL_FILES, "")

    def matching(self, path: str, suitable: Callable[[int], bool]) -> Iterator[int]:
        """Yield the rules that match a path and for which ``suitable`` returns true."""
        near: List[Sequence[int]] = [self._by_path.get(path, ())]
        near += [self._by_stem.get(path[:end], ()) for end in range(len(path) + 1)]
        for numbers in near:
            for number in numbers if len(numbers) <= CROWD else ():
                if suitable(number) and self._rules[number].matches(path):
                    yield number

    def crowded(self, path: str) -> bool:
        """Return whether too many rules have a stem of the path to search them."""
        return any(len(self._by_stem.get(path[:end], ())) > CROWD for end in range(len(path) + 1))


class Covers:
    """Finds whether another rule than one for regular files gives a socket its label intentionally."""

    def __init__(self, rules: Sequence[LintedRule], there: "Dict[int, Conditions]", spelt: Dict[int, str]) -> None:
        self._rules = rules
        self._there = there
        self._spelt = spelt
        chosen = [number for number in there
                  if rules[number].rule.file_type in (SOCKET, ALL_FILES) and rules[number].clear]
        self._index = Index((number, spelt[number]) for number in chosen)
        self._by_regex: Dict[str, List[int]] = {}
        for number in chosen:
            self._by_regex.setdefault(spelt[number], []).append(number)

    def regex(self, number: int) -> bool:
        """Return whether another rule has the same regex."""
        return any(self._meant(number, other) for other in self._by_regex.get(self._spelt[number], ()))

    def path(self, number: int, path: str) -> bool:
        """Return whether another rule matches a path of the rule."""
        meant = self._index.matching(path, lambda other: self._meant(number, other))
        return next(meant, None) is not None or self._index.crowded(path)

    def _meant(self, number: int, other: int) -> bool:
        return self._there[other] <= self._there[number] and (
            self._rules[other].rule.file_type == SOCKET
            or self._rules[other].context_key == self._rules[number].context_key)


def derive(written: SourceRule) -> LintedRule:
    """Derive what lint needs from a rule, with the faults of this rule alone."""
    faults: List[Tuple[str, str]] = []
    regex = mended = written.regex
    dotted = never = False
    reason = regex_fault(regex)
    if reason:
        faults.append((BAD_REGEX, reason))
    else:
        never = never_matches(regex)
        mended = with_dots_escaped(with_slashes_mended(regex) if never else regex)
        dotted = with_dots_escaped(regex) != regex
    file_type = FILE_TYPES.get(written.file_type)
    if file_type is None:
        faults.append((BAD_CONTEXT, "%s is no file type; known are %s" % (
            written.file_type, " ".join(sorted(filter(None, FILE_TYPES))))))
    context: Optional[str] = written.context
    wrong = context_fault(written.context)
    if wrong:
        reason, context = wrong
        faults.append((BAD_CONTEXT, reason))
        if context and context_fault(context):
            context = None
    return LintedRule(written, Rule(regex, file_type or ALL_FILES, written.context), mended, dotted, never, context,
                      re.sub(r"[\s`']", "", context or written.context), faults)


def there_on(rules: Sequence[LintedRule], distro: Optional[str]) -> "Dict[int, Conditions]":
    """Return the rules that a distribution's policy has, by number, and their other conditions."""
    known: Dict[Conditions, Optional[Conditions]] = {}
    present = {}
    for number, rule in enumerate(rules):
        conditions = rule.written.conditions
        if conditions not in known:
            known[conditions] = _remaining(conditions, distro)
        remaining = known[conditions]
        if remaining is not None:
            present[number] = remaining
    return present


def _remaining(conditions: Conditions, distro: Optional[str]) -> Optional[Conditions]:
    if distro is None:
        return conditions
    mine: FrozenSet[object] = frozenset(condition for condition in conditions if condition.name.startswith("distro_"))
    if any((condition.name == distro) != condition.holds for condition in conditions if condition in mine):
        return None
    return frozenset(condition for condition in conditions if condition not in mine)


def templated(rule: LintedRule) -> bool:
    """Return whether the policy tools expand this rule for each user."""
    return re.search(r"HOME_DIR|HOME_ROOT|%\{USER|\bUSER\b", rule.rule.regex) is not None


# -- words ---------------------------------------------------------------------------------------


def lines_of(numbers: Iterable[int], singular: str, plural: str) -> str:
    """Name some lines, with the verb in the singular or plural."""
    ordered = ["%d" % number for number in sorted(numbers)]
    if len(ordered) == 1:
        return "line %s %s" % (ordered[0], singular)
    return "lines %s and %s %s" % (", ".join(ordered[:-1]), ordered[-1], plural)
