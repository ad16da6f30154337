"""Find what is wrong with the rules of an ``.fc`` file.  Pure.

Only certain faults are reported.  The order of the lines of an ``.fc`` file has no meaning: the policy compiler sorts
rules by how specific they look (libsepol ``cil/src/cil_post.c``,
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
# Directories without listening sockets, and those where a .socket is a unit.
_NO_SOCKETS = re.compile(r"/(?:usr|etc|s?bin|lib(?:32|64|x32)?|boot)/|.*/systemd/(?:system|user|transient|generator)\b")
# Escapes that make a rule a regex from libselinux 3.8 on, and a literal rule before.
_ODD_ESCAPE = re.compile(r"\\[^\\.^$?*+|\[({)\]}_,-]")


class SocketPath(Value):
    """A path that a socket unit listens on."""

    path: str
    unit: str


class Finding(Value):
    """One fault, the targets that it concerns, and the line or lines to write instead."""

    line: int
    code: str
    message: str
    suggestion: Optional[str]
    targets: Sequence[str]

    @property
    def severity(self) -> str:
        """ERROR if something does not work, WARNING if it may be meant."""
        return codes.named(self.code).severity


def lint(source: Sequence[SourceRule], targets: Sequence[Target], sockets: Sequence[SocketPath] = (),
         has_type: Optional[Callable[[str], bool]] = None) -> List[Finding]:
    """Return the faults of the rules of one file; ``has_type`` returns whether the policy may have a type."""
    return _Lint([derive(rule) for rule in source], targets, sockets, has_type).findings()


class _Lint:
    def __init__(self, rules: Sequence[LintedRule], targets: Sequence[Target], sockets: Sequence[SocketPath],
                 has_type: Optional[Callable[[str], bool]]) -> None:
        self._rules = rules
        self._targets = targets
        self._sockets = sockets
        self._has_type = has_type
        self._found: Dict[Tuple[int, str, str], List[str]] = {}
        self._spellings = Spellings(rules, targets)
        # By number of the rule: the file type it should have, and the socket paths that need a rule besides it.
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
            self._check_each(there, targets)
            self._check_for_duplicates(there, names)
            self._check_for_unreachable(there, names)
            for target in targets:
                self._spellings.spell(there, target)
        # Messages about an equivalence name the other targets, whose spellings are known by now.
        for distro, targets in by_distro.items():
            there = there_on(self._rules, distro)
            for target in targets:
                self._check_for_aliases(there, target)
                self._check_for_sockets(there, target)
        return self._merged()

    def _add(self, number: int, code: str, message: str, names: Iterable[str]) -> None:
        self._found.setdefault((number, code, message), []).extend(names)

    def _merged(self) -> List[Finding]:
        order = [target.name for target in self._targets]
        findings = [Finding(self._rules[number].written.line, code, message,
                         self._mended(number) if codes.named(code).suggests else None,
                         [name for name in order if name in names])
                 for (number, code, message), names in self._found.items()]
        return sorted(findings, key=lambda finding: (finding.line, finding.code, finding.message))

    # -- single rules ------------------------------------------------------------------------

    def _check_each(self, there: "Dict[int, Conditions]", targets: Sequence[Target]) -> None:
        names = [target.name for target in targets]
        plain = [target.name for target in targets if not _makes_slashes(target)]
        for number in there:
            rule = self._rules[number]
            for code, message in rule.faults:
                self._add(number, code, message, names)
            if rule.never and plain:
                self._add(number, NEVER_MATCHES, "each path that this rule matches contains // or ends with /, and "
                          "libselinux removes these from a path before it looks for a rule", plain)
            if rule.dotted:
                self._add(number, UNESCAPED_DOT, "%s matches any character, not only a dot" % " and ".join(
                    "the dot in %s" % word for word in words_with_bare_dots(rule.rule.regex)), names)
            type_name = type_in(rule.written.context)
            if type_name and self._has_type and not self._has_type(type_name):
                self._add(number, UNKNOWN_TYPE, "neither the policy nor a .te file beside this one has the type %s"
                          % type_name, names)

    # -- rules against each other ------------------------------------------------------------

    def _check_for_duplicates(self, there: "Dict[int, Conditions]", names: Sequence[str]) -> None:
        earlier_rules: Dict[Tuple[str, str], Dict[Conditions, int]] = {}
        for number, conditions in there.items():
            rule = self._rules[number]
            before = earlier_rules.setdefault(rule.rule.key, {})
            usual = [known for known in (conditions, frozenset()) if known in before]
            for known in before if len(before) <= CROWD else usual:
                if known <= conditions or conditions <= known:
                    earlier = self._rules[before[known]]
                    if earlier.context_key == rule.context_key:
                        message = "this rule is already on line %d; remove one of the two" % earlier.written.line
                    else:
                        message = "line %d gives the same regex and file type another context, %s: such a policy is " \
                            "refused" % (earlier.written.line, earlier.written.context)
                    self._add(number, DUPLICATE, message, names)
                    break
            before.setdefault(conditions, number)

    def _check_for_unreachable(self, there: "Dict[int, Conditions]", names: Sequence[str]) -> None:
        rules = {number: rule.rule for number, rule in ((number, self._rules[number]) for number in there)
                 if rule.clear and not rule.never and not templated(rule) and not _ODD_ESCAPE.search(rule.rule.regex)}
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
                self._add(number, UNREACHABLE, "%s for every path that this rule matches, whatever the order: the rule "
                          "with more characters before its first special one takes precedence"
                          % lines_of(winners, "wins", "win"), names)

    # -- sockets -----------------------------------------------------------------------------

    def _check_for_sockets(self, there: "Dict[int, Conditions]", target: Target) -> None:
        spelt = {number: self._spellings.on(number, target.name) for number in there}
        listening = [(settled(socket.path, target.equivalences)[0], socket) for socket in self._sockets]
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
            rule = self._rules[number]
            if number in heard:
                paths = spelt_out(spelt[number])
                why = " and ".join("%s listens on %s" % (unit, path) for path, unit in heard[number].items())
                if paths is None:
                    self._added.setdefault(number, {}).update(dict.fromkeys(heard[number]))
                else:
                    self._file_type[number] = SOCKET if known.issuperset(paths) else ALL_FILES
            elif rule.rule.file_type == "file" and rule.readable and self._sounds_like_a_socket(
                    number, spelt[number], covers):
                why = "by its name this is a socket"
            else:
                continue
            self._add(number, REGULAR_FILE_ONLY, "-- covers only regular files, but %s" % why, [target.name])

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

    def _check_for_aliases(self, there: "Dict[int, Conditions]", target: Target) -> None:
        by_regex: Dict[str, List[int]] = {}
        for number in there:
            by_regex.setdefault(self._rules[number].mended, []).append(number)
        for number in there:
            rule = self._rules[number]
            if self._spellings.right(number, target) or any(code == BAD_REGEX for code, _ in rule.faults) or (
                    rule.rule.file_type == "symlink" and self._spellings.is_the_link(number, target)):
                continue
            twin = partial(self._twin, number, by_regex, there)
            for message in self._spellings.dead(number, target, twin):
                self._add(number, ALIASED_PATH, message, [target.name])

    def _twin(self, number: int, by_regex: Dict[str, List[int]], there: "Dict[int, Conditions]", regex: str) -> bool:
        """Return whether the file also has the rule in this spelling: then both are right."""
        rule = self._rules[number]
        return any(there[other] <= there[number] and self._rules[other].context_key == rule.context_key
                   and self._rules[other].rule.file_type in (ALL_FILES, rule.rule.file_type)
                   for other in by_regex.get(regex, ()))

    # -- suggestions -------------------------------------------------------------------------

    def _mended(self, number: int) -> Optional[str]:
        """Return the lines to write instead of the rule, with all faults corrected that can be, or None."""
        rule = self._rules[number]
        if rule.written.quoted or not rule.clear or (rule.never and never_matches(rule.mended)):
            return None
        context = rule.context or ""
        lines = [str(Rule(regex, self._file_type.get(number, rule.rule.file_type), context))
                 for regex in self._spellings.all(number) if regex == rule.mended or not self._elsewhere(number, regex)]
        for added in self._added.get(number, ()):
            lines += [str(Rule(regex, SOCKET, context)) for regex in self._spellings.of_path(added)]
        return "\n".join(lines)

    def _elsewhere(self, number: int, regex: str) -> bool:
        rule = self._rules[number]
        if not self._by_regex:
            for linted in self._rules:
                self._by_regex.setdefault(linted.mended, []).append(linted)
        return any(other.context_key == rule.context_key and other.rule.file_type in (ALL_FILES, rule.rule.file_type)
                   and other.written.conditions <= rule.written.conditions for other in self._by_regex.get(regex, ()))


def _makes_slashes(target: Target) -> bool:
    """Return whether a substitution makes doubled or trailing slashes, which are then looked up as they are."""
    return any("//" in line.target or (line.target.endswith("/") and line.target != "/")
               for _, equivalences in target.releases() for line in [*equivalences.local, *equivalences.dist])
