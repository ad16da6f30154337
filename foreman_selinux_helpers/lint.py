"""What is wrong with a package's file contexts, before anything is installed.  Pure.

Only what is certain is said.  The order of the lines of an ``.fc`` file means nothing: the policy
compiler sorts rules by how specific they look (libsepol ``cil/src/cil_post.c``,
cil_post_filecon_compare), and libselinux takes the last one that matches.
"""

import re
import warnings
from functools import lru_cache
from typing import Callable, Dict, FrozenSet, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple

from .fcsource import Conditions, SourceRule
from .filecontexts import ALL_FILES, FILE_TYPES, NONE_CONTEXT, SOCKET, Rule, escape, literal, stem
from .targets import Target

ALIASED_PATH = "aliased-path"
REGULAR_FILE_ONLY = "regular-file-only"
UNESCAPED_DOT = "unescaped-dot"
UNREACHABLE = "unreachable"
DUPLICATE = "duplicate"
BAD_REGEX = "bad-regex"
BAD_CONTEXT = "bad-context"
UNKNOWN_TYPE = "unknown-type"

# A dot between characters that stand for themselves, or at the beginning of a hidden file's name.
_BARE_DOT = re.compile(r"(?<=[A-Za-z0-9_/)\]}*+?-])(?<!/\*)\.(?=[A-Za-z0-9_])")
# Sets and escapes, in which a dot is a dot.
_SET_OR_ESCAPE = re.compile(r"\\.|\[\^?\]?[^\]]*\]", re.DOTALL)
# Authors write a dot in a word that m4 would take for a macro of its own (/usr/inclu.e).
_M4_WORDS = ("decr", "define", "eval", "format", "include", "incr", "index", "len", "shift", "sinclude", "substr",
             "translit", "unix")
# Whole directories in front, without anything special: (/.*)? and the like may follow.
_LEADING = re.compile(r"(?:/(?:[^\\/.^$?*+|\[({)\]}]|\\[^A-Za-z0-9])+)+(?=/|\Z|\(/[^|()]*\))")
# What needs no compiler to be called right.
_PLAIN_REGEX = re.compile(r"(?:(?:[^\\.^$?*+|\[({)\]}]|\\[^A-Za-z0-9]|\.)[*+?]?|\(/\.\*\)\?)*\Z", re.ASCII)
# What PCRE reads otherwise than Python, or Python not at all.
_PCRE_ALONE = re.compile(r"\\[A-Za-z0-9]|\(\?|\(\*|[?*+}][+{]|[\^$|(][*+?{]|\[\^?\[|\{,|\[[:.=]")
_SOCKET_NAME = re.compile(r"(?:\\\.|\.|\[\.\])(?:sock|socket|sock\(et\)\?)\Z")
# Where nothing listens, and where a .socket is a unit.
_NO_SOCKETS = re.compile(r"/(?:usr|etc|s?bin|lib(?:32|64|x32)?|boot)/|.*/systemd/(?:system|user|transient|generator)\b")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\Z")
_LEVEL = re.compile(r"[A-Za-z0-9_.,:-]+\Z")
# A path is tried at no more regexes than this many repetitions in each: matching could take ages.
_REPETITIONS = 6
_MOST_PATHS = 64
# In a whole policy 34 rules begin alike; among more than this many nothing is looked for.
_CROWD = 100


class SocketPath(NamedTuple):
    """A path that a socket unit listens on."""

    path: str
    unit: str


class Finding(NamedTuple):
    """One thing that is wrong, on which targets, and the line or lines to write instead."""

    line: int
    code: str
    message: str
    suggestion: Optional[str]
    targets: Sequence[str]


class _Rule(NamedTuple):
    """A rule of the file and what is derived from it once; ``escaped``: with its dots escaped."""

    written: SourceRule
    rule: Rule
    escaped: str
    context_key: str
    faults: Sequence[Tuple[str, str, Optional[str]]]


