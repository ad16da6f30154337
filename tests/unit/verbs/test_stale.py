"""Who labels by outdated rules, and what renews it: real processes that hold real files."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from foreman_selinux_helpers.doors import heldcopy, labeldatabase, procfs
from foreman_selinux_helpers.doors.heldcopy import HeldAnswers
from foreman_selinux_helpers.model import labelcache
from foreman_selinux_helpers.model.errors import CommandFailed
from foreman_selinux_helpers.model.facts import Dates, Host
from foreman_selinux_helpers.model.labelcache import LabelCache, Wrong
from foreman_selinux_helpers.model.processes import Process, judge
from foreman_selinux_helpers.model.processes import renewal as renewal_of
from foreman_selinux_helpers.model.processfacts import Holder, ProcessFacts, Program
from foreman_selinux_helpers.model.refresh import NEVER, ON_DAEMON_RELOAD, ON_POLICY_LOAD, UNKNOWN
from foreman_selinux_helpers.sources import host as hosts
from foreman_selinux_helpers.sources import processes
from foreman_selinux_helpers.verbs import stale

SERVICE = Program(7, "puppet.service", "root", 0, False, False)
UDEVD = SERVICE._replace(unit="systemd-udevd.service", systemd=True)
MANAGER = Program(1, None, "root", 0, True, True)
USER = Program(9, "user@1000.service", "o'neil", 1000, True, True)
RESTART, REEXEC = "systemctl restart ", "foreman-selinux-helpers reexec"


@pytest.mark.parametrize(("seen", "refresh", "load_due", "renewal"), [
    (SERVICE, None, False, (False, RESTART + "puppet.service")),
    (UDEVD, ON_POLICY_LOAD, False, (True, RESTART + "systemd-udevd.service")),
    (UDEVD, ON_POLICY_LOAD, True, (False, "load_policy")),  # nobody has told it
    (UDEVD, NEVER, False, (False, RESTART + "systemd-udevd.service")),
    (UDEVD, ON_DAEMON_RELOAD, True, (False, RESTART + "systemd-udevd.service")),  # that is for PID 1 alone
    (UDEVD, UNKNOWN, False, (False, RESTART + "systemd-udevd.service")),
    (MANAGER, ON_POLICY_LOAD, False, (True, REEXEC)),
    (MANAGER, ON_POLICY_LOAD, True, (False, "load_policy")),
    (MANAGER, ON_DAEMON_RELOAD, False, (False, "systemctl daemon-reload")),
    (MANAGER, NEVER, False, (False, REEXEC)),
    (USER, NEVER, False, (False, "runuser -u 'o'\"'\"'neil' -- env XDG_RUNTIME_DIR=/run/user/1000 systemctl --user daemon-reexec")),
    (SERVICE._replace(unit="user@1000.service"), None, False, (False, None)),  # not to be restarted for one program
    (SERVICE._replace(unit="session-3.scope"), None, False, (False, None)),
    (SERVICE._replace(unit=None), None, True, (False, None)),
    (SERVICE._replace(unit="a\\x2db@c d.service"), None, False, (False, RESTART + "'a\\x2db@c d.service'")),
])
def test_what_renews_a_process(seen, refresh, load_due, renewal):
    assert renewal_of(seen, refresh, load_due) == renewal


@pytest.fixture
def directory(tmp_path):
    """Make the databases, as libsemanage leaves them."""
    files = tmp_path / "etc/selinux/targeted/contexts/files"
    files.mkdir(parents=True)
    (files / "file_contexts.bin").write_bytes(b"one")
    return files


@pytest.fixture
def holder(directory):
    """Start a process that maps the database, as libselinux does."""
    code = ("import mmap, sys\n"
            "with open(sys.argv[1], 'rb') as stream: held = mmap.mmap(stream.fileno(), 0, prot=mmap.PROT_READ)\n"
            "print(flush=True); sys.stdin.read()")
    with subprocess.Popen([sys.executable, "-c", code, str(directory / "file_contexts.bin")], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        yield process
        process.stdin.close()


def replace(file):
    new = file.with_name("new")
    new.write_bytes(b"another")
    os.rename(str(new), str(file))


def test_a_process_is_found_and_lost(directory, holder):
    def read():
        found = processes.read(str(directory))
        return judge(found, str.__eq__), found.fresh

    assert read() == ([], 1)
    replace(directory / "file_contexts.bin")
    (one,), fresh = read()
    assert (one.pid, one.comm, fresh) == (holder.pid, procfs.comm(holder.pid), 0)
    assert (one.state, one.held) == (labelcache.STALE, [str(directory / "file_contexts.bin")])
    assert one.since == int(os.stat(str(directory / "file_contexts.bin")).st_ctime)
    assert one.renews_itself is False
    assert "is held" in one.evidence[0]
    holder.stdin.close()
    holder.wait()
    assert read() == ([], 0)


def test_a_database_that_came_later(directory, holder):
    (directory / "file_contexts.local.bin").write_bytes(b"rules")
    (one,) = processes.read(str(directory)).outdated
    assert one.program.pid == holder.pid
    assert "file_contexts.local.bin" in one.cache.evidence[-1]
    os.unlink(str(directory / "file_contexts.local.bin"))
    os.unlink(str(directory / "file_contexts.bin"))
    (one,) = processes.read(str(directory)).outdated
    assert one.since is None


def test_a_hostile_file_name_is_nobodys_database(directory, tmp_path, holder):
    """Another directory's database, as a container's may be, says nothing of this host."""
    other = tmp_path / "other/contexts/files"
    other.mkdir(parents=True)
    (other / "file_contexts.bin").write_bytes(b"x")
    found = processes.read(str(other))
    assert (found.outdated, found.fresh) == ([], 0)


def document(*found, ok, notes=(), fresh=1):
    return {"processes": [stale._shown(one) for one in found], "ok": ok, "source": "host", "notes": list(notes),
            "unseen": [], "fresh": fresh}


def test_the_text():
    udevd = Process(412, "systemd-udevd", "systemd-udevd.service", "stale", ["/x"], 1700000000, True,
                          RESTART + "systemd-udevd.service", [])
    shell = Process(99, "vi", None, "stale", ["/x"], None, False, None, [])
    shown = stale.text(document(udevd, shell, ok=False))
    assert shown.startswith("2 processes label by outdated rules; 1 holds the rules that are on disk\n412  systemd-udevd  ")
    assert "renews        itself, at its next look-up\n    at once       systemctl restart systemd-udevd.service\n" in shown
    assert "renew         stop it, and start it again as it was started" in shown
    assert all(len(line) <= 80 for line in shown.split("\n"))
    assert "\033[1;31m2 processes" in stale.text(document(udevd, shell, ok=False), colour=True)
    assert stale.text(document(ok=True, fresh=3)) == "no process labels by outdated rules; 3 hold the rules that are on disk\n"
    assert stale.text(document(ok=True, notes=["chroot-or-image"])) == "note: chroot-or-image\n"


@pytest.mark.parametrize(("holders", "asked"), [([], []), ([False], ["load"]), ([True, True], ["load", "build"])])
def test_systemd_is_asked_about_once_it_matters(monkeypatch, holders, asked):
    """Who is outdated tells whether the policy load and the running systemd matter."""
    found = []
    outdated = [OUTDATED._replace(program=OUTDATED.program._replace(systemd=systemd)) for systemd in holders]
    monkeypatch.setattr(processes, "read", lambda *_: ProcessFacts(outdated))
    monkeypatch.setattr(hosts, "_dates", lambda _: found.append("load") or Dates())
    source = hosts.HostSource(Host("/", "targeted", True, True, None), [], None, None)
    source._detection = SimpleNamespace(running=lambda _: found.append("build"))
    assert len(source.read_processes().processes.outdated) == len(holders)
    assert found == asked


# -- what those who are outdated would do ----------------------------------------------------------

FOO, VAR = "system_u:object_r:foo_t:s0", "system_u:object_r:var_run_t:s0"
OUTDATED = Holder(SERVICE._replace(pid=412, unit="x.service"), "x", LabelCache(labelcache.STALE, []), ["/x"], None)
PROCESS = Process(412, "x", "x.service", "stale", ["/x"], None, False, None, [])


@pytest.fixture
def rules(monkeypatch):
    """Return the labels that the rules on disk give, to be filled; root looks."""
    labels = {}

    class Database:
        def __init__(self, root, policy):
            labels.setdefault("opened", []).append(root)

        def lookup(self, path):
            return labels[path]

        def close(self):
            labels["closed"] = True
    monkeypatch.setattr(labeldatabase, "LabelDatabase", Database)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return labels


def held(monkeypatch, answers):
    asked = []

    def ask(pid, paths, directory, seconds):
        asked.append((pid, list(paths), directory, seconds))
        return answers if isinstance(answers, HeldAnswers) else HeldAnswers({path: answers[path] for path in paths})
    monkeypatch.setattr(heldcopy, "ask", ask)
    return asked


@pytest.mark.parametrize(("answers", "wrong"), [
    ({"/run/a": FOO, "/run/b": None}, []),
    ({"/run/a": VAR, "/run/b": None}, [("/run/a", VAR, FOO)]),
    ({"/run/a": None, "/run/b": None}, [("/run/a", None, FOO)]),
    ({"/run/a": FOO, "/run/b": VAR}, [("/run/b", VAR, None)]),
    ({"/run/a": FOO.replace("s0", "s0:c1"), "/run/b": None}, [("/run/a", FOO.replace("s0", "s0:c1"), FOO)])])
def test_who_would_label_which_socket_wrongly(monkeypatch, rules, answers, wrong, tmp_path):
    rules.update({"/run/a": FOO, "/run/b": None})
    asked = held(monkeypatch, answers)
    sockets = processes.Sockets(str(tmp_path), "targeted", lambda: ["/run/a", "/run/b"])
    asking = sockets.ask(OUTDATED, "/d")
    (found,) = judge(ProcessFacts([asking], expected=sockets.expected), str.__eq__)
    assert (found.harmless, list(found.wrong), found.unseen) == (not wrong, wrong, None)
    assert (asked[0][:3], asked[0][3] <= 20) == ((412, ["/run/a", "/run/b"], "/d"), True)
    sockets.ask(OUTDATED, "/d")
    assert (rules["opened"], rules["closed"]) == ([str(tmp_path)], True)  # once for all processes


def test_what_cannot_be_asked_is_neither_right_nor_wrong(monkeypatch, rules):
    rules["/run/a"] = FOO
    held(monkeypatch, HeldAnswers({}, "its copy cannot be asked: no"))
    found = processes.Sockets("/", "targeted", lambda: ["/run/a"]).ask(OUTDATED, "/d")
    assert (found.answers, found.unasked) == (None, "its copy cannot be asked: no")
    (process,) = judge(ProcessFacts([found]), str.__eq__)
    assert (process.harmless, process.wrong, process.unseen) == (None, (), "its copy cannot be asked: no")
    asked = held(monkeypatch, {})

    def fails():
        raise CommandFailed("systemctl: failed")
    found = processes.Sockets("/", "targeted", fails).ask(OUTDATED, "/d")
    assert (found.answers, found.unasked, asked) == (None, "systemctl: failed", [])
    monkeypatch.setattr(os, "geteuid", lambda: 12)
    found = processes.Sockets("/", "targeted", lambda: pytest.fail("it is of no use")).ask(OUTDATED, "/d")
    assert (found.answers, "only root" in found.unasked, asked) == (None, True, [])


def test_not_more_are_asked_than_there_is_time_for(monkeypatch, rules):
    rules["/run/a"] = FOO
    asked = held(monkeypatch, {"/run/a": FOO})
    sockets = processes.Sockets("/", "targeted", lambda: ["/run/a"])
    found = [sockets.ask(OUTDATED, "/d") for _ in range(1000)]
    assert (len(asked), [one.answers is None for one in found[98:102]]) == (100, [False, False, True, True])
    assert "not asked" in found[-1].unasked
    monkeypatch.setattr(processes, "_ASKING", 0.0)
    assert processes.Sockets("/", "targeted", lambda: ["/run/a"]).ask(OUTDATED, "/d").answers is None


def test_nobody_is_asked_who_is_not_outdated(directory, holder):
    sockets = processes.Sockets("/", "targeted", lambda: pytest.fail("nobody is outdated"))
    found = processes.read(str(directory), sockets)
    assert (found.outdated, found.fresh) == ([], 1)


def test_who_may_have_read_an_edited_text_is_not_passed_over(directory, holder):
    """It maps nothing of it: so nobody can tell, and that is said."""
    (directory / "file_contexts.local").write_text("/run/x u:r:t\n")
    found = processes.read(str(directory))
    assert (found.outdated, found.fresh) == ([], 0)
    (unknown,) = found.unknown
    assert "file_contexts.local: read as text" in unknown


def test_the_text_says_who_is_wrong():
    one = PROCESS._replace(harmless=False, wrong=[Wrong("/run/a", VAR, FOO), Wrong("/run/b", None, FOO)])
    shown = stale.text(document(one, PROCESS._replace(harmless=True), PROCESS._replace(unseen="it is so"), ok=False))
    assert "would label   /run/a var_run_t, and the rules say foo_t\n" in shown
    assert "would label   /run/b by no rule, and the rules say foo_t\n" in shown
    assert "labels        all sockets of this host correctly nevertheless\n" in shown
    assert "sockets       unknown: it is so\n" in shown
