"""Reads a sos report that is an archive, once from beginning to end: tar, uncompressed or compressed.

``tarfile`` treats an archive that is truncated between two files, or damaged, as one that ends there; it reads a
header of any size into memory, and does not limit the unpacked size.  So this module checks what it reads.
"""

import tarfile
import zlib
from typing import IO, Type, cast

from ..model.errors import UsageError
from ..model.reportfiles import BLOCK, MARKS, Budget, Keeper, Report, Want, Wanted, no_report
from ..model.typed import TYPE_CHECKING, Optional, Tuple

if TYPE_CHECKING:
    import lzma

# A report with all logs can unpack to some GiB.
MOST_UNPACKED = 16 << 30
# The maximum size of the headers before a file: names and attributes.
_MOST_HEADERS = 1 << 20
_LONGEST_NAME = 4096
# xz -9 needs 65 MiB.
_XZ_MEMORY = 512 << 20
_TAR_MAGIC = (257, b"ustar")
_ENCRYPTED = (b"\x85", b"\x84", b"\x8c", b"\xc1", b"-----BEGIN PGP")
_ZSTD = b"\x28\xb5\x2f\xfd"


class _Damaged(Exception):
    """The archive is damaged; the message says how."""


# What tarfile and the decompressors raise for invalid input.
_FAULTS = (_Damaged, tarfile.TarError, zlib.error, EOFError, OSError, ValueError, OverflowError, RecursionError,
           MemoryError)


def read_archive(location: str, handle: int, wanted: Wanted) -> Report:
    """Read the wanted files of the archive that is open as a descriptor, and close it."""
    with open(handle, "rb") as stream:
        start = stream.read(512)
        stream.seek(0)
        if start.startswith(_ENCRYPTED):
            raise UsageError("%s is encrypted: decrypt it first (gpg --decrypt)" % location)
        if start.startswith(_ZSTD):
            raise UsageError("%s is compressed with zstd: unpack it, and name the directory" % location)
        decompressed, faults = _decompressed(location, stream, start)
        try:
            return _Archive(location, decompressed, wanted).read()
        except faults as error:
            raise UsageError("%s is cut off or damaged: %s" % (location, " ".join(str(error).split())
                                                               or type(error).__name__)) from error


def _decompressed(location: str, stream: IO[bytes], start: bytes) -> Tuple[IO[bytes], Tuple[Type[Exception], ...]]:
    """Return a stream of the uncompressed archive, and the exceptions that it raises for damage."""
    if start.startswith(b"\x1f\x8b"):
        import gzip

        return cast(IO[bytes], gzip.GzipFile(fileobj=stream)), _FAULTS
    if start.startswith(b"BZh"):
        import bz2

        return bz2.BZ2File(stream), _FAULTS
    if start.startswith(b"\xfd7zXZ\0"):
        import lzma

        return cast(IO[bytes], _Xz(stream)), (lzma.LZMAError, *_FAULTS)
    place, magic = _TAR_MAGIC
    if start[place:].startswith(magic):
        return stream, _FAULTS
    raise UsageError("%s is no sos report: neither a directory nor a tar archive (plain, gzip, bzip2, xz)" % location)


class _Xz:
    """Decompresses xz with a memory limit, which the archive could otherwise choose."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._decompressor = self._new()

    @staticmethod
    def _new() -> "lzma.LZMADecompressor":
        import lzma

        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes; nothing at the end.  Raises EOFError if the data is truncated."""
        block = b""
        while True:
            if self._decompressor.eof:
                # Another stream may follow after zeros.
                block = self._decompressor.unused_data.lstrip(b"\0") or self._stream.read(BLOCK).lstrip(b"\0")
                if not block:
                    return b""
                self._decompressor = self._new()
            elif self._decompressor.needs_input:
                block = self._stream.read(BLOCK)
                if not block:
                    raise EOFError("it ends in the middle")
            content = self._decompressor.decompress(block, size)
            if content:
                return content
            block = b""


