"""Which systemd is meant, and what is known of it."""

import os
import shutil

import pytest

from foreman_selinux_helpers.doors import packages, procfs
from foreman_selinux_helpers.doors.deadline import Deadline
from foreman_selinux_helpers.doors.run import Runner
from foreman_selinux_helpers.model.errors import CommandFailed
from foreman_selinux_helpers.model.refresh import NEVER, ON_DAEMON_RELOAD, ON_POLICY_LOAD, UNKNOWN, reexec_due
from foreman_selinux_helpers.sources.systemdbuild import Detection


class Manager:
    """Stands in for the door to systemd."""

    def __init__(self, running=None, installed=None):
        self.running, self.installed, self.asked = running, installed, 0

    def version(self):
        self.asked += 1
        if self.running is None:
            raise CommandFailed("systemctl show: no answer")
        return self.running

    def binary_version(self, path):
        if self.installed is None:
            raise CommandFailed("cannot run " + path)
        return self.installed


def detection(monkeypatch, manager, family, evr, root="/"):
    monkeypatch.setattr(packages, "family", lambda below: family)
    monkeypatch.setattr(packages, "installed_evr", lambda name, *_: evr.get(name))
    return Detection(root, manager, Runner(Deadline(30)))


def test_running_and_installed_may_differ(monkeypatch):
    """As between an upgrade of systemd and the re-exec after it."""
    manager = Manager("239 (239-41.el8)", "239 (239-82.el8_10.2)")
    found = detection(monkeypatch, manager, "rhel", {"systemd": "239-82.el8_10.2"})
    if packages.evr_comparison() is None:
        monkeypatch.setattr(packages, "evr_comparison", lambda: lambda one, other: int(one[2].split(".")[0]) - int(other[2]))
    running, installed = found.running(None), found.installed()
    assert (running.version, running.evr, running.refresh) == ("239 (239-41.el8)", "239-41.el8", NEVER)
    assert (installed.evr, installed.refresh) == ("239-82.el8_10.2", ON_POLICY_LOAD)
    found.running(None)
    assert manager.asked == 1


def test_a_release_that_the_running_systemd_does_not_tell_is_not_the_installed_ones(monkeypatch):
    found = detection(monkeypatch, Manager("219", "219"), "rhel", {"systemd": "219-78.el7_9.9"})
    assert (found.running(None).evr, found.installed().evr) == (None, "219-78.el7_9.9")


@pytest.mark.parametrize("version", ["219", "244.3", "v246.6-3.fc33", "252-32.el9_4", "262-1", "garbage"])
def test_no_package_database_is_opened_for_a_version_that_tells_enough(monkeypatch, version):
    found = Detection("/", Manager(version), Runner(Deadline(30)))
    for name in ("family", "installed_evr", "changelog_entry", "evr_comparison"):
        monkeypatch.setattr(packages, name, lambda *_: pytest.fail("it was asked"))
    assert found.running(None).version == version


def test_libselinux_counts_where_it_matters(monkeypatch):
    for version, libselinux, refresh in (("247.3-7+deb11u5", "3.1-3", ON_POLICY_LOAD), ("247.3-7+deb11u5", "3.4-1", NEVER),
                                         ("252.39-1~deb12u1", "3.4-1", ON_POLICY_LOAD)):
        found = detection(monkeypatch, Manager(version), "debian", {"libselinux1": libselinux})
        assert found.running(None).refresh == refresh


@pytest.mark.parametrize(("running", "installed", "due"), [
    ("252.39-1~deb12u1", "252 (252.39-1~deb12u1)", False),  # the manager's property, and --version
    ("239 (239-41.el8)", "239 (239-82.el8_10.2)", True),
    ("252.36-1~deb12u1", "252 (252.39-1~deb12u1)", True),
    ("219", "219", False), ("255.7", "255 (255.7-1.fc40)", False), ("255.6", "256.1", True),
    ("219", None, False), (None, "252", False), ("garbage", "252", False),
])
def test_an_upgrade_without_a_reexec_is_seen(monkeypatch, running, installed, due):
    monkeypatch.setattr(procfs, "program_replaced", lambda pid: False)
    found = detection(monkeypatch, Manager(running, installed), "rhel", {})
    assert (reexec_due(found.facts(None)) is not None) == due
    assert reexec_due(found.facts("container")) is None
    monkeypatch.setattr(procfs, "program_replaced", lambda pid: True)
    assert "no longer on disk" in reexec_due(found.facts(None))


