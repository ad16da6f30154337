"""Who labels by outdated rules, and what renews it: real processes that hold real files."""

import os
import subprocess
import sys

import pytest

from foreman_selinux_helpers.doors import heldcopy, labeldatabase, procfs
from foreman_selinux_helpers.doors.heldcopy import HeldAnswers
from foreman_selinux_helpers.model import labelcache
from foreman_selinux_helpers.model.errors import CommandFailed
from foreman_selinux_helpers.model.labelcache import Wrong
from foreman_selinux_helpers.model.processes import Process, Seen
from foreman_selinux_helpers.model.processes import renewal as renewal_of
from foreman_selinux_helpers.model.refresh import NEVER, ON_DAEMON_RELOAD, ON_POLICY_LOAD, UNKNOWN
from foreman_selinux_helpers.sources import observe, processes
from foreman_selinux_helpers.sources.detection import Build
from foreman_selinux_helpers.verbs import stale

SERVICE = Seen(7, "puppet.service", "root", 0, False, False)
UDEVD = SERVICE._replace(unit="systemd-udevd.service", systemd=True)
MANAGER = Seen(1, None, "root", 0, True, True)
USER = Seen(9, "user@1000.service", "o'neil", 1000, True, True)
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
    def look():
        return processes.look(str(directory), lambda: pytest.fail("the systemd that runs is nobody's concern here"))

    found, fresh, _ = look()
    assert (found, fresh) == ([], 1)
    replace(directory / "file_contexts.bin")
    (one,), fresh, _ = look()
    assert (one.pid, one.comm, fresh) == (holder.pid, procfs.comm(holder.pid), 0)
    assert (one.state, one.held) == (labelcache.STALE, [str(directory / "file_contexts.bin")])
    assert one.since == int(os.stat(str(directory / "file_contexts.bin")).st_ctime)
    assert one.renews_itself is False
    assert "is held" in one.evidence[0]
    holder.stdin.close()
    holder.wait()
    assert look()[:2] == ([], 0)


def test_a_database_that_came_later(directory, holder):
    (directory / "file_contexts.local.bin").write_bytes(b"rules")
    (one,), _, _ = processes.look(str(directory), lambda: Build("252", None, ON_POLICY_LOAD, []))
    assert one.pid == holder.pid
    assert "file_contexts.local.bin" in one.evidence[-1]
    os.unlink(str(directory / "file_contexts.local.bin"))
    os.unlink(str(directory / "file_contexts.bin"))
    (one,), _, _ = processes.look(str(directory), lambda: Build("252", None, ON_POLICY_LOAD, []))
    assert one.since is None


def test_a_hostile_file_name_is_nobodys_database(directory, tmp_path, holder):
    """Another directory's database, as a container's may be, says nothing of this host."""
    other = tmp_path / "other/contexts/files"
    other.mkdir(parents=True)
    (other / "file_contexts.bin").write_bytes(b"x")
    assert processes.look(str(other), lambda: pytest.fail("nobody is outdated"))[:2] == ([], 0)


def document(*found, ok, notes=(), fresh=1):
    return {"processes": [stale._shown(one) for one in found], "ok": ok, "notes": list(notes), "fresh": fresh}


def test_the_text():
    udevd = Process(412, "systemd-udevd", "systemd-udevd.service", "stale", ["/x"], 1700000000, True,
                          RESTART + "systemd-udevd.service", [])
    shell = Process(99, "vi", None, "stale", ["/x"], None, False, None, [])
    shown = stale.text(document(udevd, shell, ok=False))
    assert shown.startswith("2 processes label by outdated rules; 1 holds the rules that are on disk\n412  systemd-udevd  ")
    assert "renews        itself, at its next look-up\n    at once       systemctl restart systemd-udevd.service\n" in shown
    assert "renew         end it, and start it again as it was started" in shown
    assert all(len(line) <= 80 for line in shown.split("\n"))
    assert "\033[1;31m2 processes" in stale.text(document(udevd, shell, ok=False), colour=True)
    assert stale.text(document(ok=True, fresh=3)) == "no process labels by outdated rules; 3 hold the rules that are on disk\n"
    assert stale.text(document(ok=True, notes=["chroot-or-image"])) == "note: chroot-or-image\n"


