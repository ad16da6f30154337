"""A signal at any point of a restart leaves neither the socket nor its service down.

One is sent before each line and, where this Python can tell, each opcode of ours and contextlib's.
"""

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

import foreman_selinux_helpers
from foreman_selinux_helpers.doors import interrupts, restartjournal, run, runfiles
from foreman_selinux_helpers.doors.deadline import Deadline
from foreman_selinux_helpers.doors.run import Runner
from foreman_selinux_helpers.doors.systemd import Systemd
from foreman_selinux_helpers.model.errors import HelperError
from foreman_selinux_helpers.model.units import Service, SocketUnit
from foreman_selinux_helpers.repair.restarts import Restarts

PACKAGE = os.path.dirname(foreman_selinux_helpers.__file__)
SOCKET, SERVICE = UNITS = ("foo.socket", "foo.service")
UNIT = SocketUnit(SOCKET, "loaded", "active", ("/run/foo.sock",), Service(SERVICE, True, False, None))
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)
OPCODES = sys.version_info >= (3, 7)


class Manager:
    """Keeps the states of the two units, and runs jobs in systemd's order.

    ``slow``: the service does not stop before time has passed.
    """

    def __init__(self, up=UNITS, slow=False):
        self.up = set(up)
        self.slow = slow
        self.stopping = False
        self.jobs = {}
        self.orders = []
        self.waited_in_vain = False

    def systemctl(self, argv):
        """Return the exit status and what is printed, or None as long as the job is not done."""
        words = [one for one in argv[1:] if one not in ("--", "--no-block")]
        if words[0] == "show":
            return 0, self.show(words), ""
        verb, unit = words
        self.orders.append((verb, unit))
        # A restart that is asked to start is still a restart.
        self.jobs[unit] = "restart" if (verb, self.jobs.get(unit)) == ("start", "restart") else verb
        failed = self.work()
        if "--no-block" in argv:
            return 0, "", ""
        if unit in self.jobs:
            self.waited_in_vain = True
            return None
        return int(unit in failed), "", "Job for %s failed." % unit if unit in failed else ""

    def show(self, words):
        return "\n".join(
            "Id=%s\nLoadState=loaded\nActiveState=%s\nTriggers=%s\n" % (
                one, "active" if one in self.up else "deactivating" if one == SERVICE and self.stopping else "inactive",
                SERVICE if one == SOCKET else "") for one in words if one in UNITS)

    def work(self):
        """Run each job that may run; return the units whose start failed."""
        failed = set()
        while any(self.step(unit, failed) for unit in UNITS):
            pass
        return failed

    def step(self, unit, failed):
        job = self.jobs.get(unit)
        other = self.jobs.get(SOCKET if unit == SERVICE else SERVICE)
        if job in ("stop", "restart"):
            if unit == SERVICE and unit in self.up:
                self.stopping = self.slow
            self.up.discard(unit)
            if unit == SERVICE and self.stopping:
                return False
            self.jobs.pop(unit)
            if job == "restart":
                self.jobs[unit] = "start"
            return True
        if job is None or (unit == SOCKET and other in ("stop", "restart")) or (unit == SERVICE and other) \
                or (unit == SERVICE and self.stopping):
            return False  # a stop goes before a start, and a socket's start before its service's
        self.jobs.pop(unit)
        if unit == SOCKET and unit not in self.up and (SERVICE in self.up or self.stopping):
            failed.add(unit)  # socket_start(): "Socket service %s already active, refusing."
        else:
            self.up.add(unit)
        return True

    def let_time_pass(self):
        self.slow = self.stopping = False
        self.work()


class Process:
    """Stands in for subprocess.Popen: a systemctl of ``manager``, for which time passes as soon as it is waited for."""

    manager = None
    skipped = 0.0

    def __init__(self, argv, **_):
        self.args = argv
        self.done = self.manager.systemctl(argv)
        self.returncode = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.returncode = -9 if self.done is None else self.done[0]

    def communicate(self, _, timeout):
        if self.done is None:
            Process.skipped += timeout
            raise subprocess.TimeoutExpired(self.args, timeout)
        self.returncode = self.done[0]
        return self.done[1].encode(), self.done[2].encode()

    def kill(self):
        """The job goes on without systemctl."""

    @classmethod
    def monotonic(cls):
        return time.monotonic() + cls.skipped