def test_nothing_is_asked_of_a_manager_that_is_not_ours(monkeypatch):
    manager = Manager("252")
    build = detection(monkeypatch, manager, "rhel", {}).running("container")
    assert (build.version, build.refresh, manager.asked) == (None, UNKNOWN, 0)
    assert "container" in build.evidence[0]


def test_a_manager_that_does_not_answer_is_unknown(monkeypatch):
    build = detection(monkeypatch, Manager(), "rhel", {}).running(None)
    assert (build.refresh, build.evidence) == (UNKNOWN, ["systemctl show: no answer"])


def test_a_broken_binary_leaves_the_package(monkeypatch):
    found = detection(monkeypatch, Manager("245"), "debian", {"systemd": "245.4-4ubuntu3"})
    assert found.installed().refresh == ON_DAEMON_RELOAD
    assert detection(monkeypatch, Manager("245"), "debian", {}).installed().refresh == UNKNOWN


def test_an_image_is_asked_for_its_package_not_for_ours(monkeypatch):
    found = detection(monkeypatch, Manager("252", "252"), "debian", {"systemd": "245.4-4ubuntu3"}, "/image")
    assert found.installed() == ("245.4-4ubuntu3", "245.4-4ubuntu3", ON_DAEMON_RELOAD, found.installed().evidence)


@pytest.mark.parametrize(("text", "family"), [
    ("ID=rhel\n", "rhel"), ("ID=fedora\n", "fedora"), ("ID=debian\n", "debian"),
    ('ID="almalinux"\nID_LIKE="rhel centos fedora"\n', "rhel"), ('ID="centos"\nID_LIKE="rhel fedora"\n', "rhel"),
    ("ID=ubuntu\nID_LIKE=debian\n", "debian"), ("ID=arch\n", "arch"), ("", "")])
def test_families(tmp_path, text, family):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").write_text(text)
    assert packages.family(str(tmp_path)) == family
    assert packages.family("/")


def test_packages_of_an_image(tmp_path):
    if shutil.which("dpkg-query") is None:
        pytest.skip("needs dpkg")
    (tmp_path / "var/lib/dpkg").mkdir(parents=True)
    (tmp_path / "var/lib/dpkg/status").write_text(
        "Package: systemd\nStatus: install ok installed\nMaintainer: x\nArchitecture: amd64\nVersion: 1:99-1\nDescription: x\n")
    runner = Runner(Deadline(30))
    assert packages.installed_evr("systemd", "debian", str(tmp_path), runner) == "1:99-1"
    assert packages.installed_evr("nothing", "debian", str(tmp_path), runner) is None
    if packages.evr_comparison():
        os.makedirs(str(tmp_path / "var/lib/rpm"))
        assert packages.installed_evr("systemd", "rhel", str(tmp_path), runner) is None


@pytest.mark.parametrize("who", [b"", b"  ", b"J\xf6rg <j@x> - 239-42", "Somebody <s@x> - 239-42"])
def test_a_changelog_of_anything(monkeypatch, who):
    """EL 8's binding gives bytes, which need not be UTF-8."""
    monkeypatch.setattr(packages, "_header", lambda name, root: {
        "changelogname": [who], "changelogtext": [b"- caf\xe9 (#1888912)"]})
    entry = packages.changelog_entry("systemd", "1888912", "/")
    assert entry.startswith("caf\ufffd (#1888912) (")
    assert entry.endswith("(239-42)") or not who.strip()
