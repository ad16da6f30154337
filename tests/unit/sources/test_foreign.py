"""Sockets that no unit makes: real ones, in a directory that stands for /run."""

import os
import socket
from types import SimpleNamespace

import pytest

from foreman_selinux_helpers.doors import labels, selinuxlib
from foreman_selinux_helpers.sources import foreign

LABEL = "system_u:object_r:%s:s0"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Return a directory, in which each socket has the type that its name begins with."""
    monkeypatch.setattr(labels, "path_label", lambda path: LABEL % os.path.basename(path).split(".")[0])
    monkeypatch.setattr(selinuxlib, "is_customizable", lambda label: "custom_t" in label)
    return tmp_path


def bind(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    with socket.socket(socket.AF_UNIX) as made:
        here = os.getcwd()
        os.chdir(str(path.parent))  # a socket's address is short
        try:
            made.bind(path.name)
        finally:
            os.chdir(here)


def read(top, known=(), expected=LABEL % "right_t"):
    policy = SimpleNamespace(lookup=lambda path: expected, same_type=str.__eq__)
    found, unread = foreign.read(policy, known, str(top))
    return [os.path.relpath(one.path, str(top)) for one in found], unread


def test_what_is_named(run):
    for name in ("wrong_t.a", "sub/wrong_t.b", "right_t.c", "custom_t.d", "wrong_t.known"):
        bind(run / name)
    (run / "wrong_t.file").write_text("no socket")
    (run / "link").symlink_to(run / "sub")
    (run / "loop").symlink_to(run)
    assert read(run, {str(run / "wrong_t.known")}) == (["sub/wrong_t.b", "wrong_t.a"], None)
    assert read(run, expected=None) == ([], None)


def test_what_cannot_be_read_is_passed_over(run, monkeypatch):
    bind(run / "wrong_t.a")
    monkeypatch.setattr(labels, "path_label", lambda path: (_ for _ in ()).throw(PermissionError()))
    assert read(run) == ([], None)


def test_there_is_an_end(run, monkeypatch):
    for number in range(5):
        bind(run / ("wrong_t.%d" % number))
    monkeypatch.setattr(foreign, "_MOST", 3)
    found, unread = read(run)
    assert len(found) == 3
    assert "more than 3 sockets" in unread
