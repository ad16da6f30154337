import os
import subprocess
import sys
import time

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
    ("trigger", ["un"], ["register"]),
])
def test_what_a_scriptlet_stands_for(name, argv, verb):
    assert scriptlet.arguments_for(name, argv) == verb


def run(body, **options):
    """Run Python code in a process of its own; return how it ended."""
    code = "import sys; sys.path.insert(0, %r)\nfrom foreman_selinux_helpers import cli, scriptlet\n%s" % (TOP, body)
    return subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
                          check=False, **options)


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


def test_unknown_scriptlets_and_closed_files():
    assert scriptlet.main("nonsense", []) == 0
    done = run("import os\ncli.run = lambda *_: print('noise')\nfor one in (0, 1, 2): os.close(one)\n"
               "os._exit(scriptlet.main('posttrans', []))")
    assert done.returncode == 0


def test_what_is_said_reaches_the_journal_when_files_are_closed(tmp_path):
    said = tmp_path / "said"
    done = run("import os, syslog\ndef work(*_):\n import sys\n print('noise')\n sys.stderr.write('news\\n')\ncli.run = work\n"
               "syslog.syslog = lambda priority, text: open(%r, 'a').write(text)\n"
               "for one in (0, 1, 2): os.close(one)\n"
               "os._exit(scriptlet.main('posttrans', []))" % str(said))
    assert done.returncode == 0
    assert said.read_text() == "news"


@pytest.mark.parametrize("name", ["post", "posttrans", "preun", "postun", "trigger"])
def test_a_broken_installation_is_quiet(name, tmp_path):
    done = subprocess.run([sys.executable, "-I", os.path.join(TOP, "scriptlets", name), "foreman"], cwd=str(tmp_path),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
