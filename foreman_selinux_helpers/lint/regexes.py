"""Analyse the regexes of an ``.fc`` file: unescaped dots, directories, matching paths, rank.  Pure."""

import re
import warnings
from functools import lru_cache

from ..model.filecontexts import ALL_FILES, Rule, alternates
from ..model.typed import List, Optional, Sequence, Tuple

# A dot between literal characters, or at the beginning of a hidden file's name.
_BARE_DOT = re.compile(r"(?<=[A-Za-z0-9_/)\]}*+?-])(?<!/\*)\.(?=[A-Za-z0-9_])")
# Sets and escapes, in which a dot is a dot.
_SET_OR_ESCAPE = re.compile(r"\\.|\[\^?\]?[^\]]*\]", re.DOTALL)
# Authors write a dot in a word that is also a macro of m4 (/usr/inclu.e).
_M4_WORDS = ("decr", "define", "eval", "format", "include", "incr", "index", "len", "shift", "sinclude", "substr",
             "translit", "unix")
# Literal leading directories; (/.*)? and the like may follow.
_LEADING = re.compile(r"(?:/(?:[^\\/.^$?*+|\[({)\]}]|\\[^A-Za-z0-9])+)+(?=/|\Z|\(/[^|()]*\))")
# Regexes that are known to be valid without compiling them.
_PLAIN_REGEX = re.compile(r"(?:(?:[^\\.^$?*+|\[({)\]}]|\\[^A-Za-z0-9]|\.)[*+?]?|\(/\.\*\)\?)*\Z", re.ASCII)
# Constructs that PCRE reads differently from Python, or that Python does not have.
_PCRE_ALONE = re.compile(r"\\[A-Za-z0-9]|\(\?|\(\*|[?*+}][+{]|[\^$|(][*+?{]|\[\^?\[|\{,|\[[:.=]")
_MOST_PATHS = 64


def regex_fault(regex: str) -> Optional[str]:
    """Return why a regex is certainly invalid, or None."""
    if not regex.isprintable() or any(ord(character) > 0x7e for character in regex):
        return "%s: libselinux refuses a file of rules that is not ASCII" % ascii(regex)
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
        return []  # what follows is literal
    hidden = _SET_OR_ESCAPE.sub(lambda match: "x" * len(match.group()), regex)
    dots = []
    for dot in _BARE_DOT.finditer(hidden):
        component = hidden.rfind("/", max(0, dot.start() - 10), dot.start()) + 1
        word = re.match(r"[A-Za-z.]*", hidden[component:component + 11])
        if not component or not word or not any(re.match(word.group() + r"\Z", name) for name in _M4_WORDS):
            dots.append(dot.start())
    return dots


def with_dots_escaped(regex: str) -> str:
    """Escape the dots of a regex that are meant as literal dots."""
    edges = [0] + _bare_dots(regex) + [len(regex)]
    return "\\".join(regex[begin:end] for begin, end in zip(edges, edges[1:]))


def words_with_bare_dots(regex: str) -> List[str]:
    """Return the words that contain unescaped dots, three at most."""
    dots = set(_bare_dots(regex))
    words = re.finditer(r"(?:\\\.|[A-Za-z0-9_.-])+", regex)
    return list(dict.fromkeys(word.group()[:60] for word in words if dots.intersection(range(*word.span()))))[:3]


def directory_of(regex: str) -> str:
    """Return the literal directories that a regex begins with."""
    leading = None if "|" in regex and alternates(regex) else _LEADING.match(regex)
    return leading.group() if leading else ""


@lru_cache(maxsize=None)
def spelt_out(regex: str) -> Optional[Sequence[str]]:
    """Return all paths that a regex matches, or None if there are too many."""
    try:
        paths, end = _alternatives(regex, 0, 0)
    except _Endless:
        return None
    return paths if end == len(regex) else None


class _Endless(Exception):
    pass


_LITERAL_RUN = re.compile(r"(?:[^\\.^$?*+|\[({)\]}]|\\[^A-Za-z0-9])+")


def _alternatives(regex: str, position: int, depth: int) -> Tuple[List[str], int]:
    texts: List[str] = []
    current = [""]
    while position < len(regex) and regex[position] != ")":
        run = _LITERAL_RUN.match(regex, position)
        if run:
            text, position = run.group(), run.end()
            last = None
            if regex[position:position + 1] in ("?", "*", "+", "{") and regex[position:]:
                size = 2 if text[-2:-1] == "\\" else 1
                text, last = text[:-size], text[-1]
            current = [beginning + re.sub(r"\\(.)", r"\1", text) for beginning in current]
            if last is None:
                continue
            part = [last]
        elif regex[position] == "|" and depth:
            texts, current, position = texts + current, [""], position + 1
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
        current = [beginning + end for beginning in current for end in part]
        if len(current) + len(texts) > _MOST_PATHS:
            raise _Endless
    return texts + current, position


def rank(rule: Rule) -> Tuple[bool, int, int, bool, str]:
    """Return the key by which the policy compiler sorts rules; the last one that matches wins."""
    units = re.findall(r"\\.|[^\\]|\\\Z", rule.regex, re.DOTALL)
    special = [number for number, unit in enumerate(units) if unit in ".^$?*+|[({"]
    return (not special, special[0] if special else len(units), len(units), rule.file_type != ALL_FILES, rule.regex)