class _Index:
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
            for number in numbers if len(numbers) <= _CROWD else ():
                if suitable(number) and self._rules[number].matches(path):
                    yield number

    def crowded(self, path: str) -> bool:
        """Tell whether more rules begin like the path than can be tried."""
        return any(len(self._by_stem.get(path[:end], ())) > _CROWD for end in range(len(path) + 1))


def lint(source: Sequence[SourceRule], targets: Sequence[Target], sockets: Sequence[SocketPath] = (),
         has_type: Optional[Callable[[str], bool]] = None) -> List[Finding]:
    """Return what is wrong with the rules of one file; ``has_type``: whether the policy may have a type."""
    return _Lint([_derive(one) for one in source], targets, sockets, has_type).findings()


class _Lint:
    def __init__(self, rules: Sequence[_Rule], targets: Sequence[Target], sockets: Sequence[SocketPath],
                 has_type: Optional[Callable[[str], bool]]) -> None:
        self._rules = rules
        self._targets = targets
        self._sockets = sockets
        self._has_type = has_type
        self._found: Dict[Tuple[int, str, str], List[str]] = {}
        self._suggestions: Dict[Tuple[int, str, str], Optional[str]] = {}
        # By number of the rule: what it is to cover instead, and its spelling for each target.
        self._file_type: Dict[int, str] = {}
        self._added: Dict[int, Dict[str, None]] = {}
        self._spelt: Dict[int, Dict[str, str]] = {}
        self._by_regex: Dict[str, List[_Rule]] = {}

    def findings(self) -> List[Finding]:
        by_distro: Dict[Optional[str], List[Target]] = {}
        for target in self._targets:
            by_distro.setdefault(target.distro, []).append(target)
        for distro, targets in by_distro.items():
            there = _there(self._rules, distro)
            names = [target.name for target in targets]
            self._look_at_each(there, names)
            self._look_for_duplicates(there, names)
            self._look_for_unreachable(there, names)
            for target in targets:
                self._spell(there, target)
        # What is said of an equivalence names the other targets: their spellings are known by now.
        for distro, targets in by_distro.items():
            there = _there(self._rules, distro)
            for target in targets:
                self._look_for_aliases(there, target)
                self._look_for_sockets(there, target)
        return self._merged()

    def _add(self, number: int, code: str, message: str, names: Iterable[str],
             suggestion: Optional[str] = None) -> None:
        key = (number, code, message)
        self._found.setdefault(key, []).extend(names)
        self._suggestions[key] = suggestion

    def _merged(self) -> List[Finding]:
        order = [target.name for target in self._targets]
        found = []
        for (number, code, message), names in self._found.items():
            suggestion = self._suggestions[number, code, message]
            if code in (ALIASED_PATH, REGULAR_FILE_ONLY, UNESCAPED_DOT):
                suggestion = self._mended(number)
            found.append(Finding(self._rules[number].written.line, code, message, suggestion,
                                 [name for name in order if name in names]))
        return sorted(found, key=lambda one: (one.line, one.code, one.message))

    # -- one rule by itself ------------------------------------------------------------------

    def _look_at_each(self, there: "Dict[int, Conditions]", names: Sequence[str]) -> None:
        for number in there:
            one = self._rules[number]
            for code, message, suggestion in one.faults:
                self._add(number, code, message, names, suggestion)
            if one.escaped != one.rule.regex:
                self._add(number, UNESCAPED_DOT, "%s matches any character, not the dot alone" % " and ".join(
                    "the dot in %s" % word for word in _words_with_bare_dots(one.rule.regex)), names)
            type_name = _type_of(one.written.context)
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
            for known in before if len(before) <= _CROWD else usual:
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
        rules = {number: self._rules[number].rule for number in there
                 if not self._rules[number].faults and not _templated(self._rules[number])}
        index = _Index((number, rule.regex) for number, rule in rules.items())
        rank = {number: _rank(rule) for number, rule in rules.items()}

        def better_than(number: int) -> Callable[[int], bool]:
            return lambda other: rank[other] > rank[number] and there[other] <= there[number] \
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
                          % _lines(winners, "wins", "win"), names)

    # -- sockets -----------------------------------------------------------------------------

    def _look_for_sockets(self, there: "Dict[int, Conditions]", target: Target) -> None:
        spelt = {number: self._spelt[number][target.name] for number in there}
        listening = [(target.equivalences.canonical(one.path), one) for one in self._sockets]
        regular = _Index((number, spelt[number]) for number in there
                         if self._rules[number].rule.file_type == "file" and not self._rules[number].faults)
        covers = _Covers(self._rules, there, spelt)
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
                    self._added.setdefault(number, {}).update(dict.fromkeys(escape(path) for path in heard[number]))
                else:
                    self._file_type[number] = SOCKET if known.issuperset(paths) else ALL_FILES
            elif one.rule.file_type == "file" and not one.faults and self._sounds_like_a_socket(
                    number, spelt[number], covers):
                said = "what is named so is a socket"
            else:
                continue
            self._add(number, REGULAR_FILE_ONLY, "-- covers regular files alone, but %s" % said, [target.name])

    def _sounds_like_a_socket(self, number: int, regex: str, covers: "_Covers") -> bool:
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

    def _spell(self, there: "Dict[int, Conditions]", target: Target) -> None:
        """Note how each rule has to be spelt to match on a target."""
        known: Dict[str, str] = {}
        for number in there:
            regex = self._rules[number].escaped
            self._spelt.setdefault(number, {})[target.name] = _canonical(regex, target, known)

    def _look_for_aliases(self, there: "Dict[int, Conditions]", target: Target) -> None:
        by_regex: Dict[str, List[int]] = {}
        for number in there:
            by_regex.setdefault(self._rules[number].escaped, []).append(number)
        for number in there:
            one = self._rules[number]
            spelt = self._spelt[number][target.name]
            if spelt == one.escaped or any(code == BAD_REGEX for code, _, _ in one.faults) \
                    or self._twin(number, spelt, by_regex, there):
                continue
            directory = _directory(one.escaped)
            path = literal(directory) or directory
            used = target.equivalences.explain(path)[1]
            if one.rule.file_type == "symlink" and directory == one.escaped and path == used[0].source:
                continue  # the link itself, which has no other spelling
            alive = [name for name, other in self._spelt[number].items() if other == one.escaped]
            self._add(number, ALIASED_PATH, "%s, so libselinux never looks for a path that this rule matches%s" % (
                " and ".join("%s stands for %s" % (step.source, step.target) for step in used), "" if not alive else
                "; on %s it does: write both spellings, the idle one does no harm" % ", ".join(alive)), [target.name])

    def _twin(self, number: int, regex: str, by_regex: Dict[str, List[int]], there: "Dict[int, Conditions]") -> bool:
        """Tell whether the file has the rule in this spelling as well: then it is right on both sides."""
        one = self._rules[number]
        return any(there[other] <= there[number] and self._rules[other].context_key == one.context_key
                   and self._rules[other].rule.file_type in (ALL_FILES, one.rule.file_type)
                   for other in by_regex.get(regex, ()))

    # -- suggestions -------------------------------------------------------------------------

    def _mended(self, number: int) -> Optional[str]:
        """Return the lines that are right where the rule stands, with everything mended that can be."""
        one = self._rules[number]
        if one.written.quoted or any(code in (BAD_REGEX, BAD_CONTEXT) for code, _, _ in one.faults):
            return None
        spelt = self._spelt[number]
        regexes = dict.fromkeys(sorted(spelt.values(), key=lambda regex: regex != one.escaped))
        lines = [_line(regex, self._file_type.get(number, one.rule.file_type), one.written.context)
                 for regex in regexes if regex == one.escaped or not self._elsewhere(number, regex)]
        known: Dict[str, Dict[str, str]] = {target.name: {} for target in self._targets}
        for added in self._added.get(number, ()):
            own = dict.fromkeys(_canonical(added, target, known[target.name]) for target in self._targets)
            lines += [_line(regex, SOCKET, one.written.context) for regex in own]
        return "\n".join(lines)

    def _elsewhere(self, number: int, regex: str) -> bool:
        one = self._rules[number]
        if not self._by_regex:
            for each in self._rules:
                self._by_regex.setdefault(each.escaped, []).append(each)
        return any(other.context_key == one.context_key and other.rule.file_type in (ALL_FILES, one.rule.file_type)
                   and other.written.conditions <= one.written.conditions for other in self._by_regex.get(regex, ()))


