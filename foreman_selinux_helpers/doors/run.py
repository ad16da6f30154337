"""The only door to other programs."""

import os
import re
import signal
import time

from ..model.errors import CommandFailed, TimedOut
from ..model.typed import TYPE_CHECKING, Dict, Optional, Sequence, Tuple, Value
from . import interrupts
from .deadline import Deadline

if TYPE_CHECKING:
    import subprocess

# Seconds between two checks for a pending stop signal.
_POLL = 0.1

# A fixed PATH and locale, independent of the caller's environment.
ENVIRONMENT: Dict[str, str] = {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C",
    "SYSTEMD_COLORS": "0",
    "SYSTEMD_PAGER": "",
}


def forget_the_caller(kept: Sequence[str]) -> None:
    """Reset what is inherited from the caller, except the named variables, for us and for what libraries start.

    This resets where temporary files go, which libraries a program loads, and whether SIGCHLD and SIGALRM are
    ignored or blocked.  Closed standard descriptors are opened, so that no file opened later takes their place.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGCHLD, signal.SIGALRM))
    wanted = {name: os.environ[name] for name in kept if name in os.environ}
    os.environ.clear()
    os.environ.update(ENVIRONMENT)
    os.environ.update(wanted)
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest closed descriptor is opened first.  An image may lack /dev.
            place = os.devnull if os.path.exists(os.devnull) else "/"
            os.set_inheritable(os.open(place, os.O_RDWR if place == os.devnull else os.O_RDONLY), True)


class Output(Value):
    """The exit status and the output of a program (undecodable bytes are kept as surrogates)."""

    status: int
    out: str
    err: str


class Runner:
    """Runs programs within one deadline.

    ``patience``: how long (seconds) a program may take once a stop signal is pending.  Without it, stop
    signals do not end the wait.
    """

    def __init__(self, deadline: Deadline, patience: Optional[float] = None) -> None:
        self.deadline = deadline
        self._patience = patience

    def run(self, argv: Sequence[str], stdin: Optional[str] = None, limit: Optional[float] = None) -> Output:
        """Run a program and return its output, whatever its exit status.

        ``limit`` (seconds) shortens the deadline for this program.  Raises CommandFailed if it
        cannot be started, and TimedOut if it does not end in time and was killed.
        """
        import subprocess

        remaining = self.deadline.remaining()
        timeout = min(remaining, limit) if limit else remaining
        try:
            with subprocess.Popen(
                    argv, env=ENVIRONMENT, cwd="/", stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                    stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE) as process:
                try:
                    given = None if stdin is None else stdin.encode("utf-8", "surrogateescape")
                    out, err = self._communicate(process, given, timeout)
                except BaseException:
                    process.kill()
                    raise
        except subprocess.TimeoutExpired as error:
            raise TimedOut("%s did not end within %.0f s" % (" ".join(argv), error.timeout)) from error
        except OSError as error:
            raise CommandFailed("cannot run %s: %s" % (argv[0], os.strerror(error.errno or 0))) from error
        return Output(process.returncode, _text(out), _text(err))

    def _communicate(self, process: "subprocess.Popen[bytes]", given: Optional[bytes],
                     timeout: float) -> Tuple[bytes, bytes]:
        import subprocess

        if self._patience is None:
            return process.communicate(given, timeout)
        began = time.monotonic()
        while True:
            remaining = began + timeout - time.monotonic()
            try:
                return process.communicate(given, min(remaining, _POLL))
            except subprocess.TimeoutExpired:
                given = None  # the first call has taken it
                waited = time.monotonic() - began
                if waited >= min(timeout, self._patience if interrupts.asked_to_stop() else timeout):
                    raise subprocess.TimeoutExpired(process.args, waited) from None

    def check(self, argv: Sequence[str], stdin: Optional[str] = None, limit: Optional[float] = None) -> str:
        """Run a program and return its standard output; raise CommandFailed if it fails."""
        done = self.run(argv, stdin, limit)
        if done.status != 0:
            raise CommandFailed("%s: %s" % (" ".join(argv), failure(done)))
        return done.out


# systemd 244 and 245 print coloured messages even to a pipe.
_ESCAPE_SEQUENCE = r"\x1b\[[0-9;]*[A-Za-z]"


def failure(done: Output) -> str:
    """Describe in one line how a program failed."""
    said = " ".join(re.sub(_ESCAPE_SEQUENCE, "", done.err or done.out).split())
    ended = "killed by signal %d" % -done.status if done.status < 0 else "exit status %d" % done.status
    return "%s: %s" % (ended, said) if said else ended


def _text(output: bytes) -> str:
    return output.decode("utf-8", "surrogateescape")
