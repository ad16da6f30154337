"""The wanted files of a sos report, by their names in the report.  Pure.

Links are followed only among the files of the report, as after a chroot(2) into it.
"""

from .errors import UsageError
from .typed import Callable, Dict, List, Optional, Tuple, Value

# Directories that only sos writes.
MARKS = ("sos_commands", "sos_reports")
BLOCK = 1 << 20
# The limit for all wanted content; a report has about 20 MiB of it.
MOST_KEPT = 256 << 20
MOST_NAMES = 500000
# The limit of the kernel (path_resolution(7)).
_MOST_LINKS = 40
# Longer content without a line break is not a line.
_LONGEST_LINE = 1 << 16


class Want(Value):
    """How much of a file is kept: ``most`` bytes, and with ``lines_with`` only lines that contain one of these.

    With ``lines_with`` the last such lines and the first line of the file are kept, otherwise its beginning.
    """

    most: int
    lines_with: Tuple[bytes, ...] = ()


# Returns for a name how much of its file is wanted, or None.
Wanted = Callable[[str], Optional[Want]]


class File(Value):
    """The content that was kept of a file.

    ``modified``: seconds since the epoch; ``whole``: nothing was left out for its size; ``ended``: its last line
    is complete.
    """

    content: bytes
    modified: float
    whole: bool = True
    ended: bool = True

    @property
    def text(self) -> str:
        """The content; bytes that are not UTF-8 become lone surrogates."""
        return self.content.decode("utf-8", "surrogateescape")


class Report:
    """A report: its location, its name, the wanted files, and all symbolic and hard links.

    ``unreadable``: the names of the wanted files that exist but cannot be read, with the reason; ``ignored``: names
    in an archive that lead out of it.
    """

    def __init__(self, location: str, name: str = "") -> None:
        self.location = location
        self.name = name
        self.files: Dict[str, File] = {}
        self.links: Dict[str, str] = {}
        self.unreadable: Dict[str, str] = {}
        self.ignored: List[str] = []

    def resolve(self, path: str) -> str:
        """Return the name of a path after its links are followed; a loop of links ends at the kernel's limit."""
        names, place, links = path.split("/"), [], 0  # type: Tuple[List[str], List[str], int]
        while names:
            name = names.pop(0)
            if name in ("", "."):
                continue
            if name == "..":
                del place[-1:]
                continue
            place.append(name)
            target = self.links.get("/".join(place))
            if target is not None and links < _MOST_LINKS:
                links += 1
                place = [] if target.startswith("/") else place[:-1]
                names = target.split("/") + names
        return "/".join(place)

    def file(self, path: str) -> Optional[File]:
        """Return a file by its path in the report, or None."""
        return self.files.get(self.resolve(path))

    def text(self, *paths: str) -> Optional[str]:
        """Return the text of the first of these files that exists and is not empty, or None."""
        files = (self.file(path) for path in paths)
        return next((file.text for file in files if file and file.content), None)

    def below(self, directory: str) -> Dict[str, File]:
        """Return the files below a directory, sorted by name, by their names relative to it."""
        start = self.resolve(directory) + "/"
        return {name[len(start):]: self.files[name] for name in sorted(self.files) if name.startswith(start)}

    def cut(self, path: str) -> bool:
        """Return whether sos kept only the end of a file: the file is then a link into sos_strings."""
        return self.resolve(path).startswith("sos_strings/")


class Keeper:
    """Read a file in blocks, and keep the wanted part of it."""

    def __init__(self, want: Want) -> None:
        self._want = want
        self._kept = bytearray()
        self._first: Optional[bytes] = None
        self._started = b""
        self._whole = True
        self._last = b"\n"

    def add(self, block: bytes) -> None:
        """Add the next block."""
        self._last = block[-1:] or self._last
        if self._want.lines_with:
            self._add_lines(block)
            return
        room = self._want.most - len(self._kept)
        self._kept += block[:room]
        self._whole = self._whole and len(block) <= room

    def _add_lines(self, block: bytes) -> None:
        text = self._started + block
        end = text.rfind(b"\n") + 1
        self._started = text[end:]
        if len(self._started) > _LONGEST_LINE:
            self._started, self._whole = b"", False
        if self._first is None and end:
            self._first = text[:text.index(b"\n") + 1][:_LONGEST_LINE]
        if any(wanted in text for wanted in self._want.lines_with):
            self._keep(text[:end].splitlines(True))

    def _keep(self, lines: List[bytes]) -> None:
        self._kept += b"".join(line for line in lines if any(wanted in line for wanted in self._want.lines_with))
        if len(self._kept) > self._want.most:
            del self._kept[:self._kept.find(b"\n", len(self._kept) - self._want.most) + 1]
            self._whole = False

    @property
    def size(self) -> int:
        """The number of bytes that are kept so far."""
        return len(self._kept)

    def file(self, modified: float) -> File:
        """Return the kept content, after the last block."""
        if self._started:
            self._keep([self._started])
            self._first = self._started if self._first is None else self._first
        first = self._first or b""
        kept = bytes(self._kept)
        if self._want.lines_with and not kept.startswith(first):
            kept = first + kept
        return File(kept, modified, self._whole, self._last == b"\n")


class Budget:
    """The limits for the number of names in a report and for the content that is kept."""

    def __init__(self, location: str) -> None:
        self._location = location
        self._names = 0
        self._kept = 0

    def name(self) -> None:
        """Count a name."""
        self._names += 1
        if self._names > MOST_NAMES:
            raise UsageError("%s is not read: it has more than %d files" % (self._location, MOST_NAMES))

    def kept(self, file: File) -> File:
        """Count the content that is kept of a file."""
        self._kept += len(file.content)
        if self._kept > MOST_KEPT:
            raise UsageError("%s is not read: what is needed of it is more than %d MiB"
                             % (self._location, MOST_KEPT >> 20))
        return file


def no_report(location: str) -> UsageError:
    """Return the error for a location without the directories that sos writes."""
    return UsageError("%s is no sos report: there is neither %s in it" % (location, " nor ".join(MARKS)))