class _Covers:
    """Tells whether another rule than the one for regular files gives a socket a label on purpose."""

    def __init__(self, rules: Sequence[_Rule], there: "Dict[int, Conditions]", spelt: Dict[int, str]) -> None:
        self._rules = rules
        self._there = there
        self._spelt = spelt
        chosen = [number for number in there
                  if rules[number].rule.file_type in (SOCKET, ALL_FILES) and not rules[number].faults]
        self._index = _Index((number, spelt[number]) for number in chosen)
        self._by_regex: Dict[str, List[int]] = {}
        for number in chosen:
            self._by_regex.setdefault(spelt[number], []).append(number)

    def regex(self, number: int) -> bool:
        return any(self._meant(number, other) for other in self._by_regex.get(self._spelt[number], ()))

    def path(self, number: int, path: str) -> bool:
        meant = self._index.matching(path, lambda other: self._meant(number, other))
        return next(meant, None) is not None or self._index.crowded(path)

    def _meant(self, number: int, other: int) -> bool:
        return self._there[other] <= self._there[number] and (
            self._rules[other].rule.file_type == SOCKET
            or self._rules[other].context_key == self._rules[number].context_key)


def _derive(written: SourceRule) -> _Rule:
    faults: List[Tuple[str, str, Optional[str]]] = []
    regex = written.regex
    file_type = FILE_TYPES.get(written.file_type)
    reason = _regex_fault(regex)
    if reason:
        faults.append((BAD_REGEX, reason, None))
    if file_type is None:
        faults.append((BAD_CONTEXT, "%s is no file type; known are %s" % (
            written.file_type, " ".join(sorted(one for one in FILE_TYPES if one))), None))
    wrong = context_fault(written.context)
    if wrong:
        reason, context = wrong
        faults.append((BAD_CONTEXT, reason, context and _line(regex, file_type or ALL_FILES, context)))
    escaped = regex if reason and faults[0][0] == BAD_REGEX else _with_dots_escaped(regex)
    return _Rule(written, Rule(regex, file_type or ALL_FILES, written.context), escaped,
                 re.sub(r"[\s`']", "", written.context), faults)


