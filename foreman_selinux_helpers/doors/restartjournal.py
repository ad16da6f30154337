"""The journal of restarts: units that are down only while a restart lasts.

A file that is named like a unit notes that unit: a run that was killed has left it down, and the next run starts
it.  The files are gone with the next boot, which starts everything anyway.
"""

import fcntl
import os
from contextlib import contextmanager

from ..model.typed import Iterator, List, Optional, Sequence
from . import interrupts, runfiles
from .deadline import Deadline

_AT_WORK = "another run of foreman-selinux-helpers is mending sockets"


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
    return os.open(runfiles.DIRECTORY, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


def _noted(descriptor: int) -> List[str]:
    units = [name for name in os.listdir(descriptor) if name.endswith((".socket", ".service"))]
    return sorted(units, key=lambda unit: (not unit.endswith(".socket"), unit))


class Journal:
    """The journal, for the one run that restarts sockets now."""

    def __init__(self, descriptor: Optional[int], failure: Optional[OSError]) -> None:
        self._descriptor = descriptor
        self._failure = failure

    def note(self, units: Sequence[str]) -> None:
        """Note units before they are stopped; raises OSError where nothing can be noted."""
        if self._failure is not None:
            raise self._failure
        try:
            for unit in units:
                os.close(os.open(unit, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600,
                                 dir_fd=self._descriptor))
        except OSError:
            for unit in units:
                self.forget(unit)  # none of them will be stopped
            raise

    def forget(self, unit: str) -> None:
        """Forget a unit that was started again, or that nobody can start."""
        if self._descriptor is not None:
            try:
                os.unlink(unit, dir_fd=self._descriptor)
            except FileNotFoundError:
                pass


@contextmanager
def alone(deadline: Deadline) -> Iterator[Journal]:
    """Keep other runs of ours from mending sockets meanwhile.

    Where /run is full nobody is kept out, and nothing can be noted.
    """
    descriptor, failure = None, None
    try:
        descriptor = _locked(deadline)
    except OSError as error:
        failure = error
    try:
        yield Journal(descriptor, failure)
    finally:
        if descriptor is not None:
            try:
                os.rmdir(runfiles.DIRECTORY)
            except OSError:
                pass  # a unit is down still, or a re-exec is recorded there
            os.close(descriptor)


def _locked(deadline: Deadline) -> int:
    while True:
        os.makedirs(runfiles.DIRECTORY, 0o700, exist_ok=True)  # for nobody else to open and lock
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