class _Watched:
    """The stream that tarfile reads: limits the size of headers, and tracks where the archive really ends."""

    def __init__(self, location: str, stream: IO[bytes]) -> None:
        self._location = location
        self._stream = stream
        self.position = 0
        self.bound = 0
        self.content_end = 0
        self.may_end = False

    def read(self, size: int) -> bytes:
        if self.position > MOST_UNPACKED:
            raise UsageError("%s is not read: it unpacks to more than %d GiB" % (self._location, MOST_UNPACKED >> 30))
        if self.position > self.bound:
            raise _Damaged("a header is larger than %d KiB" % (_MOST_HEADERS >> 10))
        block = self._stream.read(size)
        if not block and not self.may_end:
            # To skip a file of any size, tarfile would continue to read at the end of the data.
            raise _Damaged("it ends too early")
        filled = len(block.rstrip(b"\0"))
        if filled:
            self.content_end = self.position + filled
        self.position += len(block)
        return block


class _Archive:
    def __init__(self, location: str, stream: IO[bytes], wanted: Wanted) -> None:
        self._location = location
        self._watched = _Watched(location, stream)
        self._wanted = wanted
        self._budget = Budget(location)
        self._report = Report(location)
        self._top: Optional[str] = None
        self._marked = False

    def read(self) -> Report:
        watched = self._watched
        watched.bound = _MOST_HEADERS
        with tarfile.open(fileobj=cast(IO[bytes], watched), mode="r|", bufsize=BLOCK, encoding="utf-8",
                          errors="surrogateescape") as archive:
            while True:
                # The content of a member is skipped to reach the next header.
                watched.bound = archive.offset + _MOST_HEADERS + BLOCK
                member = archive.next()
                if member is None:
                    break
                # They would accumulate.
                del archive.members[:]  # type: ignore[attr-defined]
                self._budget.name()
                watched.bound = archive.offset + BLOCK
                self._add(archive, member)
            self._check_end(archive.offset)
        if not self._marked:
            raise no_report(self._location)
        return self._report

    def _check_end(self, end: int) -> None:
        """Raise _Damaged unless the archive ends with a block of zeros, and nothing follows."""
        watched = self._watched
        watched.bound = MOST_UNPACKED
        watched.may_end = True
        while watched.read(BLOCK):
            pass
        if watched.position < end + 512:
            raise _Damaged("it has no end")
        if watched.content_end > end:
            raise _Damaged("there is no file where one should begin, at byte %d" % end)

    def _add(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        name = self._name(member.name)
        if not name:
            return
        self._marked = self._marked or name.split("/")[0] in MARKS
        # A later member replaces an earlier one of the same name, whatever its type.
        self._report.links.pop(name, None)
        self._report.files.pop(name, None)
        if member.issym():
            self._report.links[name] = member.linkname[:_LONGEST_NAME]
        elif member.islnk():
            target = self._name(member.linkname)
            if target:
                self._report.links[name] = "/" + target
        want = self._wanted(name) if member.isreg() else None
        if want is not None:
            self._keep(archive, member, name, want)

    def _keep(self, archive: tarfile.TarFile, member: tarfile.TarInfo, name: str, want: Want) -> None:
        stream = None if member.issparse() else archive.extractfile(member)
        if stream is None:
            self._report.unreadable[name] = "it is a sparse file"
            return
        keeper = Keeper(want)
        while want.lines_with or keeper.size < want.most:
            block = stream.read(BLOCK)
            if not block:
                break
            keeper.add(block)
        file = keeper.file(float(member.mtime))
        whole = file.whole and bool(want.lines_with or len(file.content) == member.size)
        self._report.files[name] = self._budget.kept(file._replace(whole=whole))

    def _name(self, path: str) -> Optional[str]:
        """Return a member's path below the top-level directory of the report, or None if it is not below it."""
        names = [name for name in path.split("/") if name not in ("", ".")]
        if self._top is None and not path.startswith("/"):
            self._top = names[0] if names else ""
            self._report.name = self._top
        if path.startswith("/") or ".." in names or len(path) > _LONGEST_NAME:
            self._report.ignored.append(path[:_LONGEST_NAME])
            return None
        if self._top:
            if names[:1] != [self._top]:
                return None
            del names[:1]
        return "/".join(names)
