"""Identify the calling transaction by the files of rpm's database; the database itself is not opened.

At the end of a transaction rpm runs the triggers of the packages that it installed and erased.  It writes to its
database before the first of them and not again until the next transaction: if the database is unchanged since one
of these triggers did its work, the others have nothing to do.
"""

import os
import struct

from ..doors import trust
from ..doors.ownership import STATE_DIR
from ..model.typed import Optional

NOTE = STATE_DIR + "/transaction"
# The directories of rpm before 4.17, of later rpm on Fedora and EL 10, and of Debian's rpm.
_DIRECTORIES = ("var/lib/rpm", "usr/lib/sysimage/rpm", "root/.rpmdb")
# The files of rpm's back ends sqlite and ndb that a reader does not write to.  Those of Berkeley DB (EL 8) may be
# written after the transaction: there each trigger does the work.
_DATABASES = ("rpmdb.sqlite", "rpmdb.sqlite-wal", "Packages.db")
_LOCK = ".rpm.lock"
# struct flock of 64-bit Linux: type, whence, start, length, pid.
_FLOCK = "hhqqi"
_LONGEST = 4096


def state(root: str) -> str:
    """Return a state that changes with each transaction; it is empty if there is no database."""
    files = []
    for directory in _DIRECTORIES:
        for name in _DATABASES:
            try:
                status = os.stat(os.path.join(root, directory, name))
            except OSError:
                continue
            files.append("%s/%s %d %d %d" % (directory, name, status.st_ino, status.st_size, status.st_mtime_ns))
    return "\n".join(files)


def note(root: str, seen: str) -> None:
    """Record that the work is done for the transaction that left the database in this state."""
    if trust.distrust(root, STATE_DIR):
        return
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(os.path.join(root, NOTE), flags, 0o644), "w") as stream:
            stream.write(seen)
    except OSError:
        pass  # then the next trigger does the work again


def noted(root: str, seen: str) -> bool:
    """Return whether the work was recorded as done for this state of the database."""
    if not seen or trust.distrust(root, STATE_DIR):
        return False
    try:
        with os.fdopen(trust.open_regular(os.path.join(root, NOTE)), errors="replace") as stream:
            return trust.roots_alone(os.fstat(stream.fileno())) and stream.read(_LONGEST) == seen
    except OSError:
        return False


def under_way(root: str) -> Optional[bool]:
    """Return whether an rpm transaction is running, which holds rpm's lock; None if this cannot be read."""
    answers = {_is_locked(os.path.join(root, directory, _LOCK)) for directory in _DIRECTORIES}
    return True if True in answers else None if None in answers else False


def _is_locked(file: str) -> Optional[bool]:
    import fcntl

    try:
        descriptor = trust.open_regular(file)
    except FileNotFoundError:
        return False
    except OSError:
        return None
    try:
        asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        answer = fcntl.fcntl(descriptor, fcntl.F_GETLK, asked)
        return bool(struct.unpack(_FLOCK, answer)[0] != fcntl.F_UNLCK)
    except OSError:
        return None
    finally:
        os.close(descriptor)
