"""What the service does after a change; and its units."""

import os
import re
import shlex
from fnmatch import fnmatch
from pathlib import Path

import pytest

from foreman_selinux_helpers import changed, cli, scriptlet

TOP = Path(__file__).resolve().parents[2]
FILES = "etc/selinux/targeted/contexts/files"


@pytest.fixture
def host(tmp_path, monkeypatch):
    """Return a root directory, and what happened: waits, repairs; nobody really waits."""
    happened = []
    for directory in (FILES, "etc/selinux/targeted/policy", "etc/foreman-selinux-helpers/profiles.d"):
        (tmp_path / directory).mkdir(parents=True)
    monkeypatch.setattr(changed.time, "sleep", lambda _: happened.append("wait"))
    monkeypatch.setattr(changed.transaction, "under_way", lambda _: False)
    real = changed.state
    monkeypatch.setattr(changed, "state", lambda _: real(str(tmp_path)))
    return tmp_path, happened


def repairs(monkeypatch, happened, *actions):
    """Let each repair in turn do something and return a status; the last of them goes on for ever."""
    left = list(actions)

    def main(argv):
        happened.append(argv[-1])
        action = left.pop(0) if len(left) > 1 else left[0]
        return action()
    monkeypatch.setattr(cli, "main", main)


def replacing(path, status):
    """Return a repair during which a file is replaced in a directory."""
    def action():
        (path / "new").write_text("")
        os.rename(str(path / "new"), str(path / "file"))
        os.utime(str(path), ns=(0, action.time))
        action.time += 1
        return status
    action.time = 1
    return action


@pytest.mark.parametrize("status", [0, 1, 2, 4])
def test_nothing_has_changed_meanwhile(host, monkeypatch, status):
    repairs(monkeypatch, host[1], lambda: status)
    assert scriptlet.main("changed", []) == status
    assert host[1] == ["wait", "repair"]


@pytest.mark.parametrize("directory", [FILES, "etc/selinux/targeted/policy", "etc/foreman-selinux-helpers/profiles.d"])
def test_a_change_meanwhile_is_followed_once_more(host, monkeypatch, directory):
    """Also one of the repair's own; the last status counts."""
    root, happened = host
    repairs(monkeypatch, happened, replacing(root / directory, 1), lambda: 0)
    assert changed.main() == 0
    assert happened == ["wait", "repair"] * 2


def test_another_policy_type_appears(host, monkeypatch):
    root, happened = host
    repairs(monkeypatch, happened, lambda: (root / "etc/selinux/mls/policy").mkdir(parents=True) or 0, lambda: 0)
    assert changed.main() == 0
    assert happened.count("repair") == 2


def test_a_host_that_never_rests_is_left_to_the_next_change(host, monkeypatch):
    root, happened = host
    repairs(monkeypatch, happened, replacing(root / FILES, 1))
    assert changed.main() == 1
    assert happened.count("repair") == 5


def test_an_rpm_transaction_is_waited_for(host, monkeypatch):
    answers = iter([True, True, False])
    monkeypatch.setattr(changed.transaction, "under_way", lambda _: next(answers))
    repairs(monkeypatch, host[1], lambda: 0)
    assert changed.main() == 0
    assert host[1] == ["wait", "wait", "wait", "repair"]


def test_an_rpm_transaction_that_does_not_end_is_not(host, monkeypatch):
    now = iter(range(0, 10 ** 6, 60))
    monkeypatch.setattr(changed.time, "monotonic", lambda: next(now))
    monkeypatch.setattr(changed.transaction, "under_way", lambda _: True)
    repairs(monkeypatch, host[1], lambda: 0)
    assert changed.main() == 0
    assert host[1].count("wait") == 10


# -- the units -----------------------------------------------------------------------------------


def unit(kind):
    """Return the sections of a unit, each a list of settings and values."""
    found = {}
    for line in (TOP / ("units/foreman-selinux-helpers." + kind)).read_text().split("\n"):
        if line.startswith("["):
            section = found.setdefault(line.strip("[]"), [])
        elif line and not line.startswith("#"):
            section.append(tuple(line.split("=", 1)))
    return found


def test_the_sandbox_is_that_of_the_page():
    page = (TOP / "docs/permissions.md").read_text(encoding="utf-8")
    words = shlex.split(re.search(r"(?s)\n    systemd-run (.*?)/usr/sbin", page).group(1).replace("\\\n", ""))
    wanted = [tuple(word.split("=", 1)) for option, word in zip(words, words[1:]) if option == "-p"]
    service = unit("service")["Service"]
    assert len(wanted) > 20
    assert [one for one in service if one in wanted] == wanted
    assert {name for name, _ in service if (name, dict(service)[name]) not in wanted} == {
        "Type", "ExecStart", "SuccessExitStatus", "TimeoutStartSec", "StandardOutput", "StandardError"}


def test_the_service_has_time_for_all_that_it_waits_for():
    limit = dict(unit("service")["Service"])["TimeoutStartSec"]
    assert limit == "30min"
    assert changed._PATIENCE + changed._MOST * (changed._SETTLE + changed._LIMIT) < 30 * 60


def test_what_is_watched_is_compared_as_well():
    """What the service looks for after a repair is what starts it, of every policy type."""
    watched = [value.lstrip("/") for _, value in unit("path")["Path"]]
    assert [one for one in watched if not any(fnmatch(one, pattern) for pattern in changed._WATCHED)] == []
    assert {pattern for pattern in changed._WATCHED if any(fnmatch(one, pattern) for one in watched)} == {
        one for one in changed._WATCHED if not one.endswith("/policy")}


def test_when_the_service_runs_and_fails():
    service = unit("service")
    assert ("After", "multi-user.target") in service["Unit"]
    assert ("SuccessExitStatus", "%d %d 143 SIGTERM" % (cli.WRONG, cli.REFUSED)) in service["Service"]
    assert not [name for name, _ in service["Service"] if name.startswith("Restart")]
    assert "Install" not in service
