"""What a trigger logs of sockets without a profile: each state of theirs once."""

import pytest

from foreman_selinux_helpers.doors import labelfiles, profilefiles, runfiles, selinuxlib
from foreman_selinux_helpers.doors.deadline import Deadline
from foreman_selinux_helpers.model.profiles import Profiles
from foreman_selinux_helpers.repair import survey
from foreman_selinux_helpers.sources import hostkind
from foreman_selinux_helpers.sources.host import HostSource

from ..model.test_remedies import FRESH_CACHE, HOST, facts
from ..model.test_sockets import BAD, RIGHT, changed

WRONG = changed(RIGHT, unit="bar.socket", profile="", path="/run/bar.sock", path_label=BAD, wanted_restart="relabel-only")


class Log:
    """Keeps the warnings."""

    def __init__(self):
        self.lines = []

    def warning(self, line):
        self.lines.append(line)


class Survey:
    """Surveys of one host: its sockets, and what its files look like."""

    def __init__(self, monkeypatch, directory):
        self.sockets, self.generation, self.reads = (), "rules 1", 0
        monkeypatch.setattr(runfiles, "DIRECTORY", str(directory))
        monkeypatch.setattr(hostkind, "read", lambda root: HOST)
        monkeypatch.setattr(selinuxlib, "label_directory", lambda root, policy: "/d")
        monkeypatch.setattr(labelfiles, "generation", lambda _: self.generation)
        monkeypatch.setattr(survey, "_changed", lambda _: "1")
        monkeypatch.setattr(profilefiles, "load", lambda root: Profiles([], []))
        monkeypatch.setattr(HostSource, "others", lambda source: source)
        monkeypatch.setattr(HostSource, "read", lambda _: self.read())

    def read(self):
        self.reads += 1
        return facts(FRESH_CACHE, sockets=self.sockets)

    def lines(self):
        log = Log()
        survey.tell(log, Deadline(5))
        return log.lines


@pytest.fixture
def host(monkeypatch, tmp_path):
    return Survey(monkeypatch, tmp_path / "run")


def test_each_state_is_logged_once(host):
    host.sockets = (WRONG, changed(RIGHT, unit="ok.socket"))
    assert host.lines() == ["bar.socket /run/bar.sock: made-before-rule; to mend it: "
                            "foreman-selinux-helpers restart bar.socket"]
    assert (host.lines(), host.reads) == ([], 1), "nothing has changed: nothing is read"
    host.generation = "rules 2"
    assert (host.lines(), host.reads) == ([], 2), "it is as wrong as before"
    host.generation, host.sockets = "rules 3", ()
    assert host.lines() == []
    host.generation, host.sockets = "rules 4", (WRONG,)
    assert len(host.lines()) == 1


def test_nothing_is_read_where_labels_mean_nothing(host, monkeypatch):
    monkeypatch.setattr(hostkind, "read", lambda root: HOST._replace(selinux_enabled=False))
    assert (host.lines(), host.reads) == ([], 0)
    monkeypatch.setattr(hostkind, "read", lambda root: HOST._replace(policy_type=None))
    assert (host.lines(), host.reads) == ([], 0)


def test_what_stands_in_the_place_of_the_record_is_no_record(host, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "other").write_text("rules 1\n1\n1\n1")
    (tmp_path / "run/surveyed").symlink_to(tmp_path / "other")
    host.sockets = (WRONG,)
    assert len(host.lines()) == 1
    assert (tmp_path / "other").read_text() == "rules 1\n1\n1\n1"