def _there(rules: Sequence[_Rule], distro: Optional[str]) -> "Dict[int, Conditions]":
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


# -- regexes -------------------------------------------------------------------------------------


def _regex_fault(regex: str) -> Optional[str]:
    """Say why a regex is certainly broken, or None."""
    if not regex.isprintable() or any(ord(one) > 0x7e for one in regex):
        return "%s: libselinux refuses a file of rules that has anything but ASCII in it" % ascii(regex)
    plain = re.sub(r"^(HOME_DIR|HOME_ROOT)(?=/|\(|\Z)", "/home/user", regex)
    plain = re.sub(r"%\{USER(?:NAME|ID)\}", "user", plain)
    if not plain.startswith(("/", "(", "[", ".", "^", "\\")):
        return "%s: a path begins with /, so this rule matches none" % regex
    if _PLAIN_REGEX.match(plain) or _PCRE_ALONE.search(plain):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(plain)
    except re.error as error:
        return "%s does not compile: %s" % (regex, error)
    except (RecursionError, OverflowError):
        pass  # PCRE has other limits
    return None


def _bare_dots(regex: str) -> List[int]:
    if "\\Q" in regex:
        return []  # what follows stands for itself
    hidden = _SET_OR_ESCAPE.sub(lambda found: "x" * len(found.group()), regex)
    found = []
    for dot in _BARE_DOT.finditer(hidden):
        component = hidden.rfind("/", max(0, dot.start() - 10), dot.start()) + 1
        word = re.match(r"[A-Za-z.]*", hidden[component:component + 11])
        if not component or not word or not any(re.match(word.group() + r"\Z", name) for name in _M4_WORDS):
            found.append(dot.start())
    return found


