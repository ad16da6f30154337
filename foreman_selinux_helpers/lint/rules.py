"""The rules of an ``.fc`` file as lint looks at them: what each says, and which match a path.  Pure."""

import re

from ..model.filecontexts import ALL_FILES, FILE_TYPES, SOCKET, Rule, stem
from ..model.typed import Callable, Dict, FrozenSet, Iterable, Iterator, List, Optional, Sequence, Tuple, Value
from .codes import BAD_CONTEXT, BAD_REGEX
from .contexts import context_fault
from .fcsource import Conditions, SourceRule
from .regexes import regex_fault, spelt_out, with_dots_escaped
from .slashes import never_matches, with_slashes_mended

# A path is tried at no more regexes than this many repetitions in each: matching could take ages.
_REPETITIONS = 6
# In a whole policy 34 rules begin alike; among more than this many nothing is looked for.
CROWD = 100


class LintedRule(Value):
    """A rule of the file and what is derived from it once.

    ``mended``: its regex with dots escaped and slashes as they are looked up; ``dotted``: it has dots
    to escape; ``never``: it matches nothing; ``context``: the context that is meant, None where a fault of
    the rule leaves that open; ``faults``: what is broken, a code and words for each.
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
        """Tell whether it is known what the rule is for, if not which context it gives."""
        return not any(code == BAD_REGEX for code, _ in self.faults) and self.written.file_type in FILE_TYPES

    @property
    def clear(self) -> bool:
        """Tell whether all of the rule is known, perhaps with its context mended."""
        return self.readable and self.context is not None


class Index:
    """Finds rules by a path that they match: a policy has thousands, and to try a regex is dear."""

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
                continue  # one that could take ages is never said to match
            self._rules[number] = Rule(regex, ALL_FILES, "")

    def matching(self, path: str, suitable: Callable[[int], bool]) -> Iterator[int]:
        """Give the suitable ones of the rules that match a path."""
        near: List[Sequence[int]] = [self._by_path.get(path, ())]
        near += [self._by_stem.get(path[:end], ()) for end in range(len(path) + 1)]
        for numbers in near:
            for number in numbers if len(numbers) <= CROWD else ():
                if suitable(number) and self._rules[number].matches(path):
                    yield number

    def crowded(self, path: str) -> bool:
        """Tell whether more rules begin like the path than can be tried."""
        return any(len(self._by_stem.get(path[:end], ())) > CROWD for end in range(len(path) + 1))


class Covers:
    """Tells whether another rule than the one for regular files gives a socket a label on purpose."""

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
        """Tell it of the regex as it is written."""
        return any(self._meant(number, other) for other in self._by_regex.get(self._spelt[number], ()))

    def path(self, number: int, path: str) -> bool:
        """Tell it of one path that the rule matches."""
        meant = self._index.matching(path, lambda other: self._meant(number, other))
        return next(meant, None) is not None or self._index.crowded(path)

    def _meant(self, number: int, other: int) -> bool:
        return self._there[other] <= self._there[number] and (
            self._rules[other].rule.file_type == SOCKET
            or self._rules[other].context_key == self._rules[number].context_key)


def derive(written: SourceRule) -> LintedRule:
    """Return a rule with what is wrong with it by itself."""
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
            written.file_type, " ".join(sorted(one for one in FILE_TYPES if one)))))
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
    """Return the rules that a distribution's policy has, and on what else each of them depends."""
    known: Dict[Conditions, Optional[Conditions]] = {}
    found = {}
    for number, one in enumerate(rules):
        conditions = one.written.conditions
        if conditions not in known:
            known[conditions] = _left(conditions, distro)
        left = known[conditions]
        if left is not None:
            found[number] = left
    return found


def _left(conditions: Conditions, distro: Optional[str]) -> Optional[Conditions]:
    if distro is None:
        return conditions
    mine: FrozenSet[object] = frozenset(one for one in conditions if one.name.startswith("distro_"))
    if any((one.name == distro) != one.holds for one in conditions if one in mine):
        return None
    return frozenset(one for one in conditions if one not in mine)


def templated(one: LintedRule) -> bool:
    """Tell whether the policy tools make other rules of this one, for each user."""
    return re.search(r"HOME_DIR|HOME_ROOT|%\{USER|\bUSER\b", one.rule.regex) is not None


# -- words ---------------------------------------------------------------------------------------


def lines_of(numbers: Iterable[int], one: str, more: str) -> str:
    """Return words about one line or several."""
    ordered = ["%d" % number for number in sorted(numbers)]
    if len(ordered) == 1:
        return "line %s %s" % (ordered[0], one)
    return "lines %s and %s %s" % (", ".join(ordered[:-1]), ordered[-1], more)
