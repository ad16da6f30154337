"""Asks a process's own copy of the label database for paths; for process 0, the files on disk."""

import gc
import os
import sys

gc.disable()  # as the command runs, and ends
top, root, policy, pid, *paths = sys.argv[1:]
sys.path.insert(0, top)

from foreman_selinux_helpers.doors import heldcopy, labeldatabase, selinuxlib  # noqa: E402

if pid == "0":
    database = labeldatabase.LabelDatabase(root, policy)
    for path in paths:
        database.lookup(path)
else:
    found = heldcopy.ask(int(pid), paths, selinuxlib.label_directory(root, policy))
    if found.unseen or len(found.answers) != len(paths):
        raise SystemExit("it cannot be asked: %s" % found.unseen)
os._exit(0)