def _with_dots_escaped(regex: str) -> str:
    edges = [0] + _bare_dots(regex) + [len(regex)]
    return "\\".join(regex[begin:end] for begin, end in zip(edges, edges[1:]))


def _words_with_bare_dots(regex: str) -> List[str]:
    dots = set(_bare_dots(regex))
    words = re.finditer(r"(?:\\\.|[A-Za-z0-9_.-])+", regex)
    return list(dict.fromkeys(word.group()[:60] for word in words if dots.intersection(range(*word.span()))))[:3]


def _canonical(regex: str, target: Target, known: Dict[str, str]) -> str:
    """Return a regex with the directories it begins with as they are looked up on a target."""
    directory = _directory(regex)
    if directory not in known:
        path = literal(directory) or directory
        canonical = target.equivalences.canonical(path) if path else path
        known[directory] = directory if canonical == path else escape(canonical.rstrip("/"))
    return known[directory] + regex[len(directory):]


def _directory(regex: str) -> str:
    """Return the directories that a regex begins with, as far as they stand for themselves."""
    found = None if "|" in regex and _alternates(regex) else _LEADING.match(regex)
    return found.group() if found else ""


def _alternates(regex: str) -> bool:
    """Tell whether a regex has alternatives outside of all groups."""
    depth = 0
    for one in _SET_OR_ESCAPE.sub("", regex):
        depth += (one == "(") - (one == ")")
        if one == "|" and depth <= 0:
            return True
    return False


@lru_cache(maxsize=None)
def spelt_out(regex: str) -> Optional[Sequence[str]]:
    """Return all paths that a regex matches if they can be counted on a few hands, or None."""
    try:
        paths, end = _alternatives(regex, 0, 0)
    except _Endless:
        return None
    return paths if end == len(regex) else None


class _Endless(Exception):
    pass


_LITERAL_RUN = re.compile(r"(?:[^\\.^$?*+|\[({)\]}]|\\[^A-Za-z0-9])+")


def _alternatives(regex: str, position: int, depth: int) -> Tuple[List[str], int]:
    found: List[str] = []
    current = [""]
    while position < len(regex) and regex[position] != ")":
        run = _LITERAL_RUN.match(regex, position)
        if run:
            text, position = run.group(), run.end()
            last = None
            if regex[position:position + 1] in ("?", "*", "+", "{") and regex[position:]:
                size = 2 if text[-2:-1] == "\\" else 1
                text, last = text[:-size], text[-1]
            current = [one + re.sub(r"\\(.)", r"\1", text) for one in current]
            if last is None:
                continue
            part = [last]
        elif regex[position] == "|" and depth:
            found, current, position = found + current, [""], position + 1
            continue
        elif regex[position] == "(" and regex[position + 1:position + 2] not in ("?", "*") and depth < 10:
            part, position = _alternatives(regex, position + 1, depth + 1)
            if regex[position:position + 1] != ")":
                raise _Endless
            position += 1
        else:
            raise _Endless
        if regex[position:position + 1] == "?":
            part, position = part + [""], position + 1
        if regex[position:position + 1] in ("?", "*", "+", "{") and regex[position:]:
            raise _Endless
        current = [one + other for one in current for other in part]
        if len(current) + len(found) > _MOST_PATHS:
            raise _Endless
    return found + current, position


def _templated(one: _Rule) -> bool:
    """Tell whether the policy tools make other rules of this one, for each user."""
    return re.search(r"HOME_DIR|HOME_ROOT|%\{USER|\bUSER\b", one.rule.regex) is not None


