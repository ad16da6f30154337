"""Is a process's label cache older than the files on disk?

libselinux maps the compiled databases into the process that opened them, and libsemanage
replaces them at each commit: what a process holds tells which generation it labels by.

A compiled database that is older than its text is not used: libselinux reads the text, and maps
nothing (``src/label_file.c``: load_mmap() in 2.5, open_file() from 2.6 to 3.11; whole seconds are compared).
"""

import os

from .typed import Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Value

# What is known by path where nothing is.
NONE: Mapping[str, Any] = {}

FRESH = "fresh"
STALE = "stale"
UNKNOWN = "unknown"

# What a database consists of; the text, and what is compiled from it.
TEXTS = ("file_contexts", "file_contexts.homedirs", "file_contexts.local")
COMPILED = ".bin"
# libselinux reads these as text, and maps nothing.
SUBSTITUTIONS = ("file_contexts.subs_dist", "file_contexts.subs")
# The start of a process is known to a hundredth of a second, file times to a tick of the kernel.
_INACCURACY = 1.0


class HeldFile(Value):
    """A file-context database that a process has mapped."""

    path: str
    inode: int
    deleted: bool


class Wrong(Value):
    """A socket that a process would label otherwise than is wanted: None is no label by any rule."""

    path: str
    held_answer: Optional[str]
    expected: Optional[str]


class LabelCache(Value):
    """The state of a process's label cache (fresh, stale or unknown), and why we think so.

    ``answers``: what its own copy says for the wanted sockets, by path; ``wrong``: those that it would label
    wrongly.  Both are None where it was not asked, or could not be: ``unasked`` says why.
    """

    state: str
    evidence: List[str]
    answers: Optional[Dict[str, Optional[str]]] = None
    wrong: Optional[Sequence[Wrong]] = None
    unasked: Optional[str] = None

    @property
    def harmless(self) -> Optional[bool]:
        """Tell whether it gives every wanted socket the right label, if only for today; None: not known."""
        if self.state == FRESH:
            return True
        return None if self.wrong is None else not self.wrong


class Written(Value):
    """When a file was written: its content, which is what libselinux compares, and its last change of any kind."""

    modified: float
    changed: float


class Texts(Value):
    """What tells whether a text that is not mapped was read: when files were written, and a bound.

    ``written`` gives it for a path, or None if there is no such file; the process opened its database at
    ``opened_after`` or later (None: unknown).
    """

    written: Callable[[str], Optional[Written]]
    opened_after: Optional[float]


def compare(held: Optional[Sequence[HeldFile]], inode_of: Callable[[str], Optional[int]],
            directory: str, texts: Optional[Texts] = None) -> LabelCache:
    """Compare what a process holds with what is on disk.

    ``inode_of`` gives the inode of a path, or None if there is no such file.  Inodes alone are
    compared: the device numbers of /proc/PID/maps and stat(2) differ on btrfs and overlayfs.
    Without ``texts`` each compiled database on disk is taken for one that libselinux uses.
    """
    if held is None:
        return LabelCache(UNKNOWN, ["/proc/1/maps may only be read by root"])
    held = [file for file in held if part_of(file.path, directory) is not None]
    if not held:
        return LabelCache(UNKNOWN, ["no compiled file contexts are mapped (libselinux may have read the text files)"])
    stale: List[str] = []
    unknown: List[str] = []
    evidence: List[str] = []
    for file in held:
        on_disk = inode_of(file.path)
        if file.deleted or on_disk != file.inode:
            stale.append("%s: inode %d is held, %s" % (
                file.path, file.inode, "inode %d is on disk" % on_disk if on_disk else "the file is gone"))
        elif texts and not _usable(file.path, texts):
            stale.append("%s: inode %d is held; %s is newer, and libselinux would read that"
                         % (file.path, file.inode, text_of(file.path)))
        else:
            evidence.append("%s: inode %d is held and on disk" % (file.path, file.inode))
    paths = {file.path for file in held}
    for text in TEXTS:
        path = os.path.join(directory, text + COMPILED)
        if path in paths:
            continue
        inode = inode_of(path)
        if inode is not None and (texts is None or _usable(path, texts)):
            stale.append("%s: inode %d is on disk, but is not held" % (path, inode))
        elif texts:
            _judge_text(os.path.join(directory, text), texts, evidence, unknown)
    for name in SUBSTITUTIONS if texts else ():
        written = texts.written(os.path.join(directory, name)) if texts else None
        if written and texts and not unchanged(written, texts.opened_after):
            unknown.append("%s: is not mapped, and may have changed since it was read" % os.path.join(directory, name))
    if stale:
        return LabelCache(STALE, stale)
    return LabelCache(UNKNOWN, unknown) if unknown else LabelCache(FRESH, evidence)


def _judge_text(path: str, texts: Texts, evidence: List[str], unknown: List[str]) -> None:
    """Tell whether a text that libselinux reads, as it has no newer compiled file, is what the process has read."""
    written = texts.written(path)
    if written is None:
        return
    if unchanged(written, texts.opened_after):
        evidence.append("%s: read as text (no compiled file is as new), and not changed since" % path)
    else:
        unknown.append("%s: read as text (no compiled file is as new), which is not mapped; it may have changed since "
                       "it was read" % path)


def unchanged(written: Written, opened_after: Optional[float]) -> bool:
    """Tell whether a file is what it was when a process opened its database."""
    return opened_after is not None and written.changed < opened_after


def _usable(path: str, texts: Texts) -> bool:
    """Tell whether libselinux would use a compiled file that is on disk."""
    compiled, text = texts.written(path), texts.written(text_of(path))
    return compiled is not None and usable(compiled, text)


def usable(compiled: Written, text: Optional[Written]) -> bool:
    """Tell whether libselinux uses a compiled file beside this text."""
    return text is None or int(compiled.modified) >= int(text.modified)


def text_of(compiled: str) -> str:
    """Return the path of the text that a file is compiled from."""
    return compiled[:-len(COMPILED)]


def part_of(path: str, directory: str) -> Optional[str]:
    """Return the name of the text whose compiled file in this directory is at a path, or None."""
    place, name = os.path.split(path)
    return text_of(name) if place == directory and name.endswith(COMPILED) and text_of(name) in TEXTS else None


def opened_after(started: Optional[float], held: Iterable[float]) -> Optional[float]:
    """Return a time that a process has opened its database at or after, or None if there is none.

    That is when it was started, by today's clock, and when each file that it holds was written.
    """
    bounds = list(held) + ([] if started is None else [started - _INACCURACY])
    return max(bounds, default=None)


def written_by(status: os.stat_result) -> Written:
    """Return the same, of a file that has been looked at."""
    return Written(status.st_mtime, max(status.st_mtime, status.st_ctime))
