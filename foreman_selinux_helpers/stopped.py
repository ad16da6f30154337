"""Units that are down only while a restart lasts: noted, so that the next run starts them if this one is killed."""

import fcntl
import os
from contextlib import contextmanager
from typing import Callable, Iterator, List, Sequence

from . import interrupts
from .deadline import Deadline

# Gone with the next boot, which starts everything anyway.  Each file in it has the name of a unit.
DIRECTORY = "/run/foreman-selinux-helpers"
_AT_WORK = "another run of foreman-selinux-helpers is restarting a socket"


def units() -> List[str]:
    """Return the units that a run which is no more had stopped, in the order in which they are to be started."""
    try:
        descriptor = _open()
    except OSError:
        return []
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return _noted(descriptor)
    except BlockingIOError:
        return []  # it is at work still
    finally:
        os.close(descriptor)


def _open() -> int:
    return os.open(DIRECTORY, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


def _noted(descriptor: int) -> List[str]:
    return sorted(os.listdir(descriptor), key=lambda unit: (not unit.endswith(".socket"), unit))


@contextmanager
def noted(more: Sequence[str], deadline: Deadline) -> Iterator[Callable[[str], None]]:
    """Note units before they are stopped; gives a function that forgets one when it was started again.

    Nobody else restarts anything meanwhile.  Raises OSError where nothing can be noted.
    """
    descriptor = _locked(deadline)
    try:
        for unit in more:
            os.close(os.open(unit, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644, dir_fd=descriptor))
        yield lambda unit: _forget(descriptor, unit)
    finally:
        try:
            os.rmdir(DIRECTORY)
        except OSError:
            pass  # a unit is down still
        os.close(descriptor)


def _locked(deadline: Deadline) -> int:
    while True:
        os.makedirs(DIRECTORY, 0o755, exist_ok=True)
        try:
            descriptor = _open()
        except FileNotFoundError:
            continue  # who had it has just removed it
        try:
            interrupts.lock(descriptor, deadline, _AT_WORK)
            if os.fstat(descriptor).st_nlink:
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _forget(descriptor: int, unit: str) -> None:
    try:
        os.unlink(unit, dir_fd=descriptor)
    except FileNotFoundError:
        pass
