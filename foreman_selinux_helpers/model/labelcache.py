"""Judge whether a process's label cache is older than the files on disk.  Pure.

libselinux maps the compiled databases into the process that opens them, and libsemanage replaces the files at each
commit.  The files that a process holds show which generation of the rules it uses.

libselinux does not use a compiled database that is older than its text: it reads the text, and maps nothing
(``src/label_file.c``: load_mmap() in 2.5, open_file() from 2.6 to 3.11; whole seconds are compared).
"""

import os

from .typed import Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Value

# An empty mapping of paths.
NONE: Mapping[str, Any] = {}

FRESH = "fresh"
STALE = "stale"
UNKNOWN = "unknown"

# The texts that make up a database, and the suffix of the files that are compiled from them.
TEXTS = ("file_contexts", "file_contexts.homedirs", "file_contexts.local")
COMPILED = ".bin"
# libselinux reads these as text and does not map them.
SUBSTITUTIONS = ("file_contexts.subs_dist", "file_contexts.subs")
# Seconds.  The start of a process is known to a hundredth of a second, file times to a tick of the kernel.
_INACCURACY = 1.0


class HeldFile(Value):
    """A file-context database that a process has mapped."""

    path: str
    inode: int
    deleted: bool


class Wrong(Value):
    """A socket that a process would label wrongly; None: no rule gives it a label."""

    path: str
    held_answer: Optional[str]
    expected: Optional[str]


class LabelCache(Value):
    """The state of a process's label cache (FRESH, STALE or UNKNOWN), and the evidence.

    ``answers``: what its own copy answers for the wanted sockets, by path.  ``wrong``: the sockets that it would label
    wrongly.  Both are None if the copy was not or could not be queried; ``unasked`` says why it could not.
    """

    state: str
    evidence: List[str]
    answers: Optional[Dict[str, Optional[str]]] = None
    wrong: Optional[Sequence[Wrong]] = None
    unasked: Optional[str] = None

    @property
    def harmless(self) -> Optional[bool]:
        """Return whether it gives every wanted socket the right label, although it may be old; None: unknown."""
        if self.state == FRESH:
            return True
        return None if self.wrong is None else not self.wrong


class Written(Value):
    """The times of a file: when its content was modified, which libselinux compares, and when anything changed."""

    modified: float
    changed: float


class Texts(Value):
    """The times that show whether a process has read the current version of a text, which is never mapped.

    ``written`` returns the times of a path, or None if there is no such file.  The process opened its database at
    ``opened_after`` or later (None: unknown).
    """

    written: Callable[[str], Optional[Written]]
    opened_after: Optional[float]


def compare(held: Optional[Sequence[HeldFile]], inode_of: Callable[[str], Optional[int]],
            directory: str, texts: Optional[Texts] = None) -> LabelCache:
    """Compare what a process holds with what is on disk.

    ``inode_of`` returns the inode of a path, or None if there is no such file.  Only inodes are compared: the device
    numbers in /proc/PID/maps and from stat(2) differ on btrfs and overlayfs.  Without ``texts``, each compiled
    database on disk counts as one that libselinux uses.
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
            unknown.append("%s: not mapped, and may have changed since it was read" % os.path.join(directory, name))
    if stale:
        return LabelCache(STALE, stale)
    return LabelCache(UNKNOWN, unknown) if unknown else LabelCache(FRESH, evidence)


def _judge_text(path: str, texts: Texts, evidence: List[str], unknown: List[str]) -> None:
    """Judge a text that has no current compiled file: is it still the version that the process has read?"""
    written = texts.written(path)
    if written is None:
        return
    if unchanged(written, texts.opened_after):
        evidence.append("%s: read as text (no compiled file is as new), and not changed since" % path)
    else:
        unknown.append("%s: read as text (no compiled file is as new), which is not mapped; it may have changed since "
                       "it was read" % path)


def why_unknown(cache: LabelCache, held: Iterable[HeldFile], directory: str) -> Optional[str]:
    """Return why it is unknown whether a process is outdated; None if it is known, or if it holds no file here."""
    concerned = cache.state == UNKNOWN and any(part_of(file.path, directory) is not None for file in held)
    return "; ".join(cache.evidence) if concerned else None


def unchanged(written: Written, opened_after: Optional[float]) -> bool:
    """Return whether a file has not changed since a process opened its database."""
    return opened_after is not None and written.changed < opened_after


def _usable(path: str, texts: Texts) -> bool:
    """Return whether libselinux would use the compiled file at a path."""
    compiled, text = texts.written(path), texts.written(text_of(path))
    return compiled is not None and usable(compiled, text)


def usable(compiled: Written, text: Optional[Written]) -> bool:
    """Return whether libselinux uses a compiled file with this text."""
    return text is None or int(compiled.modified) >= int(text.modified)


def text_of(compiled: str) -> str:
    """Return the path of the text that a file is compiled from."""
    return compiled[:-len(COMPILED)]


def part_of(path: str, directory: str) -> Optional[str]:
    """Return the name of the text that the file at ``path`` is compiled from, or None if it is not such a file."""
    place, name = os.path.split(path)
    return text_of(name) if place == directory and name.endswith(COMPILED) and text_of(name) in TEXTS else None


def opened_after(started: Optional[float], held: Iterable[float]) -> Optional[float]:
    """Return the earliest time at which a process can have opened its database; None: unknown.

    It is not before the process was started, nor before a file that it holds was written.
    """
    bounds = list(held) + ([] if started is None else [started - _INACCURACY])
    return max(bounds, default=None)


def written_by(status: os.stat_result) -> Written:
    """Return the times from a stat result."""
    return Written(status.st_mtime, max(status.st_mtime, status.st_ctime))
