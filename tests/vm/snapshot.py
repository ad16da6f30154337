"""Runs in the guest: prints what is on the host, a line for each thing, so that two snapshots can be compared."""

import hashlib
import os
import subprocess

# What daemons and rpm itself keep, and where the test puts its packages.
_LEFT_OUT = ("/dev", "/proc", "/root", "/run/log", "/run/systemd", "/run/udev", "/sys", "/var/cache", "/var/log")
# Where contents count as well.
_CONTENTS = ("/etc/", "/var/lib/selinux/", "/var/lib/foreman", "/usr/lib/systemd/")
# It only ever grows.
_COUNTER = "commit_num"
_COMMANDS = ("semanage fcontext -l -C", "semodule -lfull", "systemctl list-unit-files --no-legend --no-pager",
             "systemctl list-units --all --plain --no-legend --no-pager")


def describe(path):
    """Return a file in one line: type and mode, owner, label, and what it says where that counts."""
    status = os.lstat(path)
    try:
        label = os.getxattr(path, "security.selinux", follow_symlinks=False).rstrip(b"\0").decode()
    except OSError:
        label = "-"
    words = [path, "%o" % status.st_mode, "%d:%d" % (status.st_uid, status.st_gid), label]
    if os.path.islink(path):
        words.append(os.readlink(path))
    elif path.startswith(_CONTENTS) and os.path.isfile(path) and os.path.basename(path) != _COUNTER \
            and "/modules/" not in path:
        with open(path, "rb") as stream:
            words.append(hashlib.sha256(stream.read()).hexdigest())
    return " ".join(words)


def main():
    """Print all of it."""
    for top, directories, files in os.walk("/"):
        directories[:] = [name for name in directories if os.path.join(top, name) not in _LEFT_OUT]
        for name in directories + files:
            print(describe(os.path.join(top, name)))
    for command in _COMMANDS:
        for line in subprocess.check_output(command.split(), universal_newlines=True).split("\n"):
            print(command, ":", *line.split())


main()
