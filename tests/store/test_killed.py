"""Runs that are killed, interrupted, or fail, at every step that others can see."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ..policyroot import POLICY
from . import steps
from .test_register import PROFILE

REGEX, CONTEXT, OTHER = "/run/foo\\.sock", "system_u:object_r:foo_var_run_t", "system_u:object_r:alt_t"
ADMINS = {"/srv/theirs": OTHER}
THEIRS = Path(__file__).parent / "administrator.py"


@pytest.fixture(autouse=True)
def hang_up():
    """Let SIGHUP be heard, also where the tests were started with nohup(1)."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


class Scene:
    """A root as it is before a command is stopped, of which each attempt gets a copy."""

    def __init__(self, small, directory, verb):
        self.verb, self.directory = verb, directory
        self.before = directory / "before"
        self.root = directory / "tried"
        shutil.copytree(str(small.path), str(self.before), symlinks=True)
        profiles = self.before / "usr/share/foreman-selinux-helpers/profiles.d"
        profiles.mkdir(parents=True)
        (profiles / "foo.conf").write_text(PROFILE)
        administrate(self.before, ADMINS)
        if verb != "register":
            run(self.before, "register")
        if verb == "change":
            (profiles / "foo.conf").write_text(PROFILE.replace("foo_var_run_t", "alt_t"))
        self.verb = "unregister" if verb == "unregister" else "register"
        self.rules = {"register": {REGEX: CONTEXT}, "change": {REGEX: OTHER}, "unregister": {}}[verb]
        self.former = steps.recorded(self.before)

    def fresh(self):
        shutil.rmtree(str(self.root), ignore_errors=True)
        shutil.copytree(str(self.before), str(self.root), symlinks=True)
        return steps.command(self.root, self.verb)

    def steps(self):
        return steps.enumerate_steps(self.fresh(), self.root, self.directory / "trace")


def run(root, *arguments):
    done = subprocess.run(steps.command(root, *arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False, timeout=60, universal_newlines=True)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done


def administrate(root, rules):
    """Add local rules as semanage does, with the real library."""
    subprocess.check_call([sys.executable, "-I", str(THEIRS), str(root), POLICY,
                           *[word for rule in rules.items() for word in rule]], stdin=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL)


def check(scene, theirs):
    """The next run makes everything right, and unregister takes it all back."""
    run(scene.root, scene.verb)
    assert steps.local_rules(scene.root) == dict(theirs, **scene.rules)
    assert steps.recorded(scene.root) == scene.rules
    run(scene.root, "unregister")
    assert steps.local_rules(scene.root) == theirs
    assert steps.recorded(scene.root) == {}
    assert steps.left_behind(scene.root) == []
    assert listed(scene.root) == "plain\n"


def listed(root):
    """Have semodule open the store."""
    return subprocess.check_output(["semodule", "-p", str(root), "-s", POLICY, "-l"], universal_newlines=True)


@pytest.mark.parametrize("verb", ["register", "change", "unregister"])
def test_killed_before_each_step(small, place, verb):
    scene = Scene(small, place, verb)
    every = steps.distinct(scene.steps())
    assert len(every) > 60
    if verb == "change":
        every = [step for step in every if step.call in ("rename", "vfork")]
    states = set()
    for number, step in enumerate(every):
        done = steps.stopped(scene.fresh(), step, "signal=KILL")
        assert done.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL), step
        state = steps.digest(scene.root)
        if state in states:
            continue
        states.add(state)
        held = [one for one in steps.left_behind(scene.root) if one.endswith(("LOCK", "lock"))]
        assert held == [], step
        theirs = ADMINS
        if (scene.root / "var/lib/selinux" / POLICY / "active").exists():
            assert listed(scene.root) == "plain\n", step
            if number % 2:
                # Somebody else is first to open the store after it.
                theirs = dict(ADMINS, **{"/srv/more": OTHER})
                administrate(scene.root, theirs)
        else:
            assert step.call == "rename", step
        try:
            check(scene, theirs)
        except AssertionError as error:
            raise AssertionError("killed before %s: %s" % (step, error)) from error
    assert len(states) > len(every) / 2