class Injection:
    """Counts the events in some files, and sends a signal at one of them."""

    def __init__(self, files, opcodes, at=None, send=None):
        self.files, self.opcodes, self.at, self.send = files, opcodes, at, send
        self.count = 0
        self.place = None

    def __enter__(self):
        sys.settrace(self.call)
        return self

    def __exit__(self, *_):
        sys.settrace(None)

    def call(self, frame, event, argument):
        if not frame.f_code.co_filename.startswith(self.files):
            return None
        if self.opcodes:
            frame.f_trace_opcodes = True
        return self.event(frame, event, argument)

    def event(self, frame, event, _):
        if event != "exception" and (event == "opcode") <= self.opcodes:
            self.count += 1
            if self.count - 1 == self.at:
                self.place = "%s:%s %s" % (os.path.basename(frame.f_code.co_filename), frame.f_lineno, event)
                sys.settrace(None)
                self.send()
                for _ in range(3):
                    pass  # Python runs the handler now
        return self.event


def restart(door, notes):
    Restarts(door, notes).restart(UNIT)


def start(door, notes):
    Restarts(door, notes).start(restartjournal._noted(notes._descriptor))


@pytest.fixture(autouse=True)
def signals_as_they_are():
    """Nothing is held back or ignored by who runs the tests."""
    mask = signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    before = [signal.signal(number, signal.SIG_DFL) for number in SIGNALS]
    yield
    assert signal.pthread_sigmask(signal.SIG_SETMASK, mask).isdisjoint(SIGNALS)
    for number, handler in zip(SIGNALS, before):
        signal.signal(number, handler)


def forget_frames(error):
    while error is not None:
        error.__traceback__ = None
        error = error.__context__


class Scene:
    """Runs ``what`` again and again, each time with a signal at another event."""

    def __init__(self, monkeypatch, directory, what, noted=()):
        self.monkeypatch, self.directory, self.what, self.noted = monkeypatch, directory, what, noted
        self.runs = itertools.count()

    def run(self, injection, number=None):
        """Do it once; return what was raised, and the units that are noted afterwards."""
        place = str(self.directory / str(next(self.runs)))
        self.monkeypatch.setattr(runfiles, "DIRECTORY", place)
        deadline = Deadline(60)
        with restartjournal.alone(deadline) as notes:
            notes.note(self.noted)

        def send():
            if number == signal.SIGALRM:
                deadline._end = time.monotonic() - 1
            # To this thread: others, as test runners have, do not block it.
            signal.pthread_kill(threading.main_thread().ident, number)
        injection.send = send
        raised = None
        try:
            with interrupts.heard(deadline), injection, restartjournal.alone(deadline) as notes:
                self.what(Systemd(Runner(deadline)), notes)
        except (KeyboardInterrupt, HelperError) as error:
            raised = error
            # What is left of a context manager that a signal has cut short ends now, not in the next run.
            forget_frames(raised)
        return raised, sorted(os.listdir(place)) if os.path.isdir(place) else []


def check(scene, monkeypatch, manager, opcodes):
    """Send a signal at each event: all four kinds at each line, and one kind after the other at each opcode."""
    monkeypatch.setattr(subprocess, "Popen", Process)
    monkeypatch.setattr(run, "time", Process, raising=False)
    monkeypatch.setattr(run, "_POLL", 20.0, raising=False)

    def once(at, number=None):
        current = Process.manager = manager()
        injection = Injection((PACKAGE, contextlib.__file__), opcodes, at)
        raised, noted = scene.run(injection, number)
        current.let_time_pass()
        return current, injection, raised, noted
    current, injection, raised, noted = once(None)
    assert (current.up, noted) == (set(UNITS), [])
    assert (raised is None) == (not current.waited_in_vain)
    count, failures = injection.count, []
    assert count > (1000 if opcodes else 100)
    for at in range(count):
        for number in [SIGNALS[at % len(SIGNALS)]] if opcodes else SIGNALS:
            current, injection, raised, noted = once(at, number)
            heard = number == signal.SIGALRM or (isinstance(raised, KeyboardInterrupt) and raised.args == (number,))
            # What a killed run has left down may stay so, and noted, where nothing has been done yet.
            untouched = scene.noted and not current.orders and noted == sorted(scene.noted)
            right = (current.up, noted) == (set(UNITS), []) or untouched
            if not heard or not right or not injection.place:
                failures.append((injection.place, signal.Signals(number).name, raised, sorted(current.up), noted))
    assert not failures, "%d of %d runs:\n%s" % (len(failures), count * (1 if opcodes else len(SIGNALS)),
                                                 "\n".join(map(str, failures)))


