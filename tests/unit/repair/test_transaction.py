"""What rpm's files say of the transaction that called us."""

import fcntl
import os
import signal

import pytest

from foreman_selinux_helpers import scriptlet
from foreman_selinux_helpers.repair import transaction

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="what is noted must belong to root")


@pytest.fixture
def database(tmp_path):
    directory = tmp_path / "var/lib/rpm"
    directory.mkdir(parents=True)
    (tmp_path / "var/lib/foreman-selinux-helpers").mkdir()
    (directory / "rpmdb.sqlite").write_text("one")
    return directory


def test_a_note_counts_until_the_database_changes(tmp_path, database):
    root = str(tmp_path)
    seen = transaction.state(root)
    assert seen
    assert not transaction.noted(root, seen)
    transaction.note(root, seen)
    assert transaction.noted(root, seen)
    assert transaction.state(root) == seen
    (database / "rpmdb.sqlite-wal").write_text("two")
    changed = transaction.state(root)
    assert changed != seen
    assert not transaction.noted(root, changed)


def test_what_readers_touch_does_not_count(tmp_path, database):
    seen = transaction.state(str(tmp_path))
    for name in ("rpmdb.sqlite-shm", "__db.001", ".rpm.lock"):
        (database / name).write_text("read")
    assert transaction.state(str(tmp_path)) == seen


def test_without_a_database_nothing_is_known(tmp_path):
    root = str(tmp_path)
    assert transaction.state(root) == ""
    transaction.note(root, "")
    assert not transaction.noted(root, "")


@pytest.mark.parametrize("harm", ["link", "others", "directory", "gone", "binary"])
def test_a_note_of_others_is_none(tmp_path, database, harm):
    root = str(tmp_path)
    seen = transaction.state(root)
    transaction.note(root, seen)
    file = tmp_path / transaction.NOTE
    if harm == "others":
        file.chmod(0o666)
    elif harm == "binary":
        file.write_bytes(b"\xff\0" * 9000)
    else:
        file.unlink()
        if harm == "link":
            (tmp_path / "elsewhere").write_text(seen)
            file.symlink_to(str(tmp_path / "elsewhere"))
        elif harm == "directory":
            file.mkdir()
    assert not transaction.noted(root, seen)
    transaction.note(root, "other")  # which follows no link
    if harm == "link":
        assert (tmp_path / "elsewhere").read_text() == seen


def test_a_transaction_holds_the_lock(tmp_path, database):
    root = str(tmp_path)
    assert transaction.under_way(root) is False
    (database / ".rpm.lock").write_text("")
    assert transaction.under_way(root) is False
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        lock = os.open(str(database / ".rpm.lock"), os.O_RDWR)
        fcntl.lockf(lock, fcntl.LOCK_EX)
        os.write(writer, b"x")
        signal.pause()
    os.read(reader, 1)
    try:
        assert transaction.under_way(root) is True
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert transaction.under_way(root) is False
    (database / ".rpm.lock").unlink()
    (database / ".rpm.lock").mkdir()
    assert transaction.under_way(root) is None


@pytest.fixture
def runs(monkeypatch):
    """Return what each run of a trigger is told; ``database`` of the notes is the state of rpm's database."""
    class Runs(list):
        pass

    found = Runs()
    notes = found.notes = {}
    monkeypatch.setattr(scriptlet, "_supervise", lambda arguments, survey, _: found.append(arguments))
    monkeypatch.setattr(scriptlet.transaction, "state", lambda _: notes.get("database", ""))
    monkeypatch.setattr(scriptlet.transaction, "note", lambda _, seen: notes.update(noted=seen))
    monkeypatch.setattr(scriptlet.transaction, "noted", lambda _, seen: bool(seen) and notes.get("noted") == seen)
    return found


def test_the_second_trigger_of_a_transaction_has_nothing_to_do(runs):
    runs.notes["database"] = "1"
    for argument in ("in", "un", "in"):
        assert scriptlet.main("trigger", [argument]) == 0
    assert runs == [["repair"], ["repair"]]  # rpm may run the first twice; systemd has reloaded between
    runs.notes["database"] = "2"
    for argument in ("un", "un", "in", "un"):
        scriptlet.main("trigger", [argument])
    assert len(runs) == 4  # in this order systemd may reload after the first


def test_without_a_database_both_look(runs):
    scriptlet.main("trigger", ["in"])
    scriptlet.main("trigger", ["un"])
    assert len(runs) == 2


@pytest.mark.parametrize(("under_way", "verb"), [(True, "register"), (False, "repair"), (None, "register")])
def test_an_enabled_policy_waits_for_the_end_of_a_transaction(monkeypatch, under_way, verb):
    monkeypatch.setattr(scriptlet.transaction, "under_way", lambda _: under_way)
    assert scriptlet.arguments_for("enabled", []) == [verb]
