"""Reads every process as ``stale`` does, with the database of a directory."""

import gc
import os
import sys

gc.disable()  # as the command runs, and ends
top, directory = sys.argv[1:]
sys.path.insert(0, top)

from foreman_selinux_helpers.sources import processes  # noqa: E402

found = processes.read(directory)
if (len(found.outdated), found.fresh) != (10, 0):
    raise SystemExit("%d processes are stale, and %d are not" % (len(found.outdated), found.fresh))
os._exit(0)
