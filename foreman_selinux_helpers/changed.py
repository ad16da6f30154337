"""What foreman-selinux-helpers.service runs after a change: repairs until nothing has changed meanwhile.

While a service runs, systemd does not watch the paths that start it (systemd.path(5)).  So a change during a
repair has to be noticed here: by the directories that libsemanage and administrators replace files in.
"""

import glob
import os
import time

from .doors.profilefiles import ADMIN_DIR, VENDOR_DIR
from .model.typed import List, Tuple
from .repair import transaction

# A burst of changes ends, and is followed by one repair.
_SETTLE = 2.0
# For an rpm transaction, whose triggers repair at its end: then there is nothing left to do here.
_PATIENCE = 600.0
_POLL = 1.0
# A host that never rests has its next repair with the next change.
_MOST = 5
_LIMIT = 180.0
_WATCHED = ("etc/selinux/*/contexts/files", "etc/selinux/*/policy", VENDOR_DIR, ADMIN_DIR)


def main() -> int:
    """Repair, and again if something has changed meanwhile; return the exit status of the last repair."""
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
    """Return what changes with each commit to a policy store, and with each profile."""
    found = []
    for pattern in _WATCHED:
        for path in sorted(glob.glob(os.path.join(root, pattern))):
            try:
                status = os.stat(path)
            except OSError:
                continue
            found.append((path, status.st_ino, status.st_mtime_ns))
    return found


def _rest(end: float) -> None:
    """Wait until changes have settled and, not longer than to a point in time, no rpm transaction is going on."""
    time.sleep(_SETTLE)
    while transaction.under_way("/") and time.monotonic() < end:
        time.sleep(_POLL)