def untouched_or_done(scene, done, why):
    """A run that was stopped in good order has left everything as it was, or has done it all."""
    # Python itself says so, in its own start.
    assert "Traceback" not in done.stderr or "foreman_selinux_helpers" not in done.stderr, (why, done.stderr)
    assert "internal error" not in done.stderr, why
    rules = steps.recorded(scene.root)
    assert rules in (scene.former, scene.rules), why
    assert steps.local_rules(scene.root) == dict(ADMINS, **rules), why
    return rules


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_interrupted_at_each_step(small, place, number):
    scene = Scene(small, place, "register" if number == signal.SIGTERM else "unregister")
    for step in steps.distinct(scene.steps())[::3]:
        done = steps.stopped(scene.fresh(), step, "signal=%d" % number)
        # Before Python runs, and after it has ended, the signal itself ends the process.
        assert done.returncode in (-number, 128 + number), (step, done)
        untouched_or_done(scene, done, step)
        assert steps.left_behind(scene.root) == [], step
    check(scene, ADMINS)


def test_interrupted_at_any_moment(small, place):
    """Signals come whenever they come: many at random, some of them while somebody else holds the lock."""
    scene = Scene(small, place, "register")
    chance = random.Random(5)
    temporary = set(os.listdir("/tmp"))
    outcomes = set()
    for attempt in range(40):
        argv = scene.fresh()
        other = None
        if attempt % 8 == 0:
            other = subprocess.Popen(["flock", str(scene.root / "var/lib/selinux" / POLICY / "semanage.trans.LOCK"),
                                      "sleep", "60"])
        running = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   universal_newlines=True)
        time.sleep(chance.uniform(0.5, 0.8) if other else chance.uniform(0.02, 0.2))
        number = chance.choice([signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
        running.send_signal(number)
        out, err = running.communicate(timeout=20)
        if other:
            other.terminate()
            other.wait()
        done = subprocess.CompletedProcess(argv, running.returncode, out, err)
        assert done.returncode in (0, -number, 128 + number) or "site" in err, done
        rules = untouched_or_done(scene, done, attempt)
        assert not other or (rules == {} and "interrupted" in err), (rules, err)
        # flock's own sleep may be its last holder for a moment.
        assert other or steps.left_behind(scene.root) == [], attempt
        outcomes.add((done.returncode == 0, bool(rules)))
    ours = [name for name in set(os.listdir("/tmp")) - temporary if os.lstat("/tmp/" + name).st_size == 0
            and name.startswith("tmp")]
    assert ours == []
    assert len(outcomes) > 1
    check(scene, ADMINS)


def test_a_signal_that_is_ignored_stops_nothing(small, place):
    """As nohup(1) has it: not even while somebody else holds the lock, where signals are held back."""
    scene = Scene(small, place, "register")
    argv = scene.fresh()
    with subprocess.Popen(["flock", "--no-fork", str(scene.root / "var/lib/selinux" / POLICY / "semanage.trans.LOCK"),
                           "sleep", "60"]) as other:
        time.sleep(0.2)
        running = subprocess.Popen(["nohup", *argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(1)
        running.send_signal(signal.SIGHUP)
        time.sleep(1)
        assert running.poll() is None
        other.terminate()
    running.communicate(timeout=20)
    assert (running.returncode, steps.recorded(scene.root)) == (0, scene.rules)


FAILURES = {"fsync": "EIO", "syncfs": "EIO", "unlink": "EROFS", "rmdir": "EROFS", "vfork": "EAGAIN", "flock": "ENOLCK"}
OTHERS = ("ENOSPC", "EACCES")  # what a full disk says, and what the kernel says where a policy forbids it


@pytest.mark.parametrize("verb", ["register", "unregister"])
def test_a_call_that_fails(small, place, verb):
    """A full or broken disk, a policy that forbids it, no processes, no locks: one line and exit status 1, or it does not matter."""
    scene = Scene(small, place, verb)
    failed, wrong = 0, []
    for number, step in enumerate(steps.distinct(scene.steps())):
        try:
            failed += fails(scene, step, FAILURES.get(step.call, OTHERS[number % 2]))
        except AssertionError as error:
            wrong.append("%s: %s" % (step, error))
    assert wrong == []
    assert failed > 20


def fails(scene, step, error):
    """Run a command whose call fails; return its exit status."""
    done = steps.stopped(scene.fresh(), step, "error=" + error)
    assert done.returncode in (0, 1), done
    assert "Traceback" not in done.stderr, done.stderr
    assert "internal error" not in done.stderr, done.stderr
    assert done.stderr.count("\n") == done.returncode, done.stderr
    if done.returncode == 0:
        assert steps.recorded(scene.root) == scene.rules
        assert steps.local_rules(scene.root) == dict(ADMINS, **scene.rules)
    check(scene, ADMINS)
    return done.returncode


CHROOT = """set -e
root=$1; shift
mount --make-rprivate /
for link in bin sbin lib lib64; do ln -sfn usr/$link $root/$link; done
mkdir -p $root/usr $root/dev $root/proc $root/package $root/tmp
mount --bind /dev $root/dev
mount --bind /usr $root/usr
mount --bind %s $root/package
cp /etc/passwd /etc/group /etc/nsswitch.conf /etc/ld.so.cache $root/etc/
exec chroot $root /usr/bin/python3 -IBc "$@"
""" % steps.TOP
SCRIPTLET = ("import sys; sys.path.insert(0, '/package'); from foreman_selinux_helpers import scriptlet; "
             "sys.exit(scriptlet.main(sys.argv[1], sys.argv[2:]))")


@pytest.mark.parametrize(("scriptlet", "victim"), [("posttrans", "it"), ("posttrans", "all"), ("preun", "it"), ("preun", "all")])
def test_a_scriptlet_that_is_killed(small, place, scriptlet, victim):
    """At twelve moments: with what it started, or it alone, as rpm might; what it started then goes on to the end."""
    scene = Scene(small, place, "register" if scriptlet == "posttrans" else "unregister")
    profiles = scene.before / "etc/foreman-selinux-helpers/profiles.d"
    profiles.mkdir(parents=True)
    # /usr is this machine's there.
    shutil.move(str(scene.before / "usr/share/foreman-selinux-helpers/profiles.d/foo.conf"), str(profiles / "foo.conf"))
    found = set()
    for moment in range(12):
        scene.fresh()
        running = subprocess.Popen(["unshare", "--mount", "/bin/bash", "-c", CHROOT, "chroot", str(scene.root), SCRIPTLET,
                                    scriptlet, "--all"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        time.sleep(0.06 + moment * 0.03)
        for pid in (children(running.pid) if victim == "all" else []) + [running.pid]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        out, err = running.communicate(timeout=60)
        assert (out, err) == (b"", b"")
        # What was killed is gone in a moment; what was not comes to its end.
        deadline = time.monotonic() + (30 if victim == "it" else 5)
        # A process that ends is nowhere before its locks are gone.
        while at_work_in(scene.root) or locked_or_left(scene.root, victim):
            assert time.monotonic() < deadline, (moment, locked_or_left(scene.root, victim))
            time.sleep(0.02)
        found.add(len(steps.local_rules(scene.root)))
        check(scene, ADMINS)
    assert found <= {1, 2}


def locked_or_left(root, victim):
    return [one for one in steps.left_behind(root) if victim == "it" or one.endswith(("LOCK", "lock"))]


def at_work_in(root):
    """Tell whether a process is left whose root directory this is."""
    for process in os.listdir("/proc"):
        try:
            if process.isdigit() and os.path.samefile("/proc/%s/root" % process, str(root)):
                return True
        except OSError:
            pass  # it has just ended
    return False


def children(pid):
    """Return the processes that a process started, deepest first."""
    listed = subprocess.run(["pgrep", "-P", str(pid)], stdout=subprocess.PIPE, check=False, universal_newlines=True)
    direct = [int(one) for one in listed.stdout.split()]
    return [one for child in direct for one in children(child)] + direct
