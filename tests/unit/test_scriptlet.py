import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress

import pytest

from foreman_selinux_helpers import scriptlet

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


@pytest.mark.parametrize(("name", "argv", "verb"), [
    ("post", ["foreman"], ["register", "foreman"]),
    ("posttrans", ["foreman"], ["repair"]),
    ("preun", ["foreman", "bar.socket"], ["unregister", "foreman", "bar.socket"]),
    ("preun", ["--all"], ["unregister"]),
    ("preun", [], []),
    ("postun", ["foreman"], ["register"]),
    ("trigger", ["in"], ["repair"]),
    ("trigger", ["un"], ["repair"]),
    ("removal", [], []),
    ("removal", ["/usr/share/selinux/a.pp"], ["removal", "/usr/share/selinux/a.pp"]),
])
def test_what_a_scriptlet_stands_for(name, argv, verb):
    assert scriptlet.arguments_for(name, argv) == verb


def run(body, **options):
    """Run Python code in a process of its own; return how it ended."""
    code = "import sys; sys.path.insert(0, %r)\nfrom foreman_selinux_helpers import cli, scriptlet\n%s" % (TOP, body)
    return subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
                          check=False, **options)


@contextmanager
def journal(directory):
    """Listen where the journal is told something."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as device:
        device.bind(str(directory / "log"))
        device.settimeout(10)
        yield device


@pytest.mark.parametrize("accident", [
    "def run(*_): raise RuntimeError('bug')",
    "def run(*_): raise SystemExit(7)",
    "def run(*_): import os; os.kill(os.getpid(), 11)",
    "def run(*_): import os; os.write(1, b'noise'); os.write(2, b'noise'); print('noise')",
    "def run(*_): raise KeyboardInterrupt",
])
def test_nothing_reaches_the_transaction(accident):
    done = run("%s\ncli.run = run\nsys.exit(scriptlet.main('posttrans', []))" % accident)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_one_that_hangs_is_killed_at_the_deadline():
    start = time.monotonic()
    done = run("import time\ncli.run = lambda *_: time.sleep(50)\nscriptlet.DEADLINE = 1.0\n"
               "sys.exit(scriptlet.main('posttrans', []))")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert time.monotonic() - start < 30


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_one_that_is_told_to_stop_tells_its_child(number, tmp_path):
    """And ends with 0: a lost terminal is no failed scriptlet."""
    began, stopped = str(tmp_path / "began"), str(tmp_path / "stopped")
    code = ("import sys, time; sys.path.insert(0, %r)\nfrom foreman_selinux_helpers import cli, scriptlet\n"
            "def work(*_):\n try:\n  open(%r, 'w').close()\n  time.sleep(50)\n finally:\n  open(%r, 'w').close()\n"
            # Under nohup(1), or in the background, some would be ignored.
            "import signal\nfor one in (signal.SIGTERM, signal.SIGHUP): signal.signal(one, signal.SIG_DFL)\n"
            "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
            "cli.run = work\nsys.exit(scriptlet.main('posttrans', []))" % (TOP, began, stopped))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        wait_for(began)
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, b"", b"")
    wait_for(stopped)


def wait_for(file):
    end = time.monotonic() + 30
    while not os.path.exists(file):
        assert time.monotonic() < end, file
        time.sleep(0.02)


def test_unknown_scriptlets_and_closed_files():
    assert scriptlet.main("nonsense", []) == 0
    done = run("import os\ncli.run = lambda *_: print('noise')\nfor one in (0, 1, 2): os.close(one)\n"
               "os._exit(scriptlet.main('posttrans', []))")
    assert done.returncode == 0


def test_what_is_said_reaches_the_journal_when_files_are_closed(tmp_path):
    with journal(tmp_path) as device:
        done = run("import os\nfrom foreman_selinux_helpers.doors import log\nlog._DEVICE = %r\n"
                   "def work(*_):\n import sys\n print('noise')\n sys.stderr.write('news\\n')\ncli.run = work\n"
                   "for one in (0, 1, 2): os.close(one)\n"
                   "os._exit(scriptlet.main('posttrans', []))" % device.getsockname())
        assert done.returncode == 0
        said = device.recv(1000).decode()
    assert re.match(r"<30>[A-Z][a-z]{2} [ 0-9]{2} [0-9:]{8} foreman-selinux-helpers\[[0-9]+\]: news\Z", said), said


def test_a_journal_that_is_stuck_is_not_waited_for(tmp_path):
    """syslog(3) would wait for ever, in who is to end the others in time."""
    start = time.monotonic()
    with journal(tmp_path) as device, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as flood:
        flood.connect(device.getsockname())
        flood.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                flood.send(b"x")
        done = run("import time\nfrom foreman_selinux_helpers.doors import log\nlog._DEVICE = %r\n"
                   "def work(_, told):\n for _ in range(100): told.info('news')\n time.sleep(50)\ncli.run = work\n"
                   "scriptlet.DEADLINE = 2.0\n"
                   "sys.exit(scriptlet.main('posttrans', []))" % device.getsockname())
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert time.monotonic() - start < 30


def test_who_ignores_its_children_is_told_how_ours_end(tmp_path):
    with journal(tmp_path) as device:
        done = run("import signal\nfrom foreman_selinux_helpers.doors import deadline, log, run\nlog._DEVICE = %r\n"
                   "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
                   "def work(*_):\n sys.stderr.write('status %%d\\n' %% run.Runner(deadline.Deadline(9)).run(['/bin/false']).status)\n"
                   "cli.run = work\nsys.exit(scriptlet.main('posttrans', []))" % device.getsockname())
        assert done.returncode == 0
        assert device.recv(1000).endswith(b": status 1")


@pytest.mark.parametrize("name", ["post", "posttrans", "preun", "postun", "trigger", "removal", "enabled"])
def test_a_broken_installation_is_quiet(name, tmp_path):
    (tmp_path / name).symlink_to(os.path.join(TOP, "scriptlets/scriptlet"))
    done = subprocess.run([sys.executable, "-I", str(tmp_path / name), "foreman"], cwd=str(tmp_path),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
