"""What the compiled policy on disk knows: its types, which of them are aliases, and whether it has levels.

The running kernel could resolve an alias, but knows neither an image below another root nor a
policy that is still to be loaded.  Of the format, little-endian 32-bit words, only this is relied
on.  Head: the magic number, the length of a string, that string, the version, the flags.  In the
symbol table a type's name follows four words: its length, its value, its properties, its bounds;
all names of one type have one value (libsepol ``src/write.c``, policydb_write() and type_write();
since policy version 24).
"""

import mmap
import os
import re
import struct
from typing import Dict, Iterator, Optional, Tuple, Union

_MAGIC = 0xf97cff8c
_MLS = 1  # POLICYDB_CONFIG_MLS
_PRIMARY = 1  # TYPEDATUM_PROPERTY_PRIMARY: not an alias
_ATTRIBUTE = 2  # TYPEDATUM_PROPERTY_ATTRIBUTE: a group of types, not one that a file can have
_NAME = re.compile(rb"[A-Za-z_][A-Za-z0-9_.]*\Z")
_HEAD = struct.Struct("<4I")


class CompiledPolicy:
    """One policy; where it cannot be read every name counts as a type, and it has levels."""

    def __init__(self, root: str, policy: str) -> None:
        """``policy`` is the policy type, as in SELINUXTYPE."""
        self._file = newest(root, policy)
        self._primary: Dict[str, Optional[str]] = {}

    @property
    def mls(self) -> bool:
        """Tell whether contexts have levels (or categories), as those of all distributions have."""
        try:
            with open(self._file or os.devnull, "rb") as policy:
                return has_levels(policy.read(256))
        except OSError:
            return True

    def primary(self, name: str) -> Optional[str]:
        """Return the name of the type that this is a name of (itself, but for an alias), or None."""
        if name not in self._primary:
            self._primary[name] = self._look(name)
        return self._primary[name]

    def same(self, one: str, other: str) -> bool:
        """Tell whether two names are of one type."""
        return one == other or (self.primary(one) or one) == (self.primary(other) or other)

    def _look(self, name: str) -> Optional[str]:
        if self._file is None:
            return name
        try:
            with open(self._file, "rb") as policy, mmap.mmap(policy.fileno(), 0, access=mmap.ACCESS_READ) as content:
                return primary_name(content, name)
        except (OSError, ValueError):
            return name  # may not be read by this user, or is empty


def newest(root: str, policy: str) -> Optional[str]:
    """Return the path of the compiled policy with the highest version, which is what gets loaded."""
    directory = os.path.join(root, "etc/selinux", policy, "policy")
    try:
        names = os.listdir(directory)
    except OSError:
        return None
    files = [name for name in names if name.startswith("policy.") and name[7:].isdigit()]
    return os.path.join(directory, max(files, key=lambda name: int(name[7:]))) if files else None


def has_levels(head: bytes) -> bool:
    """Read from the head of a compiled policy whether its contexts have levels."""
    try:
        magic, length = struct.unpack_from("<2I", head)
        flags = struct.unpack_from("<I", head, 8 + length + 4)[0]
    except struct.error:
        return True
    return magic != _MAGIC or bool(flags & _MLS)


def primary_name(content: Union[bytes, mmap.mmap], name: str) -> Optional[str]:
    """Return the primary name of a type in a compiled policy; None for an attribute or no type."""
    if not _NAME.match(name.encode("utf-8", "surrogateescape")):
        return None
    for value, properties in _entries(content, name.encode()):
        if properties & _ATTRIBUTE:
            continue
        if properties & _PRIMARY:
            return name
        for found in re.finditer(re.escape(struct.pack("<2I", value, _PRIMARY)), content):
            start = found.start() - 4
            if start >= 0:
                length = _HEAD.unpack(content[start:start + _HEAD.size].ljust(_HEAD.size, b"\0"))[0]
                primary = content[start + _HEAD.size:start + _HEAD.size + min(length, 256)]
                if len(primary) == length and _NAME.match(primary):
                    return primary.decode()
    return None


def _entries(content: Union[bytes, mmap.mmap], name: bytes) -> Iterator[Tuple[int, int]]:
    """Find what looks like the symbol of a type: give its value and its properties."""
    at = content.find(name)
    while at >= 0:
        if at >= _HEAD.size:
            length, value, properties, _ = _HEAD.unpack(content[at - _HEAD.size:at])
            if length == len(name) and properties <= _PRIMARY | _ATTRIBUTE:
                yield value, properties
        at = content.find(name, at + 1)
