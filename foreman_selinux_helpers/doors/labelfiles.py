"""The files of a label database on disk, and how the files that a process has mapped compare with them."""

import os

from ..model import equivalence
from ..model.equivalence import Substitution
from ..model.errors import HelperError
from ..model.labelcache import (
    COMPILED,
    SUBSTITUTIONS,
    TEXTS,
    HeldFile,
    LabelCache,
    Texts,
    Written,
    compare,
    opened_after,
    usable,
    written_by,
)
from ..model.typed import Callable, Dict, List, Optional, Sequence
from . import procfs, trust

# A hundred times the size of real policies.
_LARGEST = 64 * 1024 * 1024


def read(pid: int, directory: str, held: Optional[Sequence[HeldFile]] = None) -> LabelCache:
    """Return the state of the label cache of a process; ``held`` is what it holds, if that is known."""
    if held is None:
        held = procfs.held_label_files(pid)
    if not held:
        return compare(held, inode_of, directory)
    known: Dict[str, Optional[Written]] = {}

    def written_at(path: str) -> Optional[Written]:
        if path not in known:
            known[path] = written(path)
        return known[path]

    # The time of a file that is no longer on disk does not matter: the cache is outdated.
    on_disk = [written_at(file.path) for file in held if not file.deleted]
    times = [status.modified for status in on_disk if status]
    return compare(held, inode_of, directory, Texts(written_at, opened_after(procfs.started_at(pid), times)))


def written(path: str) -> Optional[Written]:
    """Return when a file was written, or None if there is none."""
    try:
        return written_by(os.stat(path))
    except OSError:
        return None


def inode_of(path: str) -> Optional[int]:
    """Return the inode number of a path, or None."""
    try:
        return os.stat(path).st_ino
    except OSError:
        return None


def changed_at(directory: str) -> Optional[float]:
    """Return when the rules on disk were last changed (seconds since the epoch).

    EL 7 has them only as text.
    """
    return max((status.st_ctime for status in _all_statuses(directory) if status), default=None)


def generation(directory: str) -> str:
    """Return a text that changes whenever the rules or the substitutions on disk do."""
    return " ".join("%d:%d:%d" % (status.st_ino, status.st_size, status.st_ctime_ns) if status else "-"
                    for status in _all_statuses(directory))


def outdated_since(held: Sequence[HeldFile], directory: str) -> Optional[int]:
    """Return when the first file that libselinux would read and that is not held was put on disk, or None.

    In seconds since the epoch.  A text counts if its compiled file is held and no longer used.
    """
    inodes = {file.inode for file in held}
    times = []
    for compiled, text in zip(_statuses(TEXTS, COMPILED, directory), _statuses(TEXTS, "", directory)):
        if compiled and usable(written_by(compiled), written_by(text) if text else None):
            times += [compiled.st_ctime] if compiled.st_ino not in inodes else []
        elif compiled and text and compiled.st_ino in inodes:
            times.append(text.st_ctime)
    return min((int(time) for time in times), default=None)


def _all_statuses(directory: str) -> List[Optional[os.stat_result]]:
    """Return the status of each file that libselinux reads of a label database, or None."""
    return _statuses(TEXTS, "", directory) + _statuses(TEXTS, COMPILED, directory) \
        + _statuses(SUBSTITUTIONS, "", directory)


def _statuses(names: Sequence[str], suffix: str, directory: str) -> List[Optional[os.stat_result]]:
    statuses: List[Optional[os.stat_result]] = []
    for name in names:
        try:
            statuses.append(os.stat(os.path.join(directory, name + suffix)))
        except OSError:
            statuses.append(None)
    return statuses


def substitutions(file: str, long_piece: Callable[[], int] = lambda: equivalence.SHORT_PIECE) -> List[Substitution]:
    """Return the substitutions of a file; none if there is no such file.  Raises HelperError if it has an error.

    ``long_piece`` returns how much of a line is read at a time, if that matters; see equivalence.has_long_line().
    """
    text = read_text(file) or ""
    piece = long_piece() if equivalence.has_long_line(text) else equivalence.SHORT_PIECE
    fault = equivalence.fault(text, file, piece)
    if fault:
        raise HelperError(fault)
    return equivalence.parse(text, file, piece)


def read_text(file: str) -> Optional[str]:
    """Return the text of a file of the policy, with its line ends and invalid bytes, or None if there is no such file.

    Raises HelperError if it cannot be read, is not a regular file, or is far too large.
    """
    try:
        with os.fdopen(trust.open_regular(file, follow=True), "rb") as stream:
            if os.fstat(stream.fileno()).st_size > _LARGEST:
                raise HelperError("cannot read %s: it is larger than %d MiB; no policy is" % (file, _LARGEST >> 20))
            return stream.read().decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise HelperError("cannot read %s: %s" % (file, error.strerror)) from error
