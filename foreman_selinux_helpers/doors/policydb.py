"""Reads the compiled policy on disk: its types, which of them are aliases, and whether contexts have levels.

The running kernel can resolve an alias, but not for an image below another root or for a policy
that is not loaded yet.  The format consists of little-endian 32-bit words; only the following is
relied on.  Header: the magic number, the length of a string, that string, the version, the flags.
In the symbol table, a type's name follows four words: its length, its value, its properties, its
bounds; all names of one type have the same value (libsepol ``src/write.c``, policydb_write() and
type_write(); since policy version 24).
"""

import mmap
import os
import re
import struct

from ..model.typed import Dict, Iterator, List, Optional, Sequence, Union, Value

_MAGIC = 0xf97cff8c
_MLS = 1  # POLICYDB_CONFIG_MLS
_PRIMARY = 1  # TYPEDATUM_PROPERTY_PRIMARY: not an alias
_ATTRIBUTE = 2  # TYPEDATUM_PROPERTY_ATTRIBUTE: a group of types, not a type of a file
_NAME = rb"[A-Za-z_][A-Za-z0-9_.-]*\Z"
_HEAD = struct.Struct("<4I")
_LONGEST = 256
_MOST_TYPES = 1 << 20


class CompiledPolicy:
    """One policy.  If it cannot be read, every name counts as a type, and contexts have levels."""

    def __init__(self, root: str, policy: str) -> None:
        """``policy`` is the policy type, as in SELINUXTYPE."""
        self._file = newest(root, policy)
        self._names: Dict[str, Sequence[str]] = {}

    @property
    def mls(self) -> bool:
        """Return whether contexts have levels (or categories), as in all distributions."""
        try:
            with open(self._file or os.devnull, "rb") as policy:
                return has_levels(policy.read(256))
        except OSError:
            return True

    def names(self, name: str) -> Sequence[str]:
        """Return all names of the type with this name or alias, its primary name first; empty if there is none."""
        if name not in self._names:
            self._names[name] = self._read_names(name)
        return self._names[name]

    def primary(self, name: str) -> Optional[str]:
        """Return the primary name of the type with this name or alias, or None."""
        return next(iter(self.names(name)), None)

    def same(self, one: str, other: str) -> bool:
        """Return whether two names belong to the same type."""
        return one == other or one in self.names(other)

    def _read_names(self, name: str) -> Sequence[str]:
        if self._file is None:
            return [name]
        try:
            with open(self._file, "rb") as policy, mmap.mmap(policy.fileno(), 0, access=mmap.ACCESS_READ) as content:
                return names_of_type(content, name)
        except (OSError, ValueError):
            return [name]  # this user may not read it, or it is empty


def newest(root: str, policy: str) -> Optional[str]:
    """Return the path of the compiled policy with the highest version, which is the one that is loaded."""
    directory = os.path.join(root, "etc/selinux", policy, "policy")
    try:
        names = os.listdir(directory)
    except OSError:
        return None
    files = [name for name in names if name.startswith("policy.") and name[7:].isdigit()]
    return os.path.join(directory, max(files, key=lambda name: int(name[7:]))) if files else None


def has_levels(head: bytes) -> bool:
    """Return whether contexts have levels, according to the header of a compiled policy."""
    try:
        magic, length = struct.unpack_from("<2I", head)
        flags = struct.unpack_from("<I", head, 8 + length + 4)[0]
    except struct.error:
        return True
    return magic != _MAGIC or bool(flags & _MLS)


def names_of_type(content: Union[bytes, mmap.mmap], name: str) -> List[str]:
    """Return the names of a type in a compiled policy, the primary one first; empty if it is not a type."""
    value = _value(content, name.encode("utf-8", "surrogateescape"))
    if value is None:
        return []
    names: Dict[str, None] = {}
    for properties in (_PRIMARY, 0):
        for offset in _places(content, struct.pack("<2I", value, properties)):
            symbol = _symbol(content, offset - 4)
            if symbol and (symbol.name == name or _has_neighbour(content, symbol)):
                names[symbol.name] = None
        if not names:
            break  # an alias without a type
    return list(names)


class _Symbol(Value):
    start: int
    end: int
    name: str
    value: int
    properties: int


def _value(content: Union[bytes, mmap.mmap], name: bytes) -> Optional[int]:
    """Return the value of a type or an alias, or None."""
    for offset in _places(content, name) if re.match(_NAME, name) else ():
        symbol = _symbol(content, offset - _HEAD.size)
        if symbol and symbol.name == name.decode() and symbol.properties <= _PRIMARY:
            return symbol.value
    return None


def _places(content: Union[bytes, mmap.mmap], piece: bytes) -> Iterator[int]:
    """Yield the offsets at which a piece occurs."""
    offset = content.find(piece)
    while offset >= 0:
        yield offset
        offset = content.find(piece, offset + 1)


def _symbol(content: Union[bytes, mmap.mmap], start: int) -> Optional[_Symbol]:
    """Parse what looks like the symbol of a type or an attribute; None if it is none."""
    if start < 0 or start + _HEAD.size > len(content):
        return None
    length, value, properties, bounds = _HEAD.unpack(content[start:start + _HEAD.size])
    end = start + _HEAD.size + length
    # If there are letters in place of the bounds, this is inside another symbol.
    if length > _LONGEST or properties > _PRIMARY | _ATTRIBUTE or bounds > _MOST_TYPES or end > len(content):
        return None
    name = content[start + _HEAD.size:end]
    return _Symbol(start, end, name.decode(), value, properties) if re.match(_NAME, name) else None


def _has_neighbour(content: Union[bytes, mmap.mmap], symbol: _Symbol) -> bool:
    """Return whether another symbol follows or precedes this one: a single one could be part of a class."""
    if _symbol(content, symbol.end):
        return True
    starts = (symbol.start - _HEAD.size - length for length in range(1, _LONGEST))
    return any(before.end == symbol.start for before in (_symbol(content, start) for start in starts) if before)
