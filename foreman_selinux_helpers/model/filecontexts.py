"""Parse, write and match file-context specifications (file_contexts(5)).  Pure."""

import re
from functools import lru_cache

from .typed import Collection, Dict, Iterable, Iterator, List, Match, Optional, Tuple, Value

NONE_CONTEXT = "<<none>>"

# How file_contexts(5) writes a file type, and how semanage(8) names it in its -f option.
ALL_FILES = "all"
SOCKET = "socket"
FILE_TYPES = {
    "": ALL_FILES,
    "--": "file",
    "-d": "directory",
    "-c": "character device",
    "-b": "block device",
    "-s": SOCKET,
    "-l": "symlink",
    "-p": "pipe",
}
# semanage-fcontext(8), option -f.
LETTERS = {name: {"": "a", "--": "f"}.get(written, written[1:]) for written, name in FILE_TYPES.items()}
_WRITTEN = {name: written for written, name in FILE_TYPES.items()}

# The characters that are special to libselinux (src/label_file.h, spec_hasMetaChars).
_META = r"[.^$?*+|\[({]"
# A regex that is literal from 3.8 on, where only some escapes are literal (regex_has_meta_chars).
_STRICTLY_LITERAL = r"(?:[^.^$?*+|\[({\])}\\]|\\[.^$?*+|\[({\])}\-_,])*\Z"
# The number of leading directories by which 3.8 and later sort regexes (SPEC_NODE_MAX_DEPTH).
_DEPTH = 3
# One character as a hexadecimal or other escape, alone or in a set.
_ESCAPED = r"\[(\\(?:x[0-9a-f]{2}|[.^$?*+|\[({\\)\]}]))\]|(\\(?:x[0-9a-f]{2}|[.^$?*+|\[({\\)\]}]))"
# Constructs in which a "|" cannot be told from an alternative.
_ODD = r"\\[A-Za-z]|\(\?[^:]|\(\*|\[[:.=]"
_SPECIAL = r"([.^$?*+|\[({\\)\]}])"


class Rule(Value):
    """One specification; ``file`` is empty and ``line`` is 0 if it is in no file."""

    regex: str
    file_type: str
    context: str
    file: str = ""
    line: int = 0

    @property
    def key(self) -> "Tuple[str, str]":
        """The key of a rule in the policy store."""
        return (self.regex, self.file_type)

    @property
    def special(self) -> bool:
        """Return whether libselinux sees special characters in the regex: rules without them beat such a rule.

        From 3.8 on a rule may count as one with special characters although this is false; see
        literal_to_libselinux().
        """
        return re.search(_META, re.sub(r"\\.?", "", self.regex)) is not None

    def literal_to_libselinux(self, strict: bool) -> bool:
        """Return whether libselinux treats the regex as a literal path; ``strict``: as 3.8 and later do."""
        return bool(re.match(_STRICTLY_LITERAL, self.regex)) if strict else not self.special

    def covers(self, file_type: str) -> bool:
        """Return whether the rule applies to files of this type."""
        return self.file_type in (ALL_FILES, file_type)

    def matches(self, path: str) -> bool:
        """Return whether the rule matches the canonical path for libselinux; False if that cannot be judged."""
        return self.judge(path) is True

    def judge(self, path: str) -> Optional[bool]:
        """Return whether the rule matches the canonical path for libselinux; None: libselinux must be queried.

        It must be queried if its versions differ.
        """
        reached, reached_in_tree = self.reaches(path), self.reaches(path, True)
        if not reached and not reached_in_tree:
            return False
        from . import pcre

        literal = self.literal_to_libselinux(True)
        same = literal and _unescaped(self.regex) == path
        # "$" also matches before a final newline.
        matched = same if literal and not path.endswith("\n") else pcre.matches(self.regex, path)
        in_list, in_tree = reached and matched, reached_in_tree and (same if literal else matched)
        return in_list if in_list is in_tree else None

    def reaches(self, path: str, tree: bool = False) -> bool:
        """Return whether libselinux tries the regex at all for this canonical path.

        It does not if the texts of the first directories differ.  A directory with a backslash is compared as it is
        written, so that ``/a\\x20b/c`` never matches (``src/label_file.h``, get_stem_from_spec; up to 3.7).  From 3.8
        on (``tree``) up to three directories are compared, as long as they are literal (insert_spec).
        """
        if tree:
            directories = _directories(path)
            if self.literal_to_libselinux(True):
                return _literal_directories(_unescaped(self.regex)) == directories
            return directories[:len(self.directories)] == self.directories
        directory = _first_directory(self.regex)
        return not directory or directory == _first_directory(path) or re.search(_META, directory) is not None

    @property
    def directories(self) -> Tuple[str, ...]:
        """The literal leading directories of the regex, under which libselinux stores it from 3.8 on."""
        return _directories_of_regex(self.regex)

    def compiles(self) -> bool:
        """Return whether the regex is certainly valid."""
        from . import pcre

        return pcre.compiles(self.regex)

    def __str__(self) -> str:
        written = _WRITTEN[self.file_type]
        return "  ".join(part for part in (self.regex, written, self.context) if part)


