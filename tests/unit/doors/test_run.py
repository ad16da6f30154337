import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from foreman_selinux_helpers.doors import interrupts
from foreman_selinux_helpers.doors.deadline import Deadline
from foreman_selinux_helpers.doors.run import Output, Runner, failure
from foreman_selinux_helpers.model.errors import CommandFailed, DeadlineExceeded, TimedOut

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))


def runner(seconds=30.0):
    return Runner(Deadline(seconds))


def test_output_and_status():
    assert runner().run(["/bin/sh", "-c", "echo out; echo err >&2; exit 3"]) == (3, "out\n", "err\n")
    assert runner().run(["/bin/cat"], stdin="a\udcffb").out == "a\udcffb"


def test_standard_input_is_empty_and_the_environment_fixed(monkeypatch):
    monkeypatch.setenv("LD_PRELOAD", "/nowhere.so")
    monkeypatch.setenv("PATH", "/nowhere")
    assert runner().check(["/bin/cat"]) == ""
    assert runner().check(["/usr/bin/env"]).split("\n")[0] == "PATH=/usr/sbin:/usr/bin:/sbin:/bin"
    assert "LD_PRELOAD" not in runner().check(["/usr/bin/env"])


def test_a_caller_that_ignores_the_ends_of_children(tmp_path):
    code = ("import signal, sys; sys.path.insert(0, %r)\n"
            "from foreman_selinux_helpers.doors import deadline, run\n"
            "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
            "signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGALRM,))\n"
            "run.forget_the_caller(())\n"
            "assert run.Runner(deadline.Deadline(9)).run(['/bin/false']).status == 1\n"
            "assert not signal.pthread_sigmask(signal.SIG_BLOCK, ())\n") % TOP
    subprocess.check_call([sys.executable, "-c", code])


def test_failures_are_one_line():
    with pytest.raises(CommandFailed) as raised:
        runner().check(["/bin/sh", "-c", "echo one; echo two; exit 1"])
    assert str(raised.value).endswith("exit status 1: one two")
    with pytest.raises(CommandFailed, match="signal 9"):
        runner().check(["/bin/sh", "-c", "kill -9 $$"])
    with pytest.raises(CommandFailed, match="cannot run /nowhere"):
        runner().run(["/nowhere"])


def test_a_program_that_hangs_is_killed():
    start = time.monotonic()
    with pytest.raises(CommandFailed, match="did not end"):
        runner().run([sys.executable, "-c", "import time; time.sleep(60)"], limit=0.3)
    with pytest.raises(CommandFailed):
        runner(0.3).run(["/bin/sleep", "60"])
    assert time.monotonic() - start < 30


def test_a_pending_signal_ends_the_wait_of_who_has_little_patience():
    """But not of who has all the time, and not while it is ignored."""
    with interrupts.held():
        before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGTERM)
        assert Runner(Deadline(30), patience=0.1).run(["/bin/sleep", "0.5"]).status == 0
        signal.signal(signal.SIGTERM, lambda *_: None)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGTERM)
        assert Runner(Deadline(30), patience=20).run(["/bin/cat"], stdin="all of it").out == "all of it"
        assert Runner(Deadline(30)).run(["/bin/sleep", "0.5"]).status == 0
        start = time.monotonic()
        with pytest.raises(TimedOut, match="/bin/sleep 60 did not end"):
            Runner(Deadline(60), patience=0.3).run(["/bin/sleep", "60"])
        assert 0.3 <= time.monotonic() - start < 30
    signal.signal(signal.SIGTERM, before)


def test_a_deadline_that_is_over_runs_nothing(tmp_path):
    over = runner(0.01)
    time.sleep(0.02)
    with pytest.raises(DeadlineExceeded, match="--timeout"):
        over.run(["/bin/touch", str(tmp_path / "file")])
    assert not (tmp_path / "file").exists()


def test_messages_with_colours_are_plain():
    """systemd 244 and 245 colour them even into a pipe."""
    done = Output(1, "", "\x1b[0;1;31mFailed to get property: \x1b[0mno\n")
    assert failure(done) == "exit status 1: Failed to get property: no"
