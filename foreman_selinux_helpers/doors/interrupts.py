"""Signals that ask us to stop, and the deadline: both are heeded everywhere but in the middle of a transaction."""

import fcntl
import signal
from contextlib import contextmanager
from types import FrameType

from ..model.errors import DeadlineExceeded, PolicyStoreError
from ..model.typed import Iterator, Optional
from .deadline import Deadline

_STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# What waits looks at the deadline itself, and says more: this is for what is at work all the time.
_GRACE = 1.0
_LOCK_POLL = 0.25


def _stop(number: int, _: Optional[FrameType]) -> None:
    raise KeyboardInterrupt(number)


@contextmanager
def heard(deadline: Deadline) -> Iterator[None]:
    """Let signals raise KeyboardInterrupt with their number, and the end of the time DeadlineExceeded."""
    def late(_: int, __: Optional[FrameType]) -> None:
        deadline.remaining()

    before = {}
    for number, handler in [(number, _stop) for number in _STOP] + [(signal.SIGALRM, late)]:
        if signal.getsignal(number) != signal.SIG_IGN or handler is late:  # nohup(1) means it
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
    """Block them, for us and for the programs that are started; they are delivered afterwards."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        # This raises for a signal that came just before, when they are held back already.
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOP + (signal.SIGALRM,))
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def children_kept() -> Iterator[None]:
    """Let a child that has ended keep its number until it is waited for, whatever who called us has set."""
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
    """Tell whether a signal that is held back asks us to stop (what is ignored is pending as well)."""
    return any(signal.getsignal(number) != signal.SIG_IGN for number in signal.sigpending().intersection(_STOP))


def forget() -> None:
    """In a child: let each of them end the process at once, unless who called us ignores it."""
    for number in _STOP + (signal.SIGALRM,):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP + (signal.SIGALRM,))


def lock(descriptor: int, deadline: Deadline, taken: str) -> None:
    """Wait for a lock; ``taken`` says who has it.

    Raises PolicyStoreError when the time is used up, or when a signal that is held back asks us to stop.
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
