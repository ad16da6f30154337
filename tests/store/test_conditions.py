"""docs/conditions.md, row by row: each condition is made, and what the user sees must be what the page says."""

import fcntl
import json
import os
import signal
import stat
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from .. import pages, schema
from ..policyroot import POLICY
from . import steps
from .test_register import PROFILE

ROWS = pages.table("conditions.md", "The rules")
STATE = "var/lib/foreman-selinux-helpers"
VENDOR = "usr/share/foreman-selinux-helpers/profiles.d"
OURS = {"/run/foo\\.sock": "system_u:object_r:foo_var_run_t"}
CONDITIONS = {}


class Outcome:
    """What the user sees, and what is there afterwards."""

    def __init__(self, status, said):
        self.status, self.said = status, said


def condition(function):
    """Let a function make the condition of the row whose words are its docstring, and run the command in it."""
    CONDITIONS[function.__doc__] = function
    return function


def run(root, *arguments, **options):
    done = subprocess.run([*options.pop("before", ()), *steps.command(root.path, *arguments)], check=False,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
                          universal_newlines=True, **options)
    return answered(done.returncode, done.stdout, done.stderr)


def answered(status, printed, said):
    """A run that failed has printed one document, which has the line that standard error has."""
    document = json.loads(printed)
    schema.check_if_possible(document)
    assert document["ok"] or status
    assert "error" not in document or (status and "foreman-selinux-helpers: %s\n" % document["error"] in said)
    return Outcome(status, said)


def at(root, call, how, about, verb="register"):
    """Run a command that is stopped at the first call that is about something."""
    copy = root.path.parent / "copy"
    subprocess.check_call(["cp", "-a", str(root.path), str(copy)])
    found = steps.enumerate_steps(steps.command(copy, verb), copy, root.path.parent / "trace")
    step = next(one for one in found if one.call == call and one.about.endswith(about))
    done = steps.stopped(steps.command(root.path, verb), step, how)
    return answered(done.returncode, done.stdout, done.stderr) if done.returncode >= 0 else Outcome(done.returncode, done.stderr)


