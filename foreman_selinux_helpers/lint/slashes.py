"""Find regexes that match nothing because of their slashes, and correct them.  Pure.

libselinux looks a path up with each run of slashes reduced to one, and without a trailing slash
(``src/label_file.c``, lookup_all).  So a regex never matches if each of its matches contains ``//`` or ends with a
slash.  The regex is run as an automaton with the four states below; if it cannot be judged, it may match.
"""

import re
from functools import lru_cache
from itertools import chain, combinations

from ..model import pcre
from ..model.typed import List, Match, Optional, Tuple
from .regexes import regex_fault

# States, as bits.  Read so far: nothing; only the slash of the root; a name and then a slash; a name.
_NOTHING, _ROOT, _SLASH, _NAME = 1, 2, 4, 8
_STATES = (_NOTHING, _ROOT, _SLASH, _NAME)
# The set of next states for each state, in this order.  A second slash has no next state.
_Step = Tuple[int, int, int, int]
_NO_STEP: _Step = (_NOTHING, _ROOT, _SLASH, _NAME)
_A_SLASH: _Step = (_ROOT, 0, 0, _SLASH)
_ANOTHER: _Step = (_NAME, _NAME, _NAME, _NAME)

# Only a regex that matches this needs judging: a slash that may be followed by another, is the last character, or
# is repeated.
_DOUBT = re.compile(r"/[^A-Za-z0-9_.-]*(?:/|\Z)|\\x2[fF]|[/)]\{")
_SET = re.compile(r"\[\^?\]?(?:\\.|\[:\^?[a-z]+:\]|[^\]\\])*\]")
_REPEATED = re.compile(r"(?:(?P<sign>[?*+])|\{(?P<least>[0-9]{1,3})(?:(?P<range>,)(?P<most>[0-9]{1,3})?)?\})"
                       r"[?+]?(?![?*+{])")
_DEEPEST = 40
# Replacements that turn a regex into what its author meant.
_MEANT = (
    (re.compile(r"(?<!\\)(?:\\?/){2,}"), "/"),
    (re.compile(r"(?<!\\)/(?=\((?:\?:)?/)"), ""),
    (re.compile(r"(/\)[?*+]?)/"), r"\1"),
    (re.compile(r"(?<=[^\\])(?:\\?/\+?|\(/\)\+?)\Z"), ""),
)


class _Unknown(Exception):
    """This part of a regex cannot be judged."""


def never_matches(regex: str) -> bool:
    """Return whether each match of the regex certainly has a doubled or a trailing slash."""
    if not _DOUBT.search(regex):
        return False
    regex = re.sub(r"%\{USER(?:NAME|ID)\}", "user", regex)
    try:
        branches, end = _branches(regex, 0, 0)
    except _Unknown:
        return False
    if end != len(regex):
        return False
    anything = _repeat(_either(_A_SLASH, _ANOTHER), 0, None)
    for number, branch in enumerate(branches):
        # libselinux anchors the first alternative at the beginning and the last one at the end; see pcre.matches().
        whole = _then(anything, branch) if number else branch
        if number < len(branches) - 1:
            whole = _then(whole, anything)
        if whole[0] & (_ROOT | _NAME):
            return False
    return True


def with_slashes_mended(regex: str) -> str:
    """Correct the slashes of a regex that never matches; return it unchanged if that is impossible or not needed."""
    if not never_matches(regex):
        return regex
    # Make as few changes as possible: an unnecessary one may change the meaning.
    for changes in chain.from_iterable(combinations(_MEANT, size) for size in range(1, len(_MEANT) + 1)):
        mended = regex
        for wrong, right in changes:
            mended = wrong.sub(right, mended)
        if mended and regex_fault(mended) is None and not never_matches(mended):
            return mended
    return regex


def _then(first: _Step, second: _Step) -> _Step:
    reached = []
    for states in first:
        after = 0
        for state, leads in zip(_STATES, second):
            if states & state:
                after |= leads
        reached.append(after)
    return (reached[0], reached[1], reached[2], reached[3])


def _either(first: _Step, second: _Step) -> _Step:
    return (first[0] | second[0], first[1] | second[1], first[2] | second[2], first[3] | second[3])