def escape(path: str) -> str:
    """Return the regex that matches exactly this path.

    White space would end the regex, libselinux refuses a file that is not ASCII, and quotes cannot be quoted for
    ``semanage import``: such bytes are written as hexadecimal escapes.  With a backslash in the first of several
    directories the rule would never match (see Rule.reaches); a set around the escape prevents that.
    """
    spelt = _bytes(re.sub(_SPECIAL, r"\\\1", path))
    escaped = "".join("\\x%02x" % byte if byte in b" \"'" or not 0x20 < byte < 0x7f else chr(byte) for byte in spelt)
    directory = _first_directory(escaped)
    if "\\" in directory and not re.search(_META, directory):
        escaped = re.sub(r"\\(?:x[0-9a-f]{2}|.)", r"[\g<0>]", escaped, count=1)
    return escaped


def parse(text: str, file: str, types: Optional[Collection[str]] = None) -> Iterator[Rule]:
    """Parse a file_contexts file; skip the lines that are not specifications.

    With ``types``, yield only the rules that give one of these types: a policy has thousands of others.
    """
    names = [_bytes(name) for name in types or ()]
    # Bytes are split at the white space of the C locale, as libselinux does.
    for number, line in enumerate(_bytes(text).split(b"\n"), 1):
        if types is not None and not any(name in line for name in names):
            continue
        # libselinux reads only three words, and nothing after a NUL.
        written = line.split(b"\0")[0].split()[:3]
        if not written or written[0].startswith(b"#"):
            continue
        if types is not None and type_of(written[-1].decode("utf-8", "surrogateescape")) not in types:
            continue
        words = [word.decode("utf-8", "surrogateescape") for word in written]
        if len(words) == 2:
            yield Rule(words[0], ALL_FILES, words[1], file, number)
        elif len(words) == 3 and words[1] in FILE_TYPES:
            yield Rule(words[0], FILE_TYPES[words[1]], words[2], file, number)


def matching(rules: Iterable[Rule], path: str) -> List[Rule]:
    """Return the rules whose regex matches the path, in file order, whatever their file type."""
    return [rule for rule in candidates(rules, path) if rule.matches(path)]


def candidates(rules: Iterable[Rule], path: str) -> List[Rule]:
    """Return the rules that may match the path: those whose literal stem the path begins with.

    A policy has thousands of rules, and compiling a regex or even finding its stem is slow.  Many begin alike, so the
    beginnings are compared first, each once.
    """
    near = []
    beginnings: Dict[str, bool] = {}
    for rule in rules:
        regex = rule.regex
        if "|" not in regex:
            # Without the last character, which may be optional.
            beginning = regex[:8]
            possible = beginnings.get(beginning)
            if possible is None:
                possible = beginnings[beginning] = path.startswith(stem(beginning)[:-1])
            if not possible:
                continue
        if path.startswith(stem(regex)):
            near.append(rule)
    return near


