"""Run the scriptlets of RPM packages: without output, with a time limit, always with exit status 0.

A child does the work; its output goes to the journal, and it is killed at the deadline.  So a library that prints
or hangs, or a crash, does not affect the transaction.
"""

import fcntl
import os
import select
import signal
import sys
import time

from . import PROGRAM
from .doors.log import Log
from .model.typed import List, Optional, Sequence, Tuple
from .repair import transaction

# The limit for the whole scriptlet.  The child gets less, so that it can stop by itself and complete a commit that
# it has begun and that must not be interrupted.
DEADLINE = 90.0
_CHILD_DEADLINE = 60.0
_POLL = 0.05
_REMOVAL = "removal"
_CHANGED = "changed"
# Keep only the last 64 KiB of output.
_KEPT = 1 << 16


def arguments_for(name: str, argv: Sequence[str]) -> List[str]:
    """Return the command line for a scriptlet.

    ``post NAME`` registers; ``posttrans`` and ``trigger`` repair everything at once, so that
    all packages of a transaction share one commit; ``preun NAME`` removes what was added;
    ``postun`` removes the rules that no profile wants any more; ``removal FILE`` removes the rules that
    cannot stay without these files (it is not a verb: see repair/removal); ``enabled`` repairs, or only
    registers during a transaction.  An empty list means that there is nothing to do.
    """
    names = [word for word in argv if not word.startswith("-")]
    if name == "post":
        return ["register"] + names
    if name in ("posttrans", "trigger"):
        return ["repair"]
    if name == "preun":
        return ["unregister"] + names if names or "--all" in argv else []
    if name == "postun":
        return ["register"]
    if name == "enabled":
        return ["repair"] if transaction.under_way("/") is False else ["register"]
    if name == _REMOVAL:
        return [_REMOVAL] + list(argv) if argv else []
    raise ValueError("unknown scriptlet %r" % name)


def main(name: str, argv: Sequence[str]) -> int:
    """Run a scriptlet and return 0; only ``changed``, which systemd runs as a service, returns a real status."""
    if name == _CHANGED:
        from . import changed

        return changed.main()
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # if it is ignored, the exit status of a child is lost
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, signal.default_int_handler)
        arguments = arguments_for(name, argv)
        database_state = transaction.state("/") if name == "trigger" else ""
        # The first trigger of a transaction runs after all packages are installed or erased, so one run is enough.
        if arguments and not (list(argv) == ["un"] and transaction.noted("/", database_state)):
            _supervise(arguments, name == "trigger", Log(stderr=False))
            if database_state:
                transaction.note("/", database_state)  # even if it failed, so that no transaction waits for it twice
    except BaseException:  # never let an exception fail the rpm transaction
        pass
    return 0


def _supervise(arguments: List[str], survey: bool, log: Log) -> None:
    end = time.monotonic() + DEADLINE
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _work(arguments, survey, writing)
    os.close(writing)
    os.set_blocking(reading, False)
    try:
        output, status = _watch(child, reading, end)
    except KeyboardInterrupt:
        os.kill(child, signal.SIGTERM)  # it cleans up and ends
        return
    if status is None:
        os.killpg(child, signal.SIGKILL)  # the child has its own session, with all that it started
        log.error("%s did not end within %.0f s and was killed; run: %s repair" % (
            " ".join(arguments), DEADLINE, PROGRAM))
        return
    if os.WIFSIGNALED(status):
        log.error("%s was killed by signal %d" % (" ".join(arguments), os.WTERMSIG(status)))
    for line in output.decode("utf-8", "replace").split("\n"):
        if line.strip():
            log.info(line)


def _watch(child: int, reading: int, end: float) -> Tuple[bytes, Optional[int]]:
    """Return the output of a child and its status, or None as the status when the time is up."""
    output = b""
    ended = 0
    while not ended:
        ready, _, _ = select.select([reading], [], [], _POLL)
        if time.monotonic() > end:
            return output, None
        # Check for its end before reading: its last output is in the pipe by then.
        ended, status = os.waitpid(child, os.WNOHANG)
        if ready or ended:
            output = (output + _available(reading))[-_KEPT:]
            if ready and not ended:
                time.sleep(_POLL / 10)  # a closed pipe is always ready
    return output, status


def _available(descriptor: int) -> bytes:
    """Return what can be read from a pipe now."""
    try:
        return os.read(descriptor, _KEPT)
    except BlockingIOError:
        return b""


def _work(arguments: List[str], survey: bool, output: int) -> None:
    """Do the work in the child, and then log faults of other sockets (``survey``); never returns."""
    try:
        os.setsid()
        # If rpm has closed 0, 1 and 2, these descriptors have their numbers: move them away.
        output = fcntl.fcntl(output, fcntl.F_DUPFD_CLOEXEC, 3)
        nothing = fcntl.fcntl(os.open(os.devnull, os.O_RDWR), fcntl.F_DUPFD_CLOEXEC, 3)
        os.dup2(nothing, 0)
        os.dup2(nothing, 1)
        os.dup2(output, 2)
        os.umask(0o022)
        os.chdir("/")
        # rpm may have closed them; they stay open to the end.
        sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w", 1)  # noqa: SIM115
        from . import cli
        from .doors.deadline import Deadline
        from .doors.run import forget_the_caller
        from .model.errors import HelperError
        from .sources.hostkind import HEEDED

        forget_the_caller(HEEDED)

        log, end = Log(stderr=False), Deadline(_CHILD_DEADLINE)
        try:
            if arguments[0] == _REMOVAL:
                from .repair import removal

                removal.run(arguments[1:], log, end)
            else:
                cli.run(cli.parse(["--quiet", "--timeout", "%g" % _CHILD_DEADLINE] + arguments), log)
            if survey:
                from .repair.survey import tell

                tell(log, end)
        except HelperError as error:
            log.error(str(error))
        except KeyboardInterrupt:
            log.error("interrupted; run: %s repair" % PROGRAM)
        except Exception as error:
            log.error(cli.internal_error(error))
    finally:
        os._exit(0)
