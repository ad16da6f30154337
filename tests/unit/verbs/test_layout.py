"""How text for people looks."""

import os
import pty

import pytest

from foreman_selinux_helpers import cli
from foreman_selinux_helpers.model import causes, layout
from foreman_selinux_helpers.verbs.status import text

LABEL = "system_u:object_r:foreman_var_run_t:s0"


@pytest.mark.parametrize("text", ["", "word", LABEL * 4, "a " * 100, "/etc/selinux/x  --  " + LABEL * 2, " ".join([LABEL] * 5)])
def test_no_line_is_too_long_and_no_word_is_broken(text):
    lines = layout.wrap(text, 4, "name: ")
    assert all(len(line) <= layout.WIDTH or " " not in line.strip().replace("name: ", "") for line in lines)
    assert " ".join(lines).split() == ["name:", *text.split()]
    assert all(line.startswith("    ") for line in lines[1:])
    assert not any(line.endswith(" ") for line in lines)


def test_two_spaces_stay_where_the_line_is_not_broken():
    assert layout.wrap("/run/x  -s  u:r:t") == ["/run/x  -s  u:r:t"]


def test_values_stand_below_each_other():
    assert layout.entry("remedy", "do this") == ["    remedy        do this"]
    first, second = layout.entry("expected", "%s %s" % (LABEL, LABEL))
    assert first.index(LABEL) == second.index(LABEL)
    assert layout.table([("a", "b"), ("ccc", "d"), ("", "")]) == ["a    b", "ccc  d", ""]
    assert layout.table([]) == []


def socket(unit, problem, in_use=True):
    return {"unit": unit, "profile": "p", "path": "/run/%s" % unit, "expected": LABEL, "path_label": LABEL,
            "held_answer": None, "socket_label": None, "expected_socket_label": None, "problem": problem, "remedy": problem and "do this", "in_use": in_use,
            "exists": True, "owner": "root", "group": "foo", "mode": "0660"}


def status(*found):
    return {"command": "status", "source": "host", "sockets": found, "notes": [], "unseen": [], "label_cache": {"state": "fresh", "harmless": True, "evidence": []}}


def test_many_sockets_are_a_table_and_one_is_a_story():
    found = [socket("a.socket", None), socket("bcdef.socket", "no-rule"), socket("c.socket", None, False)]
    lines = text(status(*found)).split("\n")
    assert lines[:4] == ["a.socket      /run/a.socket      ok", "bcdef.socket  /run/bcdef.socket  WRONG: no-rule",
                         "c.socket      /run/c.socket      ok, not in use", ""]
    assert lines[4] == "bcdef.socket  /run/bcdef.socket  WRONG: no-rule"
    assert "    remedy        do this" in lines
    assert text(status(found[0])).startswith("a.socket  /run/a.socket  ok\n    expected      " + LABEL)
    assert "    mode          0660 root:foo\n" in text(status(found[0]))
    assert "    mode" not in text(status(dict(found[0], owner=None, group=None, mode=None)))


def test_what_may_not_be_looked_at_is_not_called_right():
    hidden = dict(socket("a.socket", None), exists=None, path_label=None)
    assert text(status(hidden)).startswith("a.socket  /run/a.socket  not seen: permission denied\n")
    assert "not in use" in text(status(dict(hidden, in_use=False)))


def test_every_cause_has_its_words():
    names = ("no-rule wrong-file-type aliased-path shadowed label-cache-stale made-before-rule not-made-by-systemd"
             " no-such-type no-label-support socket-label policy-denies mode-denies").split()
    assert sorted(cause.name for cause in causes.CAUSES) == sorted(names)
    for cause in names:
        assert causes.named(cause).meaning in " ".join(text(status(socket("a.socket", cause))).split())


def test_colour_never_says_what_words_do_not():
    document = status(socket("a.socket", "no-rule"), socket("b.socket", None))
    coloured = text(document, colour=True)
    assert "\033[1;31mWRONG: no-rule\033[0m" in coloured
    plain = coloured.replace("\033[1;31m", "").replace("\033[32m", "").replace("\033[0m", "")
    assert plain == text(document)


@pytest.mark.parametrize(("environment", "terminal", "coloured"), [
    ({}, True, True), ({}, False, False), ({"NO_COLOR": "1"}, True, False), ({"NO_COLOR": ""}, True, True),
    ({"TERM": "dumb"}, True, False)])
def test_colour_is_for_terminals(monkeypatch, tmp_path, environment, terminal, coloured):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    ours, theirs = pty.openpty()
    with os.fdopen(ours), os.fdopen(theirs, "w") as screen, open(str(tmp_path / "out"), "w") as file:
        monkeypatch.setattr("sys.stdout", screen if terminal else file)
        assert cli._colour() is coloured


def test_what_others_name_moves_no_cursor_and_breaks_no_line():
    odd = "a\nb\033]0;title\007c\x9b\u202ed\te"
    assert layout.wrap(odd) == ["a?b?]0;title?c??d?e"]
    assert layout.entry("name", "x\ny") == ["    name          x?y"]
    assert layout.table([("a\n", "b")]) == ["a?  b"]
    assert layout.printable("/run/\u00e9 \U0001f600") == "/run/\u00e9 \U0001f600"
