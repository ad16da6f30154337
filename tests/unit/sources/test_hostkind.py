"""What kind of host this is: where PID 1 may be touched, and why not elsewhere."""

import pytest

from foreman_selinux_helpers.model.facts import Host
from foreman_selinux_helpers.model.guards import CHROOT_OR_IMAGE, NOT_BOOTED, SELINUX_DISABLED
from foreman_selinux_helpers.sources import hostkind


@pytest.fixture
def ours(monkeypatch):
    """Let / be PID 1's, with systemd and SELinux."""
    monkeypatch.delenv("SYSTEMD_OFFLINE", raising=False)
    monkeypatch.setattr(hostkind.procfs, "shares_root", lambda pid: True)
    monkeypatch.setattr(hostkind.systemd, "booted", lambda: True)
    monkeypatch.setattr(hostkind.selinuxlib, "enabled", lambda: True)


def test_an_image_is_not_pid_1s(ours, tmp_path):
    """Whatever the host below it is."""
    image = hostkind.read(str(tmp_path))
    assert (image.offline, image.why_offline) == (CHROOT_OR_IMAGE, "%s is an image" % tmp_path)
    assert not any((image.own_root, image.booted, image.selinux_enabled))


@pytest.mark.parametrize(("value", "offline"), [("1", CHROOT_OR_IMAGE), ("Yes", CHROOT_OR_IMAGE), ("0", None), ("", None)])
def test_who_calls_may_say_that_it_is_offline(ours, monkeypatch, value, offline):
    """That is the reason it is told, not a chroot."""
    monkeypatch.setenv("SYSTEMD_OFFLINE", value)
    found = hostkind.read("/")
    assert found.offline == offline
    if offline:
        assert found.why_offline == "SYSTEMD_OFFLINE is set"


def test_a_chroot_is_not_pid_1s(ours, monkeypatch):
    """Nor a sandbox in which PID 1's root cannot be seen."""
    monkeypatch.setattr(hostkind.procfs, "shares_root", lambda pid: False)
    found = hostkind.read("/")
    assert found.offline == CHROOT_OR_IMAGE
    assert "chroot" in found.why_offline


@pytest.mark.parametrize(("booted", "enabled", "guard", "words"), [
    (False, False, NOT_BOOTED, "not booted with systemd"),
    (False, True, NOT_BOOTED, "not booted with systemd"),
    (True, False, SELINUX_DISABLED, "SELinux is disabled"),
])
def test_a_host_that_has_no_systemd_or_no_selinux(booted, enabled, guard, words):
    found = Host("/", "targeted", enabled, booted, None)
    assert found.offline == guard
    assert words in found.why_offline
    assert any(guard in note for note in hostkind._notes(found))


@pytest.mark.parametrize(("root", "line", "typed"), [
    ("/", "foreman-selinux-helpers repair foo.socket", "foreman-selinux-helpers repair foo.socket"),
    ("/", "semanage fcontext -d /x", "semanage fcontext -d /x"),
    ("/srv/my image", "foreman-selinux-helpers repair foo.socket",
     "foreman-selinux-helpers --root '/srv/my image' repair foo.socket"),
    ("/srv/i", "semanage fcontext -d /x", "chroot /srv/i semanage fcontext -d /x"),
])
def test_a_command_for_an_image_names_it(root, line, typed):
    """Typed as it is printed, it must not change the host that the image is on."""
    assert Host(root, "targeted", False, False, None if root == "/" else "an image").command(line) == typed
