"""Handles stop signals and the deadline: both take effect everywhere except during a transaction."""

import fcntl
import signal
from contextlib import contextmanager
from types import FrameType

from ..model.errors import DeadlineExceeded, PolicyStoreError
from ..model.typed import Iterator, Optional
from .deadline import Deadline

_STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# Code that waits checks the deadline itself, with a better message: this timer is for code that is busy.
_GRACE = 1.0
_LOCK_POLL = 0.25


def _stop(number: int, _: Optional[FrameType]) -> None:
    raise KeyboardInterrupt(number)


@contextmanager
def heard(deadline: Deadline) -> Iterator[None]:
    """Make stop signals raise KeyboardInterrupt with their number, and the deadline DeadlineExceeded."""
    def late(_: int, __: Optional[FrameType]) -> None:
        deadline.remaining()

    before = {}
    for number, handler in [(number, _stop) for number in _STOP] + [(signal.SIGALRM, late)]:
        if signal.getsignal(number) != signal.SIG_IGN or handler is late:  # nohup(1) ignores SIGHUP on purpose
            before[number] = signal.signal(number, handler) or signal.SIG_DFL
    signal.setitimer(signal.ITIMER_REAL, deadline.seconds + _GRACE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, former in before.items():
            signal.signal(number, former)


@contextmanager
def held() -> Iterator[None]:
    """Block these signals, also for programs that are started; they are delivered afterwards."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        # This raises for a signal that arrived just before, when all of them are already blocked.
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOP + (signal.SIGALRM,))
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def children_kept() -> Iterator[None]:
    """Keep the process ID of a child that has ended until it is waited for, even if the caller ignores SIGCHLD."""
    before = signal.getsignal(signal.SIGCHLD)
    if before != signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGCHLD, before)


def asked_to_stop() -> bool:
    """Return whether a stop signal is pending (signals that are ignored can be pending as well)."""
    return any(signal.getsignal(number) != signal.SIG_IGN for number in signal.sigpending().intersection(_STOP))


def forget() -> None:
    """In a child: make each of these signals end the process at once, unless the caller ignores it."""
    for number in _STOP + (signal.SIGALRM,):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP + (signal.SIGALRM,))


def lock(descriptor: int, deadline: Deadline, taken: str) -> None:
    """Wait for a lock; ``taken`` is the message if it is held.

    Raises PolicyStoreError at the deadline, or if a stop signal is pending.
    """
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if asked_to_stop():
                raise PolicyStoreError("%s; interrupted while waiting for it" % taken) from None
            try:
                deadline.pause(_LOCK_POLL)
            except DeadlineExceeded as error:
                raise PolicyStoreError("%s; %s" % (taken, error)) from error
        except OSError as error:
            raise PolicyStoreError("there is no lock to be had: %s" % error.strerror) from error
