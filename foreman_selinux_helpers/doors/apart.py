"""Calls a function that may crash, hang or use up the memory in a child process with limits."""

import gc
import os
import resource
import select
import signal
import time

from ..model.errors import HelperError
from ..model.typed import Callable, NoReturn, Tuple, Value
from . import capabilities, interrupts

# Seconds after which a pending stop signal is noticed at the latest.
_POLL = 0.25
# Seconds that a killed process may take to end: it may be in the middle of a slow read.
_END = 2.0
_PIECE = 1 << 16
_DONE, _FAILED = b"=", b"!"


class Limits(Value):
    """Limits of the process: seconds (of elapsed and of CPU time); bytes of memory, of a file, and of the answer."""

    seconds: float
    memory: int
    file: int
    answer: int


class Ended(Value):
    """The answer of the process, and the reason why there is none (empty if the process succeeded)."""

    answer: bytes
    fault: str = ""


def call(act: Callable[[], bytes], limits: Limits) -> Ended:
    """Run a function in a child process and return its result, or the reason why it failed, such as an exception.

    The child prints nothing, dumps no core, and has ended when this returns.  A stop signal (see interrupts) ends the
    child and is delivered when this returns.
    """
    with interrupts.held(), interrupts.children_kept():
        reading, writing = os.pipe2(os.O_CLOEXEC)
        try:
            child = os.fork()
        except OSError as error:
            os.close(reading)
            os.close(writing)
            return Ended(b"", "no process can be started for it: %s" % error.strerror)
        if child == 0:
            _be_the_child(act, limits, writing)
        os.close(writing)
        try:
            answer, fault = _read(reading, limits)
        finally:
            os.close(reading)
            ended = _end(child)
    fault = fault or ended
    if not fault and answer[:1] == _FAILED:
        fault = answer[1:].decode("utf-8", "replace")
    if not fault and answer[:1] != _DONE:
        fault = "the process that was started for it gave no answer"
    return Ended(b"", " ".join(fault.split())) if fault else Ended(answer[1:])


def _read(reading: int, limits: Limits) -> Tuple[bytes, str]:
    """Return the output of the child, and what is wrong with it."""
    answer = b""
    end = time.monotonic() + limits.seconds
    ready = select.poll()
    ready.register(reading, select.POLLIN)
    while True:
        remaining = end - time.monotonic()
        if remaining <= 0:
            return b"", "the process that was started for it did not end within %g s" % limits.seconds
        if interrupts.asked_to_stop():
            return b"", "interrupted"
        if not ready.poll(min(remaining, _POLL) * 1000):
            continue
        piece = os.read(reading, _PIECE)
        if not piece:
            return answer, ""
        answer += piece
        if len(answer) > limits.answer:
            return b"", "the process that was started for it answered more than %d bytes" % limits.answer


def _end(child: int) -> str:
    """Kill the child (no effect if it has ended) and wait for it.  Return what is wrong with its exit status."""
    os.kill(child, signal.SIGKILL)
    end = time.monotonic() + _END
    ended = status = 0
    pause = 1e-5
    while not ended:
        ended, status = os.waitpid(child, os.WNOHANG)
        if not ended:
            if time.monotonic() > end:
                return "the process that was started for it cannot be ended"
            time.sleep(pause)
            pause = min(2 * pause, _POLL)
    if os.WIFSIGNALED(status):
        return "the process that was started for it was ended by signal %d" % os.WTERMSIG(status)
    return "the process that was started for it ended with status %d" % os.WEXITSTATUS(status) if status else ""


def _be_the_child(act: Callable[[], bytes], limits: Limits, writing: int) -> NoReturn:
    status = 1
    try:
        try:
            _confine(limits)
            answer = _DONE + act()
        except HelperError as error:
            answer = _FAILED + str(error).encode("utf-8", "replace")
        except MemoryError:
            answer = _FAILED + b"it needs too much memory"
        except OSError as error:
            answer = _FAILED + (error.strerror or str(error)).encode("utf-8", "replace")
        while answer:
            answer = answer[os.write(writing, answer):]
        status = 0
    finally:
        os._exit(status)


def _confine(limits: Limits) -> None:
    """Restore default signal handling in the child, silence it, and set its limits."""
    interrupts.forget()
    gc.disable()  # it would write to all memory pages, and so copy them
    try:
        nothing = os.open(os.devnull, os.O_RDWR)
    except OSError:
        nothing = os.open("/", os.O_RDONLY)  # an image may lack /dev
    for descriptor in range(3):
        os.dup2(nothing, descriptor)
    seconds = int(limits.seconds) + 1
    for kind, most in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_CPU, seconds), (resource.RLIMIT_AS, limits.memory),
                       (resource.RLIMIT_FSIZE, limits.file)):
        hard = resource.getrlimit(kind)[1]
        limit = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (limit, limit))
    try:
        capabilities.end_with_the_parent(signal.SIGKILL)
    except OSError:
        pass  # the limits end the child as well
