"""What looking costs at least: libselinux's answer, the unit as systemd sees it, the label of the socket."""

import os
import stat
import subprocess
import sys

import selinux

unit, path = sys.argv[1:]
handle = selinux.selabel_open(selinux.SELABEL_CTX_FILE, None, 0)
selinux.selabel_lookup_raw(handle, path, stat.S_IFSOCK)
subprocess.check_output(["/usr/bin/systemctl", "show", "--property=Listen,ActiveState", unit])
os.getxattr(path, "security.selinux", follow_symlinks=False)
