"""Judge the regexes of file contexts, which are PCRE's, with Python's ``re``.  Pure.

Only what both read alike is judged: characters, sets, groups, alternatives, quantifiers and anchors, which is all
that policies use.  Anything else (look-around, back references, possessive quantifiers, ``\\Q``, ``\\h``, ...) is
left to libselinux.
"""

import re
from functools import lru_cache

from .typed import List, Match, Optional, Pattern

# Escapes that mean the same to both, inside and outside of a set.
_ESCAPE = r"\\(?:[^A-Za-z0-9]|[dDsSwWafnrt]|x[0-9A-Fa-f]{2})"
# A whole set.  A hyphen beside a class such as [:digit:] is a range to only one of the two.
_SET = r"\[(?![:.=])\^?\]?(?:[^\]\\\[]|%s|\[(?![:.=])|(?<!-)\[:\^?[a-z]+:\](?!-(?!\])))*\]" % _ESCAPE
_TOKEN = re.compile(r"(?:(?P<set>%s)|[^\\\[({?*+]|%s|\((?:\?:)?(?![?*]))"
                    r"(?:(?P<repeated>[?*+]|\{[0-9]+(?:,[0-9]*)?\})\??(?![?*+{]))?" % (_SET, _ESCAPE), re.DOTALL)
_SET_PART = re.compile(r"\\.|\[:(?P<negated>\^?)(?P<name>[a-z]+):\]|(?P<special>[\[&~|])", re.DOTALL)
_CLASSES = {
    "alnum": "0-9A-Za-z", "alpha": "A-Za-z", "ascii": r"\x00-\x7f", "blank": r" \t", "cntrl": r"\x00-\x1f\x7f",
    "digit": r"\d", "graph": r"\x21-\x7e", "lower": "a-z", "print": r"\x20-\x7e",
    "punct": r"\x21-\x2f\x3a-\x40\x5b-\x60\x7b-\x7e", "space": r"\s", "upper": "A-Z", "word": r"\w",
    "xdigit": "0-9A-Fa-f",
}
# PCRE compiles to 64 KiB at most, and libselinux takes 4,096 characters.  Within this limit both agree.
_SIZE = 4096
_DEPTH = 100


def matches(regex: str, path: str) -> Optional[bool]:
    """Return whether the regex matches the path for libselinux; None: that cannot be judged here.

    libselinux puts the regex between ``^`` and ``$`` without a group, and then searches, so that each of two
    alternatives is anchored on one side only.  ``$`` also matches before a final newline
    (``src/label_file.h``, compile_regex).
    """
    pattern = _compiled(regex)
    return None if pattern is None else pattern.search(path.encode("utf-8", "surrogateescape")) is not None


def compiles(regex: str) -> bool:
    """Return whether the regex is certainly valid: both read it alike, and Python compiles it."""
    return _compiled(regex) is not None


@lru_cache(maxsize=None)
def _compiled(regex: str) -> Optional[Pattern[bytes]]:
    translated = _translated(regex)
    if translated is None:
        return None
    try:
        return re.compile(translated.encode("ascii"), re.DOTALL)
    except (re.error, RecursionError, OverflowError):
        return None  # it may be invalid for PCRE as well


def _translated(regex: str) -> Optional[str]:
    """Return an anchored regex in Python's syntax, or None."""
    if any(not 0x20 < ord(character) < 0x7f for character in regex) or regex.count("(") > _DEPTH:
        return None
    anchored = "^%s$" % regex
    parts: List[str] = []
    position, size = 0, len(anchored)
    while position < len(anchored):
        token = _TOKEN.match(anchored, position)
        if token is None:
            return None
        for number in re.findall("[0-9]+", token.group("repeated") or ""):
            size *= max(1, int(number))
        part = token.group()
        if token.group("set"):
            translated = _set(token.group("set"))
            if translated is None:
                return None
            part = translated + part[len(token.group("set")):]
        parts.append(part)
        position = token.end()
    return "".join(parts) if size <= _SIZE else None


def _set(written: str) -> Optional[str]:
    """Return a set in Python's syntax, or None."""
    if "--" in written:
        return None

    def part(match: "Match[str]") -> str:
        if match.group("special"):
            return "\\" + match.group()
        name = match.group("name")
        if name is None:
            return match.group()
        translated = _CLASSES.get(name, "")
        if match.group("negated"):
            translated = translated.upper() if name in ("digit", "space", "word") else ""
        return translated or "\0"

    translated = "[" + _SET_PART.sub(part, written[1:])
    return None if "\0" in translated else translated