def may_overlap(rule: Rule, other: Rule) -> bool:
    """Return whether two rules may match the same path; exact if one of the regexes is literal."""
    for first, second in ((rule, other), (other, rule)):
        path = literal(first.regex)
        if path is not None:
            return any(match.judge(path) is not False for match in candidates([second], path))
    stems = stem(rule.regex), stem(other.regex)
    return stems[0].startswith(stems[1]) or stems[1].startswith(stems[0])


def literal(regex: str) -> Optional[str]:
    """Return the one path that a regex without special characters matches, or None."""
    if re.search(_SPECIAL, re.sub(_ESCAPED, "\0", regex)):
        return None

    def meant(match: "Match[str]") -> str:
        escaped = (match.group(1) or match.group(2))[1:]
        return chr(int(escaped[1:], 16)) if len(escaped) > 1 else escaped

    # Byte by byte: an escape may be a part of a character.
    path = re.sub(_ESCAPED, meant, _bytes(regex).decode("latin-1")).encode("latin-1")
    return path.decode("utf-8", "surrogateescape")


def _first_directory(path: str) -> str:
    """Return a path up to its second slash; empty if there is none."""
    return path[:max(0, path.find("/", 1))]


@lru_cache(maxsize=None)
def _directories_of_regex(regex: str) -> Tuple[str, ...]:
    directories: List[str] = []
    start = 0
    while len(directories) < _DEPTH:
        end = regex.find("/", start + 1)
        part = regex[start + 1:end]
        if end < 0 or not re.match(_STRICTLY_LITERAL, part):
            break
        if part:
            directories.append(_unescaped(part))
        start = end
    return tuple(directories)


def _directories(path: str) -> Tuple[str, ...]:
    """Return the first directories of a path that is looked up (lookup_find_deepest_node)."""
    directories: List[str] = []
    start = 0
    while len(directories) < _DEPTH and path.startswith("/", start):
        end = path.find("/", start + 1)
        if end <= start + 1:
            break  # no directory left, or two slashes
        directories.append(path[start + 1:end])
        start = end
    return tuple(directories)


def _literal_directories(path: str) -> Tuple[str, ...]:
    """Return the first directories of a literal rule (insert_spec), which treats two slashes as one."""
    return _directories(re.sub("/{2,}", "/", path)) if path.startswith("/") else ()


def _unescaped(literal_regex: str) -> str:
    return re.sub(r"\\(.)", r"\1", literal_regex)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


@lru_cache(maxsize=None)
def stem(regex: str) -> str:
    """Return the literal prefix of every path that the regex matches."""
    if "|" in regex and (re.search(_ODD, regex) or alternates(regex)):
        return ""
    prefix = re.match(r"(?:[^.^$?*+|\[({\\)\]}]|\\[^A-Za-z0-9])*", regex).group()  # type: ignore[union-attr]
    following = regex[len(prefix):len(prefix) + 1]
    if following in ("?", "*", "{") and prefix:
        # The last character is optional.
        prefix = prefix[:-2] if prefix[-2:-1] == "\\" else prefix[:-1]
    return re.sub(r"\\(.)", r"\1", prefix)


def alternates(regex: str) -> bool:
    """Return whether a regex has, or may have, alternatives outside of all groups."""
    depth = 0
    for character in re.sub(r"\\.|\[\^?\]?[^\]]*\]", "", regex):
        depth += (character == "(") - (character == ")")
        if character == "|" and depth <= 0:
            return True
    return depth != 0


def type_of(context: str) -> str:
    """Return the type of a security context, or an empty string."""
    parts = context.split(":")
    return parts[2] if len(parts) >= 3 else ""


def context_for(type_name: str, mls: bool) -> str:
    """Return the context of a file-context rule for this type, as in policies."""
    return "system_u:object_r:%s%s" % (type_name, ":s0" if mls else "")
