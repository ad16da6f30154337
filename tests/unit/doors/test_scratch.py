"""Temporary files: for us alone, wherever there is room, and nothing left."""

import os

import pytest

from foreman_selinux_helpers.doors import scratch
from foreman_selinux_helpers.model.errors import HelperError


def test_it_is_ours_alone_and_gone_afterwards(tmp_path, monkeypatch):
    monkeypatch.setattr(scratch, "_PLACES", (str(tmp_path / "none"), str(tmp_path)))
    with scratch.directory() as path:
        assert os.path.dirname(path) == str(tmp_path)
        assert oct(os.stat(path).st_mode & 0o777) == "0o700"
        scratch.write(os.path.join(path, "a"), "\udcff")
        os.symlink("/etc", os.path.join(path, "link"))
    assert os.listdir(str(tmp_path)) == []
    assert os.path.isdir("/etc")


def test_no_room_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(scratch, "_PLACES", (str(tmp_path / "none"),))
    with pytest.raises(HelperError, match="no place for temporary files: No such file"), scratch.directory():
        pass
    with pytest.raises(HelperError, match="no room for temporary files"):
        scratch.write("/dev/full", "x" * 99999)


def test_what_cannot_be_removed_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr(scratch, "_PLACES", (str(tmp_path),))
    with scratch.directory() as path:
        os.mkdir(os.path.join(path, "directory"))
    assert len(os.listdir(str(tmp_path))) == 1
