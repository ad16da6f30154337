"""Is a process's label cache older than the files on disk?

libselinux maps the compiled databases into the process that opened them, and libsemanage
replaces them at each commit: what a process holds tells which generation it labels by.
"""

import os
from typing import Callable, List, NamedTuple, Optional, Sequence

from .procfs import HeldFile

FRESH = "fresh"
STALE = "stale"
UNKNOWN = "unknown"

_TEXTS = ("file_contexts", "file_contexts.homedirs", "file_contexts.local")
_DATABASES = tuple(name + ".bin" for name in _TEXTS)
_SUBSTITUTIONS = ("file_contexts.subs", "file_contexts.subs_dist")


class LabelCache(NamedTuple):
    """The state of a process's label cache (fresh, stale or unknown), and why we think so."""

    state: str
    evidence: List[str]


def compare(held: Optional[Sequence[HeldFile]], inode_of: Callable[[str], Optional[int]],
            directory: str) -> LabelCache:
    """Compare what a process holds with what is on disk.

    ``inode_of`` gives the inode of a path, or None if there is no such file.  Inodes alone are
    compared: the device numbers of /proc/PID/maps and stat(2) differ on btrfs and overlayfs.
    """
    if held is None:
        return LabelCache(UNKNOWN, ["/proc/1/maps may only be read by root"])
    held = [one for one in held if os.path.dirname(one.path) == directory
            and os.path.basename(one.path) in _DATABASES]
    if not held:
        return LabelCache(UNKNOWN, ["no compiled file contexts are mapped (libselinux may have read the text files)"])
    stale = []
    evidence = []
    for one in held:
        on_disk = inode_of(one.path)
        if one.deleted or on_disk != one.inode:
            stale.append("%s: inode %d is held, %s" % (
                one.path, one.inode, "inode %d is on disk" % on_disk if on_disk else "the file is gone"))
        else:
            evidence.append("%s: inode %d is held and on disk" % (one.path, one.inode))
    paths = {one.path for one in held}
    for name in _DATABASES:
        path = os.path.join(directory, name)
        if path not in paths:
            inode = inode_of(path)
            if inode is not None:
                stale.append("%s: inode %d is on disk, but is not held" % (path, inode))
    if stale:
        return LabelCache(STALE, stale)
    return LabelCache(FRESH, evidence)


def inode_of(path: str) -> Optional[int]:
    """Return the inode number of a path, or None."""
    try:
        return os.stat(path).st_ino
    except OSError:
        return None


def changed_at(directory: str) -> Optional[float]:
    """Return when the rules on disk were last changed (seconds since the epoch).

    EL 7 has them as text alone.
    """
    return max((status.st_ctime for status in _on_disk(directory, _TEXTS + _DATABASES)), default=None)


def generation(directory: str) -> str:
    """Return a text that changes whenever the rules or the substitutions on disk do."""
    return " ".join("%d:%d:%d" % (status.st_ino, status.st_size, status.st_ctime_ns)
                    for status in _on_disk(directory, _TEXTS + _DATABASES + _SUBSTITUTIONS))


def outdated_since(held: Sequence[HeldFile], directory: str) -> Optional[int]:
    """Return when the first database was put on disk that is not held (seconds since the epoch), or None."""
    inodes = {one.inode for one in held}
    return min((int(status.st_ctime) for status in _on_disk(directory, _DATABASES) if status.st_ino not in inodes),
               default=None)


def _on_disk(directory: str, names: Sequence[str]) -> List[os.stat_result]:
    found = []
    for name in names:
        try:
            found.append(os.stat(os.path.join(directory, name)))
        except OSError:
            continue
    return found