def _repeat(step: _Step, least: int, most: Optional[int]) -> _Step:
    """Return the step of a part repeated ``least`` to ``most`` times; ``most`` None: without a limit."""
    done = _NO_STEP
    for _ in range(least):
        done = _then(done, step)
    optional = _either(_NO_STEP, step)
    # With four states, more than four repetitions reach no new state.
    for _ in range(len(_STATES) if most is None else min(most - least, len(_STATES))):
        done = _then(done, optional)
    return done


def _times(repeated: "Match[str]") -> Tuple[int, Optional[int]]:
    """Return the least and the greatest number of repetitions (None: no limit)."""
    if repeated.group("sign"):
        return {"?": (0, 1), "*": (0, None), "+": (1, None)}[repeated.group("sign")]
    least = int(repeated.group("least"))
    if not repeated.group("range"):
        return least, least
    most = int(repeated.group("most")) if repeated.group("most") else None
    if most is not None and most < least:
        raise _Unknown
    return least, most


def _branches(regex: str, position: int, depth: int) -> Tuple[List[_Step], int]:
    """Judge the alternatives from a position on; return their steps, and where the group or the regex ends."""
    if depth > _DEEPEST:
        raise _Unknown
    alternatives: List[_Step] = []
    current = _NO_STEP
    while position < len(regex) and regex[position] != ")":
        if regex[position] == "|":
            alternatives.append(current)
            current, position = _NO_STEP, position + 1
            continue
        step, position = _part(regex, position, depth)
        repeated = _REPEATED.match(regex, position)
        if repeated:
            position = repeated.end()
            step = _repeat(step, *_times(repeated))
        elif regex[position:position + 1] in ("?", "*", "+", "{") and position < len(regex):
            raise _Unknown  # it may be a repetition in a form that only some releases of PCRE have
        current = _then(current, step)
    return alternatives + [current], position


def _part(regex: str, position: int, depth: int) -> Tuple[_Step, int]:
    """Judge one character, set or group; return its step, and where it ends."""
    character = regex[position]
    if character == "(":
        start = position + (3 if regex.startswith("(?:", position) else 1)
        if regex[start:start + 1] in ("?", "*") and start < len(regex):
            raise _Unknown
        branches, end = _branches(regex, start, depth + 1)
        if regex[end:end + 1] != ")":
            raise _Unknown
        group = branches[0]
        for other in branches[1:]:
            group = _either(group, other)
        return group, end + 1
    if character == "[":
        match = _SET.match(regex, position)
        if not match:
            raise _Unknown
        return _set(match.group()), match.end()
    if character == "\\":
        return _escape(regex, position)
    if character == ".":
        return _either(_A_SLASH, _ANOTHER), position + 1
    if (character == "^" and position == 0) or (character == "$" and position == len(regex) - 1):
        return _NO_STEP, position + 1
    if character in "^$?*+" or re.match(r"\{[0-9, ]", regex[position:position + 2]):
        raise _Unknown
    return _character(character), position + 1


def _escape(regex: str, position: int) -> Tuple[_Step, int]:
    spelt = re.compile(r"\\(?:x(?P<hex>[0-9A-Fa-f]{2})|(?P<itself>[^A-Za-z0-9])|(?P<kind>[dws])|[DWS])").match(
        regex, position)
    if not spelt:
        raise _Unknown
    if spelt.group("kind"):
        return _ANOTHER, spelt.end()
    if spelt.group("hex") or spelt.group("itself"):
        return _character(spelt.group("itself") or chr(int(spelt.group("hex"), 16))), spelt.end()
    return _either(_A_SLASH, _ANOTHER), spelt.end()


def _character(character: str) -> _Step:
    return _A_SLASH if character == "/" else _ANOTHER


@lru_cache(maxsize=None)
def _set(written: str) -> _Step:
    slash = pcre.matches(written, "/")
    if slash is None:
        return _either(_A_SLASH, _ANOTHER)
    others = (chr(byte) if byte < 0x80 else chr(0xdc00 + byte) for byte in range(1, 256) if chr(byte) != "/")
    another = any(pcre.matches(written, character) for character in others)
    if not slash and not another:
        raise _Unknown
    return _either(_A_SLASH if slash else (0, 0, 0, 0), _ANOTHER if another else (0, 0, 0, 0))
