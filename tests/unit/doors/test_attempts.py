"""What was done for PID 1 is remembered until the rules change."""

import os

import pytest

from foreman_selinux_helpers.doors import attempts, labelfiles, runfiles
from foreman_selinux_helpers.model.attempts import NOTHING, Attempts

DONE = Attempts("1:2:3", True, "", {"/run/foo.sock": "u:r:foo_t"}, ("daemon-reload",))


@pytest.fixture(autouse=True)
def directory(monkeypatch, tmp_path):
    monkeypatch.setattr(runfiles, "DIRECTORY", str(tmp_path / "run"))
    return tmp_path / "run"


def test_it_is_what_was_recorded_last(directory):
    assert attempts.load("a-b") == NOTHING
    attempts.save(DONE)
    assert attempts.load("a-b") == DONE
    attempts.save(Attempts("1:2:4", answers={}))
    assert attempts.load("a-b") == Attempts("1:2:4", answers={})
    assert os.listdir(str(directory)) == ["reexecuted"]
    assert oct((directory / "reexecuted").stat().st_mode & 0o777) == "0o600"


def test_a_reexec_whose_end_was_not_seen_counts_if_pid_1_is_mapped_elsewhere():
    attempts.save(DONE._replace(before="55d0-55d1"))
    assert attempts.load("55d0-55d1") == DONE._replace(before="55d0-55d1", reexecuted=False, answers={})
    assert attempts.load("5600-5601").reexecuted


def test_many_sockets_and_names_of_any_kind():
    answers = {"/run/%d \u00e9 '\"\n.sock" % number: "u:r:t" for number in range(5000)}
    attempts.save(DONE._replace(answers=answers))
    assert attempts.load("").answers == answers


@pytest.mark.parametrize("make", ["link", "directory", "pipe", "rubbish", "[]", "{}", '{"rules": 1, "answers": []}'])
def test_what_is_no_record_is_none(directory, make):
    directory.mkdir()
    place = directory / "reexecuted"
    if make == "link":
        attempts.save(DONE)
        place.rename(directory / "other")
        place.symlink_to(directory / "other")
    elif make == "directory":
        place.mkdir()
    elif make == "pipe":
        os.mkfifo(str(place))
    else:
        place.write_bytes(b"\xff\x00" * 9999 if make == "rubbish" else make.encode())
    assert attempts.load("") == NOTHING


def test_the_generation_of_the_rules(tmp_path):
    """It changes with the rules, as text or compiled, and with the substitutions; nothing else changes it."""
    seen = [labelfiles.generation(str(tmp_path))]
    for name in ("file_contexts", "file_contexts.local", "file_contexts.local.bin", "file_contexts.subs"):
        (tmp_path / name).write_text(name)
        seen.append(labelfiles.generation(str(tmp_path)))
        os.rename(str(tmp_path / name), str(tmp_path / (name + "~")))
        (tmp_path / name).write_text(name)
        seen.append(labelfiles.generation(str(tmp_path)))
    assert len(set(seen)) == len(seen)
    (tmp_path / "media").write_text("")
    assert labelfiles.generation(str(tmp_path)) == seen[-1]


def test_rules_that_are_text_alone_and_substitutions_have_a_time_too(tmp_path):
    assert labelfiles.changed_at(str(tmp_path)) is None
    for name in ("file_contexts", "file_contexts.subs"):
        (tmp_path / name).write_text("")
        assert labelfiles.changed_at(str(tmp_path)) == (tmp_path / name).stat().st_ctime
