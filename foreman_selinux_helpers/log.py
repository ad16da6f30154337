"""Diagnostics: to standard error for who runs the command, and to the journal for who comes later."""

import sys
import syslog

from .layout import printable

IDENTIFIER = "foreman-selinux-helpers"

_PRIORITIES = {"error": syslog.LOG_ERR, "warning": syslog.LOG_WARNING, "info": syslog.LOG_INFO}


class Log:
    """Where one run's diagnostics go.

    ``verbosity``: -1 only errors on standard error, 0 warnings too, 1 everything.  The journal
    always gets everything.  syslog(3) is used since it works without a journal as well, and
    silently does nothing in a chroot.
    """

    def __init__(self, verbosity: int = 0, stderr: bool = True) -> None:
        self._verbosity = verbosity
        self._stderr = stderr
        self._open = False

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
        message = printable(message.encode("utf-8", "backslashreplace").decode("utf-8").replace("\n", " "))
        if show and self._stderr and sys.stderr is not None:
            try:
                sys.stderr.write("%s: %s\n" % (IDENTIFIER, message))
            except (OSError, ValueError):
                pass  # a closed standard error must not stop a repair
        if not self._open:
            syslog.openlog(IDENTIFIER, syslog.LOG_PID, syslog.LOG_DAEMON)
            self._open = True
        syslog.syslog(_PRIORITIES[level], message)
