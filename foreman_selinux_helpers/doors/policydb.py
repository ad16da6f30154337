"""Reads the compiled policy on disk: its types, which of them are aliases, and whether contexts have levels.

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

from ..model.typed import Dict, Iterator, List, Optional, Sequence, Union, Value

_MAGIC = 0xf97cff8c
_MLS = 1  # POLICYDB_CONFIG_MLS
_PRIMARY = 1  # TYPEDATUM_PROPERTY_PRIMARY: not an alias
_ATTRIBUTE = 2  # TYPEDATUM_PROPERTY_ATTRIBUTE: a group of types, not one that a file can have
_NAME = rb"[A-Za-z_][A-Za-z0-9_.-]*\Z"
_HEAD = struct.Struct("<4I")
_LONGEST = 256
_MOST_TYPES = 1 << 20


class CompiledPolicy:
    """One policy; if it cannot be read, every name counts as a type, and contexts have levels."""

    def __init__(self, root: str, policy: str) -> None:
        """``policy`` is the policy type, as in SELINUXTYPE."""
        self._file = newest(root, policy)
        self._names: Dict[str, Sequence[str]] = {}

    @property
    def mls(self) -> bool:
        """Tell whether contexts have levels (or categories), as those of all distributions have."""
        try:
            with open(self._file or os.devnull, "rb") as policy:
                return has_levels(policy.read(256))
        except OSError:
            return True

    def names(self, name: str) -> Sequence[str]:
        """Return all names of the type that this is a name of: its own, then its aliases; empty for no type."""
        if name not in self._names:
            self._names[name] = self._look(name)
        return self._names[name]

    def primary(self, name: str) -> Optional[str]:
        """Return the name of the type that this is a name of (itself, but for an alias), or None."""
        return next(iter(self.names(name)), None)

    def same(self, one: str, other: str) -> bool:
        """Tell whether two names are of one type."""
        return one == other or one in self.names(other)

    def _look(self, name: str) -> Sequence[str]:
        if self._file is None:
            return [name]
        try:
            with open(self._file, "rb") as policy, mmap.mmap(policy.fileno(), 0, access=mmap.ACCESS_READ) as content:
                return names_of_type(content, name)
        except (OSError, ValueError):
            return [name]  # may not be read by this user, or is empty


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


def names_of_type(content: Union[bytes, mmap.mmap], name: str) -> List[str]:
    """Return the names of a type in a compiled policy, its own first; empty for an attribute or no type."""
    value = _value(content, name.encode("utf-8", "surrogateescape"))
    if value is None:
        return []
    names: Dict[str, None] = {}
    for properties in (_PRIMARY, 0):
        for at in _places(content, struct.pack("<2I", value, properties)):
            symbol = _symbol(content, at - 4)
            if symbol and (symbol.name == name or _has_neighbour(content, symbol)):
                names[symbol.name] = None
        if not names:
            break  # an alias of nothing
    return list(names)


class _Symbol(Value):
    start: int
    end: int
    name: str
    value: int
    properties: int


def _value(content: Union[bytes, mmap.mmap], name: bytes) -> Optional[int]:
    """Return the value of a type or an alias, or None."""
    for at in _places(content, name) if re.match(_NAME, name) else ():
        symbol = _symbol(content, at - _HEAD.size)
        if symbol and symbol.name == name.decode() and symbol.properties <= _PRIMARY:
            return symbol.value
    return None


def _places(content: Union[bytes, mmap.mmap], piece: bytes) -> Iterator[int]:
    """Yield where a piece occurs."""
    at = content.find(piece)
    while at >= 0:
        yield at
        at = content.find(piece, at + 1)


def _symbol(content: Union[bytes, mmap.mmap], start: int) -> Optional[_Symbol]:
    """Read what looks like the symbol of a type or an attribute, or return None."""
    if start < 0 or start + _HEAD.size > len(content):
        return None
    length, value, properties, bounds = _HEAD.unpack(content[start:start + _HEAD.size])
    end = start + _HEAD.size + length
    # Letters in the place of the bounds: this is inside of another symbol.
    if length > _LONGEST or properties > _PRIMARY | _ATTRIBUTE or bounds > _MOST_TYPES or end > len(content):
        return None
    name = content[start + _HEAD.size:end]
    return _Symbol(start, end, name.decode(), value, properties) if re.match(_NAME, name) else None


def _has_neighbour(content: Union[bytes, mmap.mmap], symbol: _Symbol) -> bool:
    """Tell whether another symbol follows or precedes this one: by itself it could be part of a class."""
    if _symbol(content, symbol.end):
        return True
    starts = (symbol.start - _HEAD.size - length for length in range(1, _LONGEST))
    return any(before.end == symbol.start for before in (_symbol(content, start) for start in starts) if before)
