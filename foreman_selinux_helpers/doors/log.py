"""Diagnostics: to standard error for who runs the command, and to the journal for who comes later."""

import os
import sys
import syslog
import time

from .. import PROGRAM
from ..model.layout import printable

_PRIORITIES = {"error": syslog.LOG_ERR, "warning": syslog.LOG_WARNING, "info": syslog.LOG_INFO}
_DEVICE = "/dev/log"
# For a journal that is busy; after that it hears no more from us.
_PATIENCE = 1.0


def one_line(message: str) -> str:
    """Return a message as one line that can be printed anywhere."""
    return printable(message.encode("utf-8", "backslashreplace").decode("utf-8").replace("\n", " "))


class Log:
    """Where one run's diagnostics go.

    ``verbosity``: -1 only errors on standard error, 0 warnings too, 1 everything.  The journal
    gets everything, as syslog(3) would tell it: so it works without a journal as well, and silently
    does nothing in a chroot.  But syslog(3) waits for a journal that is stuck, for ever.
    """

    def __init__(self, verbosity: int = 0, stderr: bool = True) -> None:
        self._verbosity = verbosity
        self._stderr = stderr
        self._heard = True

    def error(self, message: str) -> None:
        """Tell what failed."""
        self._emit("error", message, True)

    def warning(self, message: str) -> None:
        """Tell what needs somebody's attention."""
        self._emit("warning", message, self._verbosity >= 0)

    def info(self, message: str) -> None:
        """Tell what was done."""
        self._emit("info", message, self._verbosity >= 1)

    def _emit(self, level: str, message: str, show: bool) -> None:
        message = one_line(message)
        if show and self._stderr and sys.stderr is not None:
            try:
                sys.stderr.write("%s: %s\n" % (PROGRAM, message))
            except (OSError, ValueError):
                pass  # a closed standard error must not stop a repair
        if self._heard:
            self._heard = _told_journal(_PRIORITIES[level], message)


def _told_journal(priority: int, message: str) -> bool:
    """Give the journal a message; return False if it did not take it in time."""
    import socket

    # The oldest form of it (RFC 3164), which all know.
    line = "<%d>%s %s[%d]: %s" % (syslog.LOG_DAEMON | priority, time.strftime("%b %e %H:%M:%S"), PROGRAM,
                                  os.getpid(), message)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
            journal.settimeout(_PATIENCE)
            journal.connect(_DEVICE)
            journal.send(line.encode("utf-8"))
    except socket.timeout:
        return False
    except OSError:
        pass  # nobody is there, which may change
    return True
