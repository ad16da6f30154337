"""The journal of restarts: units that are stopped only during a restart.

A file with the name of a unit records that unit: if the run is killed while the unit is stopped, the next run starts
it.  The files do not survive a reboot, which starts all units anyway.
"""

import fcntl
import os
from contextlib import contextmanager

from ..model.typed import Iterator, List, Optional, Sequence
from . import interrupts, runfiles
from .deadline import Deadline

_AT_WORK = "another run of foreman-selinux-helpers is mending sockets"


def units() -> List[str]:
    """Return the units that a killed run has left stopped, in the order in which to start them."""
    try:
        descriptor = _open()
    except OSError:
        return []
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return _noted(descriptor)
    except BlockingIOError:
        return []  # that run is still active
    finally:
        os.close(descriptor)


def _open() -> int:
    return os.open(runfiles.DIRECTORY, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


def _noted(descriptor: int) -> List[str]:
    units = [name for name in os.listdir(descriptor) if name.endswith((".socket", ".service"))]
    return sorted(units, key=lambda unit: (not unit.endswith(".socket"), unit))


class Journal:
    """The journal, for the only run that restarts sockets at this time."""

    def __init__(self, descriptor: Optional[int], failure: Optional[OSError]) -> None:
        self._descriptor = descriptor
        self._failure = failure

    def note(self, units: Sequence[str]) -> None:
        """Record units before they are stopped; raises OSError if they cannot be recorded."""
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
        """Remove a unit that was started again, or that cannot be started."""
        if self._descriptor is not None:
            try:
                os.unlink(unit, dir_fd=self._descriptor)
            except FileNotFoundError:
                pass


@contextmanager
def alone(deadline: Deadline) -> Iterator[Journal]:
    """Prevent other runs of this program from repairing sockets meanwhile.

    If /run is full, other runs are not excluded, and nothing can be recorded.
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
                pass  # a unit is still stopped, or a re-exec is recorded there
            os.close(descriptor)


def _locked(deadline: Deadline) -> int:
    while True:
        os.makedirs(runfiles.DIRECTORY, 0o700, exist_ok=True)  # so that no other user can open and lock it
        try:
            descriptor = _open()
        except FileNotFoundError:
            continue  # the run that held it has just removed it
        try:
            interrupts.lock(descriptor, deadline, _AT_WORK)
            if os.fstat(descriptor).st_nlink:
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
