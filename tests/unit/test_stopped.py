"""What is noted while a unit is down, and who may look at it when."""

import pytest

from foreman_selinux_helpers import stopped
from foreman_selinux_helpers.deadline import Deadline
from foreman_selinux_helpers.errors import PolicyStoreError


@pytest.fixture(autouse=True)
def directory(monkeypatch, tmp_path):
    monkeypatch.setattr(stopped, "DIRECTORY", str(tmp_path / "notes"))
    return tmp_path / "notes"


def test_noted_until_it_is_started(directory):
    assert stopped.units() == []
    with stopped.noted(["a.service", "z.socket"], Deadline(5)) as forget:
        assert stopped.units() == [], "that run is at work still"
        with pytest.raises(PolicyStoreError, match="another run .* is restarting a socket; the time limit"), \
                stopped.noted(["b.socket"], Deadline(0.3)):
            pass
        forget("a.service")
        forget("a.service")
    assert stopped.units() == ["z.socket"]
    with stopped.noted(["b.service", "b.socket"], Deadline(5)):
        pass
    assert stopped.units() == ["b.socket", "z.socket", "b.service"], "sockets first"
    assert (directory.stat().st_mode & 0o777, sorted(one.name for one in directory.iterdir())) == (
        0o755, ["b.service", "b.socket", "z.socket"])


def test_a_link_is_not_followed(directory, tmp_path):
    (tmp_path / "else").mkdir()
    (tmp_path / "else" / "a.socket").touch()
    directory.symlink_to(tmp_path / "else")
    assert stopped.units() == []
    with pytest.raises(OSError, match="Not a directory"), stopped.noted(["b.socket"], Deadline(1)):
        pass
    assert [one.name for one in (tmp_path / "else").iterdir()] == ["a.socket"]


def test_nothing_is_left_when_all_is_started(directory):
    with stopped.noted(["a.socket"], Deadline(5)) as forget:
        waiting = stopped._open()  # of another run, that waits for the lock
        forget("a.socket")
    assert not directory.exists()
    assert stopped.os.fstat(waiting).st_nlink == 0
    stopped.os.close(waiting)
    with stopped.noted(["b.socket"], Deadline(5)):
        assert (directory / "b.socket").is_file()
    assert stopped.units() == ["b.socket"]
