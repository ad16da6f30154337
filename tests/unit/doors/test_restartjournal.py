"""What is noted while a unit is down, and who may look at it when."""

import pytest

from foreman_selinux_helpers.doors import restartjournal, runfiles
from foreman_selinux_helpers.doors.deadline import Deadline
from foreman_selinux_helpers.model.errors import PolicyStoreError


@pytest.fixture(autouse=True)
def directory(monkeypatch, tmp_path):
    monkeypatch.setattr(runfiles, "DIRECTORY", str(tmp_path / "notes"))
    return tmp_path / "notes"


def left(*units):
    """Leave notes as a run does that is killed."""
    with restartjournal.alone(Deadline(5)) as notes:
        notes.note(units)


def test_noted_until_it_is_started(directory):
    assert restartjournal.units() == []
    with restartjournal.alone(Deadline(5)) as notes:
        notes.note(["a.service", "z.socket"])
        assert restartjournal.units() == [], "that run is at work still"
        with pytest.raises(PolicyStoreError, match="another run .* is mending sockets; the time limit"), \
                restartjournal.alone(Deadline(0.3)):
            pass
        notes.forget("a.service")
        notes.forget("a.service")
    assert restartjournal.units() == ["z.socket"]
    left("b.service", "b.socket")
    assert restartjournal.units() == ["b.socket", "z.socket", "b.service"], "sockets first"
    assert sorted(one.name for one in directory.iterdir()) == ["b.service", "b.socket", "z.socket"]
    assert directory.stat().st_mode & 0o777 == 0o700, "who can open it can lock it"


def test_a_link_is_not_followed(directory, tmp_path):
    (tmp_path / "else").mkdir()
    (tmp_path / "else" / "a.socket").touch()
    directory.symlink_to(tmp_path / "else")
    assert restartjournal.units() == []
    with restartjournal.alone(Deadline(1)) as notes:
        notes.forget("a.socket")
        with pytest.raises(OSError, match="Not a directory"):
            notes.note(["b.socket"])
    assert [one.name for one in (tmp_path / "else").iterdir()] == ["a.socket"]


def test_what_is_not_stopped_for_want_of_a_note_is_not_noted(directory):
    with restartjournal.alone(Deadline(1)) as notes:
        with pytest.raises(OSError, match="too long"):
            notes.note(["a.socket", "a" * 300 + ".service"])
        assert list(directory.iterdir()) == []


def test_nothing_is_left_when_all_is_started(directory):
    with restartjournal.alone(Deadline(5)) as notes:
        notes.note(["a.socket"])
        waiting = restartjournal._open()  # of another run, that waits for the lock
        notes.forget("a.socket")
    assert not directory.exists()
    assert restartjournal.os.fstat(waiting).st_nlink == 0
    restartjournal.os.close(waiting)
    with restartjournal.alone(Deadline(5)) as notes:
        notes.note(["b.socket"])
        assert (directory / "b.socket").is_file()
    assert restartjournal.units() == ["b.socket"]
