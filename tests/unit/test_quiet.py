"""What libraries and their children print to standard error, in a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parent.parent.parent

PROGRAM = """
import os, subprocess, sys
from foreman_selinux_helpers.quiet import standard_error_kept
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
