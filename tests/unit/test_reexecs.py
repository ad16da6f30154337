"""The re-exec that was taken is remembered until the rules change."""

import os

import pytest

from foreman_selinux_helpers import labelcache, reexecs


@pytest.fixture(autouse=True)
def directory(monkeypatch, tmp_path):
    monkeypatch.setattr(reexecs, "DIRECTORY", str(tmp_path / "run"))
    return tmp_path / "run"


def test_it_is_for_the_rules_that_it_was_taken_for(directory):
    assert not reexecs.done_for("1:2:3")
    reexecs.note("1:2:3")
    assert reexecs.done_for("1:2:3")
    assert not reexecs.done_for("1:2:4")
    reexecs.note("1:2:4")
    assert (reexecs.done_for("1:2:3"), reexecs.done_for("1:2:4")) == (False, True)
    assert os.listdir(str(directory)) == ["reexecuted"]
    assert oct((directory / "reexecuted").stat().st_mode & 0o777) == "0o600"


@pytest.mark.parametrize("make", ["link", "directory", "rubbish", "pipe"])
def test_what_is_no_record_is_none(directory, make):
    directory.mkdir()
    place = directory / "reexecuted"
    if make == "link":
        (directory / "other").write_text("1:2:3")
        place.symlink_to(directory / "other")
    elif make == "directory":
        place.mkdir()
    elif make == "pipe":
        os.mkfifo(str(place))
    else:
        place.write_bytes(b"\xff\x00" * 9999)
    assert not reexecs.done_for("1:2:3")


def test_the_generation_of_the_rules(tmp_path):
    """It changes with the rules, as text or compiled, and with the substitutions; nothing else changes it."""
    seen = [labelcache.generation(str(tmp_path))]
    for name in ("file_contexts", "file_contexts.local", "file_contexts.local.bin", "file_contexts.subs"):
        (tmp_path / name).write_text(name)
        seen.append(labelcache.generation(str(tmp_path)))
        os.rename(str(tmp_path / name), str(tmp_path / (name + "~")))
        (tmp_path / name).write_text(name)
        seen.append(labelcache.generation(str(tmp_path)))
    assert len(set(seen)) == len(seen)
    (tmp_path / "media").write_text("")
    assert labelcache.generation(str(tmp_path)) == seen[-1]


def test_rules_that_are_text_alone_have_a_time_too(tmp_path):
    assert labelcache.changed_at(str(tmp_path)) is None
    (tmp_path / "file_contexts").write_text("")
    assert labelcache.changed_at(str(tmp_path)) == (tmp_path / "file_contexts").stat().st_ctime