def test_policy_loads_are_asked_for_once_it_matters(monkeypatch, directory):
    monkeypatch.setattr(observe, "policy_load_due", lambda _: pytest.fail("nobody is outdated"))
    processes.look(str(directory), lambda: pytest.fail("nobody is outdated"))


# -- what those who are outdated would do ----------------------------------------------------------

FOO, VAR = "system_u:object_r:foo_t:s0", "system_u:object_r:var_run_t:s0"
OUTDATED = Process(412, "x", "x.service", "stale", ["/x"], None, False, None, [])


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
    found = sockets.judged(OUTDATED, "/d")
    assert (found.harmless, list(found.wrong), found.unseen) == (not wrong, wrong, None)
    assert (asked[0][:3], asked[0][3] <= 20) == ((412, ["/run/a", "/run/b"], "/d"), True)
    sockets.judged(OUTDATED, "/d")
    assert (rules["opened"], rules["closed"]) == ([str(tmp_path)], True)  # once for all processes


def test_what_cannot_be_asked_is_neither_right_nor_wrong(monkeypatch, rules):
    rules["/run/a"] = FOO
    held(monkeypatch, HeldAnswers({}, "its copy cannot be asked: no"))
    found = processes.Sockets("/", "targeted", lambda: ["/run/a"]).judged(OUTDATED, "/d")
    assert (found.harmless, found.wrong, found.unseen) == (None, (), "its copy cannot be asked: no")
    asked = held(monkeypatch, {})

    def fails():
        raise CommandFailed("systemctl: failed")
    found = processes.Sockets("/", "targeted", fails).judged(OUTDATED, "/d")
    assert (found.harmless, found.unseen, asked) == (None, "systemctl: failed", [])
    monkeypatch.setattr(os, "geteuid", lambda: 12)
    found = processes.Sockets("/", "targeted", lambda: pytest.fail("it is of no use")).judged(OUTDATED, "/d")
    assert (found.harmless, "only root" in found.unseen, asked) == (None, True, [])


def test_not_more_are_asked_than_there_is_time_for(monkeypatch, rules):
    rules["/run/a"] = FOO
    asked = held(monkeypatch, {"/run/a": FOO})
    sockets = processes.Sockets("/", "targeted", lambda: ["/run/a"])
    found = [sockets.judged(OUTDATED, "/d") for _ in range(1000)]
    assert (len(asked), [one.harmless for one in found[98:102]]) == (100, [True, True, None, None])
    assert "not asked" in found[-1].unseen
    monkeypatch.setattr(processes, "_ASKING", 0.0)
    assert processes.Sockets("/", "targeted", lambda: ["/run/a"]).judged(OUTDATED, "/d").harmless is None


def test_nobody_is_asked_who_is_not_outdated(directory, holder):
    sockets = processes.Sockets("/", "targeted", lambda: pytest.fail("nobody is outdated"))
    assert processes.look(str(directory), lambda: None, sockets)[:2] == ([], 1)


def test_who_may_have_read_an_edited_text_is_not_passed_over(directory, holder):
    """It maps nothing of it: so nobody can tell, and that is said."""
    (directory / "file_contexts.local").write_text("/run/x u:r:t\n")
    unknown = []
    assert processes.look(str(directory), lambda: None, None, unknown)[:2] == ([], 0)
    assert len(unknown) == 1
    assert "file_contexts.local: read as text" in unknown[0]


def test_the_text_says_who_is_wrong():
    one = OUTDATED._replace(harmless=False, wrong=[Wrong("/run/a", VAR, FOO), Wrong("/run/b", None, FOO)])
    shown = stale.text(document(one, OUTDATED._replace(harmless=True), OUTDATED._replace(unseen="it is so"), ok=False))
    assert "would label   /run/a var_run_t, and the rules say foo_t\n" in shown
    assert "would label   /run/b by no rule, and the rules say foo_t\n" in shown
    assert "labels        all sockets of this host rightly all the same\n" in shown
    assert "sockets       unknown: it is so\n" in shown
