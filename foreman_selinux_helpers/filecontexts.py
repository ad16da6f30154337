"""File-context specifications (file_contexts(5)): reading them, writing them, matching them."""

import re
from functools import lru_cache
from typing import Callable, Iterable, Iterator, List, NamedTuple, Optional, Tuple

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
_WRITTEN = {name: written for written, name in FILE_TYPES.items()}

_SPECIAL = re.compile(r"([.^$?*+|\[({\\)\]}])")


class Rule(NamedTuple):
    """One specification; ``file`` and ``line`` are empty and 0 for one that is only wanted."""

    regex: str
    file_type: str
    context: str
    file: str = ""
    line: int = 0

    @property
    def key(self) -> "Tuple[str, str]":
        """What identifies a rule in the policy store."""
        return (self.regex, self.file_type)

    def covers(self, file_type: str) -> bool:
        """Tell whether the rule speaks of files of this type."""
        return self.file_type in (ALL_FILES, file_type)

    def matches(self, path: str) -> bool:
        """Tell whether the regex matches the whole path; a broken regex matches nothing."""
        try:
            # As bytes, which is how libselinux compares them.
            return re.match(b"(?:%s)\\Z" % _bytes(self.regex), _bytes(path)) is not None
        except (re.error, RecursionError, OverflowError):
            return False

    def __str__(self) -> str:
        written = _WRITTEN[self.file_type]
        return "  ".join(part for part in (self.regex, written, self.context) if part)


def escape(path: str) -> str:
    """Return the regex that matches exactly this path.

    White space would end it, libselinux refuses a file with anything but ASCII, and quotes
    cannot be quoted for ``semanage import``: all these are spelt out, byte by byte.
    """
    escaped = _bytes(_SPECIAL.sub(r"\\\1", path))
    return "".join("\\x%02x" % byte if byte in b" \"'" or not 0x20 < byte < 0x7f else chr(byte) for byte in escaped)


def parse(text: str, file: str, wanted: Optional[Callable[[str], bool]] = None) -> Iterator[Rule]:
    """Read a file_contexts file; lines that are no specification are passed over.

    With ``wanted``, only the rules that give a wanted type: a policy has thousands of others.
    """
    # Bytes are split at the white space of the C locale, as libselinux does.
    for number, line in enumerate(_bytes(text).split(b"\n"), 1):
        written = line.split()
        if not written or written[0].startswith(b"#"):
            continue
        if wanted and not wanted(type_of(written[-1].decode("utf-8", "surrogateescape"))):
            continue
        words = [word.decode("utf-8", "surrogateescape") for word in written]
        if len(words) == 2:
            yield Rule(words[0], ALL_FILES, words[1], file, number)
        elif len(words) == 3 and words[1] in FILE_TYPES:
            yield Rule(words[0], FILE_TYPES[words[1]], words[2], file, number)


def matching(rules: Iterable[Rule], path: str) -> List[Rule]:
    """Return the rules whose regex matches the path, in file order, whatever their file type.

    A regex whose literal stem differs is dismissed without being compiled: a policy has
    thousands of them.
    """
    return [rule for rule in rules if path.startswith(_stem(rule.regex)) and rule.matches(path)]


def may_overlap(one: Rule, other: Rule) -> bool:
    """Tell whether two rules may match one path; certain for a regex that matches only one."""
    for this, that in ((one, other), (other, one)):
        path = literal(this.regex)
        if path is not None:
            return bool(matching([that], path))
    stems = _stem(one.regex), _stem(other.regex)
    return stems[0].startswith(stems[1]) or stems[1].startswith(stems[0])


def literal(regex: str) -> Optional[str]:
    """Return the one path that a regex without special characters matches, or None."""
    plain = re.sub(r"\\(?:x[0-9a-f]{2}|[.^$?*+|\[({\\)\]}])", "\0", regex)
    if _SPECIAL.search(plain):
        return None
    path = re.sub(br"\\(?:x([0-9a-f]{2})|(.))",
                  lambda found: bytes([int(found.group(1), 16)]) if found.group(1) else found.group(2), _bytes(regex))
    return path.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


@lru_cache(maxsize=None)
def _stem(regex: str) -> str:
    """Return a literal prefix that every match of the regex must have."""
    if "|" in regex and _alternates(regex):
        return ""
    prefix = re.match(r"(?:[^.^$?*+|\[({\\)\]}]|\\[^A-Za-z0-9])*", regex).group()  # type: ignore[union-attr]
    following = regex[len(prefix):len(prefix) + 1]
    if following in ("?", "*", "{") and prefix:
        # The last character is optional.
        prefix = prefix[:-2] if prefix[-2:-1] == "\\" else prefix[:-1]
    return re.sub(r"\\(.)", r"\1", prefix)


def _alternates(regex: str) -> bool:
    """Tell whether a regex has alternatives outside of all groups."""
    bare = re.sub(r"\\.|\[\^?\]?[^\]]*\]", "", regex)
    while True:
        shorter = re.sub(r"\([^()]*\)", "", bare)
        if shorter == bare:
            return "|" in bare
        bare = shorter


def type_of(context: str) -> str:
    """Return the type of a security context, or an empty string."""
    parts = context.split(":")
    return parts[2] if len(parts) >= 3 else ""


def context_for(type_name: str, mls: bool) -> str:
    """Return the context of a file-context rule for this type, as policies write it."""
    return "system_u:object_r:%s%s" % (type_name, ":s0" if mls else "")