@contextmanager
def locked(path):
    descriptor = os.open(str(path), os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@condition
def another_program_holds_the_lock(root):
    """another program holds the policy store's lock until the time is up"""
    with locked(root.path / "var/lib/selinux" / POLICY / "semanage.trans.LOCK"):
        return run(root, "--timeout", "1", "register")


@condition
def another_run_is_at_work(root):
    """another run of this command is at work until the time is up"""
    (root.path / STATE).mkdir(parents=True)
    (root.path / STATE / "lock").touch()
    with locked(root.path / STATE / "lock"):
        return run(root, "--timeout", "1", "register")


@condition
def interrupted_while_waiting(root):
    """SIGTERM or Ctrl-C, while it waits for a lock"""
    with locked(root.path / "var/lib/selinux" / POLICY / "semanage.trans.LOCK"):
        running = subprocess.Popen(steps.command(root.path, "register"), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
        time.sleep(1)
        running.send_signal(signal.SIGTERM)
        printed, said = running.communicate(timeout=20)
    return answered(running.returncode, printed, said)


@condition
def interrupted_in_a_commit(root):
    """SIGTERM or Ctrl-C, in the middle of a commit"""
    return at(root, "fsync", "signal=TERM", "file_contexts.local.tmp")


@condition
def killed_in_a_commit(root):
    """killed, or the power fails, in the middle of a commit"""
    return at(root, "fsync", "signal=KILL", "file_contexts.local.tmp")


@condition
def killed_between_the_renames(root):
    """killed between the two renames that make libsemanage's commit"""
    copy = root.path.parent / "copy"
    subprocess.check_call(["cp", "-a", str(root.path), str(copy)])
    found = steps.enumerate_steps(steps.command(copy, "register"), copy, root.path.parent / "trace")
    renames = [one for one in found if one.call == "rename" and one.about.endswith("/active")]
    done = steps.stopped(steps.command(root.path, "register"), renames[-1], "signal=KILL")
    assert not (root.path / "var/lib/selinux" / POLICY / "active").exists()
    return Outcome(done.returncode, done.stderr)


@condition
def no_space_in_the_store(root):
    """no space is left for the policy store"""
    return at(root, "write", "error=ENOSPC", "policy.kern.tmp")


@condition
def no_space_for_the_record(root):
    """no space is left for the record of our rules"""
    (root.path / STATE).mkdir(parents=True)
    size = ["mount", "-t", "tmpfs", "-o", "size=4k,nr_inodes=3,mode=755", "none", str(root.path / STATE)]
    script = "%s && : > %s/lock && : > %s/full && exec \"$@\"" % (" ".join(size), root.path / STATE, root.path / STATE)
    return run(root, "register", before=["unshare", "--mount", "/bin/sh", "-c", script, "sh"])


@condition
def a_read_only_file_system(root):
    """the file system is read-only"""
    script = "mount --bind %s %s && mount -o remount,ro,bind %s && exec \"$@\"" % ((root.path,) * 3)
    return run(root, "register", before=["unshare", "--mount", "/bin/sh", "-c", script, "sh"])


@condition
def a_program_of_libsemanage_is_missing(root):
    """a program that libsemanage runs (`sefcontext_compile`, `setfiles`) cannot be started"""
    return at_fork(root, "error=EAGAIN")


def at_fork(root, how):
    copy = root.path.parent / "copy"
    subprocess.check_call(["cp", "-a", str(root.path), str(copy)])
    found = steps.enumerate_steps(steps.command(copy, "register"), copy, root.path.parent / "trace")
    done = steps.stopped(steps.command(root.path, "register"), next(one for one in found if "fork" in one.call), how)
    return Outcome(done.returncode, done.stderr)


@condition
def no_policy_store(root):
    """there is no policy store"""
    (root.path / "var/lib/selinux").rename(root.path / "var/lib/elsewhere")
    return run(root, "register")


@condition
def a_damaged_record(root):
    """the record of our rules is damaged"""
    run(root, "register")
    (root.path / STATE / "default.json").write_text("{")
    return run(root, "unregister")


@condition
def a_record_others_can_write(root):
    """others than root can write the record of our rules, or a directory on its way"""
    run(root, "register")
    (root.path / "var/lib").chmod(0o777)
    return run(root, "unregister")


@condition
def a_profile_others_can_write(root):
    """others than root can write a profile"""
    (root.path / VENDOR / "foo.conf").chmod(0o666)
    return run(root, "register")


@condition
def a_directory_others_can_write(root):
    """others than root can write a directory on the way to the profiles"""
    (root.path / "usr/share").chmod(0o775)
    return run(root, "register")


@condition
def a_profile_that_is_a_link(root):
    """a profile is a symbolic link (but to /dev/null, which masks it)"""
    (root.path / VENDOR / "foo.conf").rename(root.path / "foo")
    (root.path / VENDOR / "foo.conf").symlink_to(root.path / "foo")
    return run(root, "register")


@condition
def a_profile_that_is_none(root):
    """a profile does not parse"""
    (root.path / VENDOR / "foo.conf").write_text("[foo.socket]\ntype = a b\n")
    return run(root, "register")


@condition
def a_regex_that_explodes(root):
    """a profile's regex repeats a group that ends in a repetition"""
    (root.path / VENDOR / "foo.conf").write_text(PROFILE + "regex = /run/(a+)+b\n")
    return run(root, "register")


@condition
def an_unknown_type(root):
    """a profile's type is not in the policy"""
    (root.path / VENDOR / "foo.conf").write_text(PROFILE.replace("foo_var_run_t", "no_such_t"))
    return run(root, "register")


@condition
def an_administrators_rule(root):
    """the administrator has a rule of another type for the same path"""
    subprocess.check_call([sys.executable, "-I", str(Path(__file__).parent / "administrator.py"), str(root.path),
                           POLICY, "/run/foo\\.sock", "system_u:object_r:run_t"])
    return run(root, "register")


@condition
def not_root(root):
    """who calls is not root"""
    for parent in [root.path, *root.path.parents][:3]:
        parent.chmod(stat.S_IMODE(parent.stat().st_mode) | 0o755)
    return run(root, "register", before=["setpriv", "--reuid=65534", "--clear-groups"])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_the_row_is_what_happens(small, row):
    words, happens, status, message = row
    small.profile("foo", PROFILE)
    if "the others are served" in happens:
        small.profile("bar", PROFILE.replace("foo.s", "bar.s"))
    before = theirs(words)
    done = CONDITIONS[words](small)
    assert done.status == (-signal.SIGKILL if status == "killed" else int(status)), (done.status, done.said)
    assert "Traceback" not in done.said
    if message == "nothing":
        assert done.said == ""
    else:
        assert done.said.count("\n") <= 1 + (done.status > 128), done.said
        assert pages.says(message, done.said), done.said
    there = steps.local_rules(small.path)
    assert ("/run/bar\\.sock" in there) == ("the others are served" in happens)
    there.pop("/run/bar\\.sock", None)
    if happens.startswith("nothing is changed"):
        assert there == before
    elif happens.startswith("the rule is added"):
        assert there == OURS
    if "the next run makes it right" in happens:
        assert run(small, "register").status == 0
        assert steps.local_rules(small.path) == steps.recorded(small.path) == OURS
    else:
        assert happens.startswith(("nothing is changed", "the rule is added")), happens


def theirs(words):
    """Return the rules that are there already when the condition is made."""
    if "administrator" in words:
        return {"/run/foo\\.sock": "system_u:object_r:run_t"}
    return OURS if "the record of our rules is damaged" in words or "write the record" in words else {}


def test_every_condition_has_its_row():
    assert [row[0] for row in ROWS] == list(CONDITIONS)
