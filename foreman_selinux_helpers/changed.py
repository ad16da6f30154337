"""The program of foreman-selinux-helpers.service: repair after a change until nothing has changed meanwhile.

While a service runs, systemd does not watch the paths that start it (systemd.path(5)).  This module detects a
change during a repair by the directories in which libsemanage and administrators replace files.
"""

import glob
import os
import time

from .doors.profilefiles import ADMIN_DIR, VENDOR_DIR
from .model.typed import List, Tuple
from .repair import transaction

# Wait for the end of a burst of changes, so that one repair follows it.
_SETTLE = 2.0
# The longest wait for an rpm transaction: its triggers repair at its end, and then nothing remains to be done.
_PATIENCE = 600.0
_POLL = 1.0
# On a host that changes all the time, the next change starts the next repair.
_MOST = 5
_LIMIT = 180.0
_WATCHED = ("etc/selinux/*/contexts/files", "etc/selinux/*/policy", VENDOR_DIR, ADMIN_DIR)


def main() -> int:
    """Repair, and repeat it if something has changed meanwhile; return the exit status of the last repair."""
    from . import cli

    status, end = 0, time.monotonic() + _PATIENCE
    for _ in range(_MOST):
        _rest(end)
        before = state("/")
        status = cli.main(["--quiet", "--timeout", "%g" % _LIMIT, "repair"])
        if state("/") == before:
            break
    return status


def state(root: str) -> List[Tuple[str, int, int]]:
    """Return a state that changes with each commit to a policy store and with each profile."""
    directories = []
    for pattern in _WATCHED:
        for path in sorted(glob.glob(os.path.join(root, pattern))):
            try:
                status = os.stat(path)
            except OSError:
                continue
            directories.append((path, status.st_ino, status.st_mtime_ns))
    return directories


def _rest(end: float) -> None:
    """Wait until changes have settled and, at most until ``end``, no rpm transaction is running."""
    time.sleep(_SETTLE)
    while transaction.under_way("/") and time.monotonic() < end:
        time.sleep(_POLL)