GRAINS = [False, True] if OPCODES else [False]


@pytest.mark.parametrize("opcodes", GRAINS)
@pytest.mark.parametrize("slow", [False, True])
def test_both_are_up_after_a_signal_anywhere_in_a_restart(monkeypatch, tmp_path, slow, opcodes):
    check(Scene(monkeypatch, tmp_path, restart), monkeypatch, lambda: Manager(slow=slow), opcodes)


@pytest.mark.parametrize(("up", "noted", "opcodes"), [
    ((), UNITS, False), *[((SERVICE,), (SOCKET,), one) for one in GRAINS]])
def test_both_are_up_after_a_signal_anywhere_in_the_start_of_what_was_left(monkeypatch, tmp_path, up, noted, opcodes):
    check(Scene(monkeypatch, tmp_path, start, noted), monkeypatch, lambda: Manager(up=up), opcodes)


# Not a shell: dash unblocks all signals when it starts.
SYSTEMCTL = """#!{python} -IS
import os, sys, time
os.chdir({directory!r})
with open("orders", "a") as orders:
    orders.write(" ".join(sys.argv[1:]) + "\\n")
if sys.argv[1] == "--no-block":
    sys.exit()
verb, _, unit = sys.argv[1:]
if (verb, unit) == ("stop", "foo.service"):
    time.sleep({stop})
if (verb, unit) == ("start", "foo.socket") and open("foo.service").read() == "up":
    sys.exit(1)
open(unit, "w").write("down" if verb == "stop" else "up")
"""
PROGRAM = """
import sys
sys.path.insert(0, {top!r})
from foreman_selinux_helpers.doors import interrupts, systemd
from foreman_selinux_helpers.doors import restartjournal, runfiles
from tests.unit.repair.test_restart_signals import Deadline, Restarts, Runner, Systemd, UNIT
systemd.SYSTEMCTL = {directory!r} + "/systemctl"
systemd._SURELY = {patience}
runfiles.DIRECTORY = {directory!r} + "/notes"
deadline = Deadline(60)
with interrupts.heard(deadline), restartjournal.alone(deadline) as notes:
    Restarts(Systemd(Runner(deadline)), notes).restart(UNIT)
"""


@pytest.mark.parametrize(("stop", "patience", "orders"), [
    (1, 30, ["stop -- foo.socket", "stop -- foo.service", "start -- foo.socket", "start -- foo.service"]),
    (50, 1, ["stop -- foo.socket", "stop -- foo.service", "--no-block start -- foo.socket",
                          "--no-block restart -- foo.service"])], ids=["short", "long"])
def test_ctrl_c_at_a_terminal_does_not_reach_systemctl(tmp_path, stop, patience, orders):
    """The terminal sends it to all programs in the foreground; ours ends soon, however long the service takes.

    Jobs that are only queued are not done by this systemctl.
    """
    (tmp_path / "systemctl").write_text(SYSTEMCTL.format(python=sys.executable, directory=str(tmp_path), stop=stop))
    (tmp_path / "systemctl").chmod(0o755)
    for unit in UNITS:
        (tmp_path / unit).write_text("up")
    program = PROGRAM.format(top=os.path.dirname(PACKAGE), directory=str(tmp_path), patience=patience)
    with subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, start_new_session=True,
                          universal_newlines=True) as process:
        end = time.monotonic() + 30
        while not (tmp_path / "orders").exists() or "foo.service" not in (tmp_path / "orders").read_text():
            assert time.monotonic() < end
            time.sleep(0.02)
        began = time.monotonic()
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=40)
    assert err.endswith("KeyboardInterrupt: 2\n")
    assert time.monotonic() - began < 30
    assert (tmp_path / "orders").read_text().split("\n")[:-1] == orders
    assert [(tmp_path / unit).read_text() for unit in UNITS] == (["up", "up"] if stop == 1 else ["down", "up"])
    assert not (tmp_path / "notes").exists()
