"""What is wrong with a package's file contexts, before anything is installed.  Pure.

Only what is certain is said.  The order of the lines of an ``.fc`` file means nothing: the policy
compiler sorts rules by how specific they look (libsepol ``cil/src/cil_post.c``,
cil_post_filecon_compare), and libselinux takes the last one that matches.
"""

import re
from functools import partial

from ..model.filecontexts import ALL_FILES, SOCKET, Rule
from ..model.typed import Callable, Dict, Iterable, List, Optional, Sequence, Set, Tuple, Value
from . import codes
from .aliases import Spellings, settled
from .codes import (
    ALIASED_PATH,
    BAD_REGEX,
    DUPLICATE,
    NEVER_MATCHES,
    REGULAR_FILE_ONLY,
    UNESCAPED_DOT,
    UNKNOWN_TYPE,
    UNREACHABLE,
)
from .contexts import type_in
from .fcsource import Conditions, SourceRule
from .regexes import rank, spelt_out, words_with_bare_dots
from .rules import CROWD, Covers, Index, LintedRule, derive, lines_of, templated, there_on
from .slashes import never_matches
from .targets import Target

_SOCKET_NAME = re.compile(r"(?:\\\.|\.|\[\.\])(?:sock|socket|sock\(et\)\?)\Z")
# Where nothing listens, and where a .socket is a unit.
_NO_SOCKETS = re.compile(r"/(?:usr|etc|s?bin|lib(?:32|64|x32)?|boot)/|.*/systemd/(?:system|user|transient|generator)\b")
# Escapes that make a rule a regex from libselinux 3.8 on, and before it did not.
_ODD_ESCAPE = re.compile(r"\\[^\\.^$?*+|\[({)\]}_,-]")


class SocketPath(Value):
    """A path that a socket unit listens on."""

    path: str
    unit: str


class Finding(Value):
    """One thing that is wrong, on which targets, and the line or lines to write instead."""

    line: int
    code: str
    message: str
    suggestion: Optional[str]
    targets: Sequence[str]

    @property
    def severity(self) -> str:
        """Tell whether something does not work, or only looks as if."""
        return codes.named(self.code).severity


def lint(source: Sequence[SourceRule], targets: Sequence[Target], sockets: Sequence[SocketPath] = (),
         has_type: Optional[Callable[[str], bool]] = None) -> List[Finding]:
    """Return what is wrong with the rules of one file; ``has_type``: whether the policy may have a type."""
    return _Lint([derive(one) for one in source], targets, sockets, has_type).findings()


