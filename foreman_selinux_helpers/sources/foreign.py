"""Read the sockets in /run that no socket unit creates and whose label differs from the rules."""

import os
import stat

from ..doors import labels, selinuxlib
from ..model.filecontexts import type_of
from ..model.rules import FileContexts
from ..model.sockets import ForeignSocket
from ..model.typed import Collection, Iterator, List, Optional, Tuple

_TOP = "/run"
# More than were seen on any host.
_MOST = 20000


def read(contexts: FileContexts, known: Collection[str], top: str = _TOP) -> Tuple[List[ForeignSocket], Optional[str]]:
    """Return these sockets, and the reason if not all were read, or None.

    ``known``: the paths of units.  Links are not followed and other file systems are not entered: the files below
    /run/user belong to users.  A label that restorecon(8) leaves alone is right, and any label is right for a path
    to which the rules give none.
    """
    wrong: List[ForeignSocket] = []
    for number, entry in enumerate(_sockets(top, os.lstat(top).st_dev)):
        if number >= _MOST:
            return wrong, "%s: there are more than %d sockets; the others were not read" % (top, _MOST)
        path = entry.path
        if path in known:
            continue
        try:
            path.encode("utf-8")  # libselinux's Python binding accepts only UTF-8
            label = labels.path_label(path)
        except (OSError, UnicodeError):
            continue
        expected = contexts.lookup(path)
        if label and expected and not contexts.same_type(type_of(label), type_of(expected)) \
                and not selinuxlib.is_customizable(label):
            wrong.append(ForeignSocket(path, label, expected))
    return wrong, None


def _sockets(top: str, device: int) -> "Iterator[os.DirEntry[str]]":
    """Return the sockets below a directory, on one file system, sorted by path."""
    try:
        entries = sorted(os.scandir(top), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError:
            continue  # it no longer exists
        if stat.S_ISDIR(status.st_mode) and status.st_dev == device:
            yield from _sockets(entry.path, device)
        elif stat.S_ISSOCK(status.st_mode):
            yield entry
