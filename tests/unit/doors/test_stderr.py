"""What libraries and their children print to standard error, in a process of its own."""

import errno
import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

from foreman_selinux_helpers.doors import behaviour, labeldatabase
from foreman_selinux_helpers.model.errors import HelperError
from foreman_selinux_helpers.model.winner import Order

TOP = Path(__file__).resolve().parents[3]

PROGRAM = """
import os, subprocess, sys
from foreman_selinux_helpers.doors.stderr import standard_error_kept
before = sorted(os.listdir("/proc/self/fd"))
os.system("echo before >&2")
with standard_error_kept() as said:
    os.system("echo first >&2")
    kept = said()
    os.write(2, b"second\\xff\\n")
    kept2 = said()
    os.system("head -c 300000 /dev/zero >&2")
    kept3 = said()
os.system("echo after >&2")
assert sorted(os.listdir("/proc/self/fd")) == before, before
print(ascii((kept, kept2, len(kept3))))
"""
KEPT = ascii(("first\n", "first\nsecond\ufffd\n", 65536 + len("first\nsecond?\n"))) + "\n"


@pytest.mark.parametrize(("closed", "shown"), [("", "before\nafter\n"), ("2>&-", ""), ("0<&- 2>&-", "")])
def test_what_is_printed_is_kept_and_nobody_waits(closed, shown):
    done = subprocess.run(["/bin/sh", "-c", 'exec "$@" %s' % closed, "sh", sys.executable, "-c", PROGRAM],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True, timeout=60, cwd=str(TOP))
    assert (done.returncode, done.stdout) == (0, KEPT)
    assert done.stderr == shown


def test_what_libselinux_prints_at_a_look_up_is_kept(monkeypatch, capfd):
    """libselinux compiles a regex when it first needs it, and complains by itself."""
    def look_up(_, path, __):
        os.write(2, b"Failed to compile  regular expression\nFailed to compile regular expression\n")
        if path == "/labelled":
            return [0, "u:r:t"]
        raise OSError(errno.ENOENT if path == "/none" else errno.EINVAL, "Invalid argument")
    monkeypatch.setitem(sys.modules, "selinux", types.SimpleNamespace(
        SELABEL_CTX_FILE=0, selabel_open=lambda *_: 1, selabel_close=lambda _: None, selabel_lookup_raw=look_up))
    monkeypatch.setattr(behaviour, "label_order", Order)
    database = labeldatabase.LabelDatabase("/", "no-such-policy")
    assert (database.lookup("/labelled"), database.lookup("/none")) == ("u:r:t", None)
    assert database.verdict("/wrong", "socket").rule is None
    with pytest.raises(HelperError, match="cannot look up '/wrong': Failed to compile regular expression$"):
        database.lookup("/wrong")
    assert capfd.readouterr() == ("", "")
