"""Diagnostics: to standard error for the user, and to the journal for later reference."""

import os
import sys
import syslog
import time

from .. import PROGRAM
from ..model.layout import printable

_PRIORITIES = {"error": syslog.LOG_ERR, "warning": syslog.LOG_WARNING, "info": syslog.LOG_INFO}
_DEVICE = "/dev/log"
# Seconds to wait for a busy journal; after that nothing more is sent to it.
_PATIENCE = 1.0


def one_line(message: str) -> str:
    """Return a message as one line that can be printed anywhere."""
    return printable(message.encode("utf-8", "backslashreplace").decode("utf-8").replace("\n", " "))


class Log:
    """The destinations of one run's diagnostics.

    ``verbosity``: -1 prints only errors on standard error, 0 also warnings, 1 everything.  The journal
    gets everything, in the format of syslog(3): this works without a journal as well, and silently
    does nothing in a chroot.  syslog(3) itself would wait forever for a journal that is stuck.
    """

    def __init__(self, verbosity: int = 0, stderr: bool = True) -> None:
        self._verbosity = verbosity
        self._stderr = stderr
        self._heard = True

    def error(self, message: str) -> None:
        """Report what failed."""
        self._emit("error", message, True)

    def warning(self, message: str) -> None:
        """Report what needs attention."""
        self._emit("warning", message, self._verbosity >= 0)

    def info(self, message: str) -> None:
        """Report what was done."""
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
    """Send a message to the journal; return False if it did not accept it in time."""
    import socket

    # The oldest format (RFC 3164), which every syslog daemon accepts.
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
        pass  # no daemon is listening; one may be started later
    return True