def _rank(rule: Rule) -> Tuple[bool, int, int, bool, str]:
    """Return how the policy compiler sorts a rule; the last one that matches wins."""
    units = re.findall(r"\\.|[^\\]|\\\Z", rule.regex, re.DOTALL)
    special = [number for number, unit in enumerate(units) if unit in ".^$?*+|[({"]
    return (not special, special[0] if special else len(units), len(units), rule.file_type != ALL_FILES, rule.regex)


# -- contexts ------------------------------------------------------------------------------------


def context_fault(context: str) -> Optional[Tuple[str, Optional[str]]]:
    """Say why a context is certainly wrong, and how it should read (None: not known); None if it may be right."""
    if not context:
        return "there is no context; a rule is: REGEX [FILE TYPE] CONTEXT", None
    if context == NONE_CONTEXT:
        return None
    if context.startswith("gen_context("):
        return _macro_fault(context)
    words = context.split(None, 1)
    if len(words) > 1:
        return _behind(words[1]), words[0] if context_fault(words[0]) is None else None
    if not context.startswith("-") and re.search(r"[(`'$]", context):
        return None  # another macro
    if context.startswith("<"):
        return "%s: the only word in angle brackets is %s" % (context, NONE_CONTEXT), NONE_CONTEXT
    fields = context.split(":")
    if len(fields) < 3 or not all(_NAME.match(one) for one in fields[:3]) or not all(
            _LEVEL.match(one) for one in fields[3:]):
        return "%s is no context; one is gen_context(USER:ROLE:TYPE,LEVEL)" % context, None
    return None


def _behind(words: str) -> str:
    if words.startswith("dnl"):
        return "dnl takes the end of the line along, so that the next line becomes a part of this one"
    return "behind the context stands %r; a comment needs a line of its own" % words


def _macro_fault(context: str) -> Optional[Tuple[str, Optional[str]]]:
    if ")" not in context:
        return "gen_context( is not closed in this line", context + ")" if not context_fault(context + ")") else None
    call, _, behind = context.partition(")")
    if re.search(r"[(`'$]", call[len("gen_context("):]):
        return None  # a macro within
    if behind.strip():
        return _behind(behind.strip()), call + ")" if not _macro_fault(call + ")") else None
    arguments = [one.strip() for one in call[len("gen_context("):].split(",")]
    fields = arguments[0].split(":")
    if len(fields) > 3 and all(_NAME.match(one) for one in fields[:3]):
        if len(arguments) > 1:
            level, right = arguments[1], arguments[1:]
        else:
            level, right = fields[3], [":".join(fields[3:])]
        return "gen_context adds the level by itself: %s belongs behind a comma" % level, \
            "gen_context(%s)" % ",".join([":".join(fields[:3])] + right)
    if len(fields) != 3 or not all(_NAME.match(one) for one in fields):
        return "%s is not of the form USER:ROLE:TYPE" % (arguments[0] or "nothing"), None
    wrong = [one for one in arguments[1:] if one and not _LEVEL.match(one)]
    if wrong or len(arguments) > 3:
        return "%s is no level" % (wrong[0] if wrong else ",".join(arguments[1:])), None
    return None


def _type_of(context: str) -> str:
    found = re.match(r"(?:gen_context\(\s*)?[\w.-]+:[\w.-]+:([A-Za-z_][\w.]*)(?![\w$`'(])", context, re.ASCII)
    return found.group(1) if found else ""


# -- words ---------------------------------------------------------------------------------------


_WRITTEN = {name: written for written, name in FILE_TYPES.items()}


def _line(regex: str, file_type: str, context: str) -> str:
    return "  ".join(part for part in (regex, _WRITTEN[file_type], context) if part)


def _lines(numbers: Iterable[int], one: str, more: str) -> str:
    ordered = ["%d" % number for number in sorted(numbers)]
    if len(ordered) == 1:
        return "line %s %s" % (ordered[0], one)
    return "lines %s and %s %s" % (", ".join(ordered[:-1]), ordered[-1], more)