class _Lint:
    def __init__(self, rules: Sequence[LintedRule], targets: Sequence[Target], sockets: Sequence[SocketPath],
                 has_type: Optional[Callable[[str], bool]]) -> None:
        self._rules = rules
        self._targets = targets
        self._sockets = sockets
        self._has_type = has_type
        self._found: Dict[Tuple[int, str, str], List[str]] = {}
        self._spellings = Spellings(rules, targets)
        # By number of the rule: what it is to cover instead, and what sockets are to have rules beside it.
        self._file_type: Dict[int, str] = {}
        self._added: Dict[int, Dict[str, None]] = {}
        self._by_regex: Dict[str, List[LintedRule]] = {}

    def findings(self) -> List[Finding]:
        by_distro: Dict[Optional[str], List[Target]] = {}
        for target in self._targets:
            by_distro.setdefault(target.distro, []).append(target)
        for distro, targets in by_distro.items():
            there = there_on(self._rules, distro)
            names = [target.name for target in targets]
            self._look_at_each(there, targets)
            self._look_for_duplicates(there, names)
            self._look_for_unreachable(there, names)
            for target in targets:
                self._spellings.spell(there, target)
        # What is said of an equivalence names the other targets: their spellings are known by now.
        for distro, targets in by_distro.items():
            there = there_on(self._rules, distro)
            for target in targets:
                self._look_for_aliases(there, target)
                self._look_for_sockets(there, target)
        return self._merged()

    def _add(self, number: int, code: str, message: str, names: Iterable[str]) -> None:
        self._found.setdefault((number, code, message), []).extend(names)

    def _merged(self) -> List[Finding]:
        order = [target.name for target in self._targets]
        found = [Finding(self._rules[number].written.line, code, message,
                         self._mended(number) if codes.named(code).suggests else None,
                         [name for name in order if name in names])
                 for (number, code, message), names in self._found.items()]
        return sorted(found, key=lambda one: (one.line, one.code, one.message))

    # -- one rule by itself ------------------------------------------------------------------

    def _look_at_each(self, there: "Dict[int, Conditions]", targets: Sequence[Target]) -> None:
        names = [target.name for target in targets]
        plain = [target.name for target in targets if not _makes_slashes(target)]
        for number in there:
            one = self._rules[number]
            for code, message in one.faults:
                self._add(number, code, message, names)
            if one.never and plain:
                self._add(number, NEVER_MATCHES, "each path that this rule matches has // in it or ends with /, and "
                          "libselinux takes these out of a path before it looks for a rule", plain)
            if one.dotted:
                self._add(number, UNESCAPED_DOT, "%s matches any character, not the dot alone" % " and ".join(
                    "the dot in %s" % word for word in words_with_bare_dots(one.rule.regex)), names)
            type_name = type_in(one.written.context)
            if type_name and self._has_type and not self._has_type(type_name):
                self._add(number, UNKNOWN_TYPE, "neither the policy nor a .te file beside this one knows the type %s"
                          % type_name, names)

    # -- rules against each other ------------------------------------------------------------

    def _look_for_duplicates(self, there: "Dict[int, Conditions]", names: Sequence[str]) -> None:
        seen: Dict[Tuple[str, str], Dict[Conditions, int]] = {}
        for number, conditions in there.items():
            one = self._rules[number]
            before = seen.setdefault(one.rule.key, {})
            usual = [known for known in (conditions, frozenset()) if known in before]
            for known in before if len(before) <= CROWD else usual:
                if known <= conditions or conditions <= known:
                    earlier = self._rules[before[known]]
                    if earlier.context_key == one.context_key:
                        message = "this rule is in line %d already; one of the two can go" % earlier.written.line
                    else:
                        message = "line %d gives the same regex and file type another context, %s: such a policy is " \
                            "refused" % (earlier.written.line, earlier.written.context)
                    self._add(number, DUPLICATE, message, names)
                    break
            before.setdefault(conditions, number)

    def _look_for_unreachable(self, there: "Dict[int, Conditions]", names: Sequence[str]) -> None:
        rules = {number: one.rule for number, one in ((number, self._rules[number]) for number in there)
                 if one.clear and not one.never and not templated(one) and not _ODD_ESCAPE.search(one.rule.regex)}
        index = Index((number, rule.regex) for number, rule in rules.items())
        ranks = {number: rank(rule) for number, rule in rules.items()}

        def better_than(number: int) -> Callable[[int], bool]:
            return lambda other: ranks[other] > ranks[number] and there[other] <= there[number] \
                and rules[other].file_type in (ALL_FILES, rules[number].file_type)

        for number, rule in rules.items():
            winners: Set[int] = set()
            for path in spelt_out(rule.regex) or ():
                better = next(index.matching(path, better_than(number)), None)
                if better is None:
                    winners = set()
                    break
                winners.add(self._rules[better].written.line)
            if winners:
                self._add(number, UNREACHABLE, "%s for every path that this rule matches, wherever it stands: what is "
                          "longer up to its first special character counts for more"
                          % lines_of(winners, "wins", "win"), names)

    # -- sockets -----------------------------------------------------------------------------

    def _look_for_sockets(self, there: "Dict[int, Conditions]", target: Target) -> None:
        spelt = {number: self._spellings.on(number, target.name) for number in there}
        listening = [(settled(one.path, target.equivalences)[0], one) for one in self._sockets]
        regular = Index((number, spelt[number]) for number in there
                         if self._rules[number].rule.file_type == "file" and self._rules[number].readable)
        covers = Covers(self._rules, there, spelt)
        heard: Dict[int, Dict[str, str]] = {}
        for path, socket in listening:
            for number in regular.matching(path, lambda _: True):
                if not covers.path(number, path):
                    heard.setdefault(number, {})[socket.path] = socket.unit
        known = {path for path, _ in listening}
        for number in there:
            one = self._rules[number]
            if number in heard:
                paths = spelt_out(spelt[number])
                said = " and ".join("%s listens on %s" % (unit, path) for path, unit in heard[number].items())
                if paths is None:
                    self._added.setdefault(number, {}).update(dict.fromkeys(heard[number]))
                else:
                    self._file_type[number] = SOCKET if known.issuperset(paths) else ALL_FILES
            elif one.rule.file_type == "file" and one.readable and self._sounds_like_a_socket(
                    number, spelt[number], covers):
                said = "what is named so is a socket"
            else:
                continue
            self._add(number, REGULAR_FILE_ONLY, "-- covers regular files alone, but %s" % said, [target.name])

    def _sounds_like_a_socket(self, number: int, regex: str, covers: "Covers") -> bool:
        if not re.search("sock", regex) or _NO_SOCKETS.match(self._rules[number].rule.regex):
            return False
        paths = spelt_out(regex)
        if paths is None:
            if not _SOCKET_NAME.search(regex) or covers.regex(number):
                return False
            self._file_type[number] = SOCKET
            return True
        named = [path for path in paths if path.endswith((".sock", ".socket"))]
        if all(covers.regex(number) or covers.path(number, path) for path in named):
            return False
        self._file_type[number] = SOCKET if len(named) == len(paths) else ALL_FILES
        return True

    # -- equivalences ------------------------------------------------------------------------

    def _look_for_aliases(self, there: "Dict[int, Conditions]", target: Target) -> None:
        by_regex: Dict[str, List[int]] = {}
        for number in there:
            by_regex.setdefault(self._rules[number].mended, []).append(number)
        for number in there:
            one = self._rules[number]
            if self._spellings.right(number, target) or any(code == BAD_REGEX for code, _ in one.faults) or (
                    one.rule.file_type == "symlink" and self._spellings.is_the_link(number, target)):
                continue
            twin = partial(self._twin, number, by_regex, there)
            for message in self._spellings.dead(number, target, twin):
                self._add(number, ALIASED_PATH, message, [target.name])

    def _twin(self, number: int, by_regex: Dict[str, List[int]], there: "Dict[int, Conditions]", regex: str) -> bool:
        """Tell whether the file has the rule in this spelling as well: then it is right on both sides."""
        one = self._rules[number]
        return any(there[other] <= there[number] and self._rules[other].context_key == one.context_key
                   and self._rules[other].rule.file_type in (ALL_FILES, one.rule.file_type)
                   for other in by_regex.get(regex, ()))

    # -- suggestions -------------------------------------------------------------------------

    def _mended(self, number: int) -> Optional[str]:
        """Return the lines that are right where the rule stands, with everything mended that can be."""
        one = self._rules[number]
        if one.written.quoted or not one.clear or (one.never and never_matches(one.mended)):
            return None
        context = one.context or ""
        lines = [str(Rule(regex, self._file_type.get(number, one.rule.file_type), context))
                 for regex in self._spellings.all(number) if regex == one.mended or not self._elsewhere(number, regex)]
        for added in self._added.get(number, ()):
            lines += [str(Rule(regex, SOCKET, context)) for regex in self._spellings.of_path(added)]
        return "\n".join(lines)

    def _elsewhere(self, number: int, regex: str) -> bool:
        one = self._rules[number]
        if not self._by_regex:
            for each in self._rules:
                self._by_regex.setdefault(each.mended, []).append(each)
        return any(other.context_key == one.context_key and other.rule.file_type in (ALL_FILES, one.rule.file_type)
                   and other.written.conditions <= one.written.conditions for other in self._by_regex.get(regex, ()))


def _makes_slashes(target: Target) -> bool:
    """Tell whether a substitution leads to a path with slashes that are looked up as they are."""
    return any("//" in one.target or (one.target.endswith("/") and one.target != "/")
               for _, equivalences in target.releases() for one in [*equivalences.local, *equivalences.dist])
