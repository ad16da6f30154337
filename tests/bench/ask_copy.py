"""Asks a process's own copy of the label database for the same paths."""

import sys

top, base, pid, *paths = sys.argv[1:]
sys.path.insert(0, top)

from foreman_selinux_helpers import heldcopy  # noqa: E402

found = heldcopy.ask(int(pid), paths, base.rpartition("/")[0])
if found.unseen or len(found.answers) != len(paths):
    raise SystemExit("it cannot be asked: %s" % found.unseen)
