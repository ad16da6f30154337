"""Which types a policy module declares: read from the policy store, or from the module's file.

Parsing CIL is pure.  Only declarations count: a module names many types that others declare.
Time and memory are limited, whatever a module contains.
"""

import os
import re

from ..model.errors import CommandFailed, HelperError
from ..model.typed import FrozenSet, List, Optional, Sequence, Set, Value
from . import trust
from .run import Runner, failure

# The largest module of a distribution's policy has 3 MiB of CIL.
LARGEST = 32 << 20
_DEEPEST = 4096  # the limit of libsepol's own parser (cil_parser.c)
_PP_SECONDS = 20.0
# The paths of libsemanage's translator of .pp files, which depend on distribution and version.
_TRANSLATORS = ("/usr/libexec/selinux/hll/pp", "/usr/lib/selinux/hll/pp")
_PP_MAGIC = b"\x8f\xff\x7c\xf9"
_BZIP2_MAGIC = b"BZh"
_FILE = re.compile(r"(?:.*/)?([A-Za-z0-9][A-Za-z0-9._-]*?)\.(?:pp|cil)(?:\.bz2)?\Z")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")
_WORD = re.compile(r';[^\n]*|"[^"]*"|[()]|[^\s()";]+')


class ModuleError(HelperError):
    """A policy module cannot be read, so what it declares is unknown."""


class Declared(Value):
    """What a module declares: types and aliases, and the blocks that are namespaces of types."""

    types: FrozenSet[str] = frozenset()
    blocks: FrozenSet[str] = frozenset()

    def has(self, name: str) -> bool:
        """Return whether removing this module removes a type.

        Everything in a block counts: the types that it inherits are declared elsewhere.
        """
        return name in self.types or any(name.startswith(block + ".") for block in self.blocks)

    def joined(self, other: "Declared") -> "Declared":
        """Return what either of the two declares."""
        return Declared(self.types | other.types, self.blocks | other.blocks)


def name_of(path: str) -> Optional[str]:
    """Return the name that libsemanage gives to the module in a file, or None for another kind of file."""
    match = _FILE.match(path)
    return match.group(1) if match else None


def is_name(text: str) -> bool:
    """Return whether a text is a valid name of a module."""
    return _NAME.match(text) is not None


def declared(cil: str) -> Declared:
    """Parse what a module in CIL declares.  Raises ModuleError if it is not CIL."""
    types: Set[str] = set()
    blocks: Set[str] = set()
    # The first words of each open form, and the namespace of the form.
    heads: List[List[str]] = [[]]
    spaces = [""]
    for match in _WORD.finditer(cil):
        word = match.group()
        if word == "(":
            if len(heads) > _DEEPEST:
                raise ModuleError("it is nested too deep for CIL")
            spaces.append(_namespace(spaces[-1], heads[-1]))
            heads.append([])
        elif word == ")":
            if len(heads) == 1:
                raise ModuleError("it is not CIL: a parenthesis is closed that was not opened")
            head = heads.pop()
            space = spaces.pop()
            if head[:1] in (["type"], ["typealias"]) and len(head) == 2:
                types.add(space + head[1])
            elif head[:1] == ["block"] and len(head) > 1:
                blocks.add(space + head[1])
        elif word[0] not in ';"' and len(heads[-1]) < 3:
            heads[-1].append(word)
    if len(heads) > 1:
        raise ModuleError("it is not CIL: a parenthesis is not closed")
    return Declared(frozenset(types), frozenset(blocks))


def _namespace(space: str, head: Sequence[str]) -> str:
    """Return the namespace inside a form: that of a block, of ``(in block …)``, or the one around it."""
    if len(head) > 1 and head[0] == "block":
        return space + head[1] + "."
    if len(head) > 1 and head[0] == "in":
        return head[-1].lstrip(".") + "."  # the last word: "before" or "after" may precede it
    return space


def unpacked(content: bytes) -> bytes:
    """Return the content of a module, decompressed if necessary, and never more than LARGEST bytes."""
    if not content.startswith(_BZIP2_MAGIC):
        plain = content
    else:
        import bz2

        unpacker = bz2.BZ2Decompressor()
        try:
            plain = unpacker.decompress(content, LARGEST + 1)
        except (OSError, ValueError) as error:
            raise ModuleError("it cannot be decompressed") from error
        if len(plain) <= LARGEST and not unpacker.eof:
            raise ModuleError("it is cut short")
    if len(plain) > LARGEST:
        raise ModuleError("it is larger than %d MiB" % (LARGEST >> 20))
    return plain


def read(path: str, runner: Runner) -> Declared:
    """Return what the module in a file declares (.cil or .pp, .bz2 or not).  Raises ModuleError."""
    try:
        with os.fdopen(trust.open_regular(path), "rb") as stream:
            content = unpacked(stream.read(LARGEST + 1))
        if content.startswith(_PP_MAGIC):
            content = _translated(content, runner)
        return declared(content.decode("utf-8", "surrogateescape"))
    except OSError as error:
        raise ModuleError("%s: cannot be read: %s" % (path, error.strerror)) from error
    except (ModuleError, CommandFailed) as error:
        raise ModuleError("%s: %s" % (path, error)) from error


def _translated(package: bytes, runner: Runner) -> bytes:
    """Translate a .pp file to CIL with libsemanage's own translator."""
    translator = next((path for path in _TRANSLATORS if os.path.exists(path)), None)
    if translator is None:
        raise ModuleError("there is no %s to read it with" % _TRANSLATORS[0])
    done = runner.run([translator], stdin=package.decode("utf-8", "surrogateescape"), limit=_PP_SECONDS)
    if done.status != 0:
        raise ModuleError("%s: %s" % (translator, failure(done)))
    return done.out.encode("utf-8", "surrogateescape")


def in_store(store: str, name: str) -> List[str]:
    """Return the files of a module in a policy store, one for each priority at which it is installed."""
    modules = os.path.join(store, "active/modules")
    try:
        priorities = [entry for entry in os.listdir(modules) if entry.isdigit()]
    except OSError:
        return []
    sources = []
    for priority in sorted(priorities, key=int):
        # The compiled file, or the installed file if it is not compiled yet.
        files = [os.path.join(modules, priority, name, file) for file in ("cil", "hll")]
        sources += [file for file in files if os.path.lexists(file)][:1]
    return sources


def from_store(store: str, name: str, runner: Runner) -> Optional[Declared]:
    """Return what an installed module declares, at any priority, or None if there is none.  Raises ModuleError."""
    files = in_store(store, name)
    if not files:
        return None
    declarations = Declared()
    for file in files:
        declarations = declarations.joined(read(file, runner))
    return declarations
