import re
from pathlib import Path

import pytest

from foreman_selinux_helpers.doors import packages
from foreman_selinux_helpers.model.refresh import (
    INSTALLED,
    NEVER,
    ON_DAEMON_RELOAD,
    ON_POLICY_LOAD,
    UNKNOWN,
    Known,
    labels_by_context,
    parse_version,
    predict,
)


def by_numbers(one, other):
    """Stand in for rpm's comparison where its binding is missing: good enough for these releases."""
    def key(evr):
        return [int(part) if part.isdigit() else -1 for part in evr[2].replace("-", ".").split(".")]
    return (key(one) > key(other)) - (key(one) < key(other))


COMPARE = packages.evr_comparison() or by_numbers


@pytest.mark.parametrize(("text", "upstream", "package"), [
    ("219", "219", None),
    ("239 (239-82.el8_10.2)", "239", "239-82.el8_10.2"),
    ("245.4-4ubuntu3", "245.4", "245.4-4ubuntu3"),
    ("v246.6-3.fc33", "246.6", "246.6-3.fc33"),
    ("252-32.el9_4", "252", "252-32.el9_4"),
    ("252.39-1~deb12u1", "252.39", "252.39-1~deb12u1"),
    ("252 (252.39-1~deb12u1)", "252", "252.39-1~deb12u1"),
    ("257~rc1-1", "257rc1", "257~rc1-1"),
    ("257.9", "257.9", None),
])
def test_versions_as_they_are_written(text, upstream, package):
    assert parse_version(text) == (upstream, package)


@pytest.mark.parametrize("text", ["", "unknown", "12", "219x", "systemd 252", "252 garbage", "\n", "v"])
def test_garbage_is_unknown(text):
    assert parse_version(text) is None
    prediction = predict(text, Known("rhel", COMPARE))
    assert prediction.refresh == UNKNOWN
    assert prediction.evidence


@pytest.mark.parametrize(("version", "family", "libselinux", "refresh"), [
    ("219", "rhel", None, NEVER),
    ("239 (239-41.el8_3)", "rhel", None, NEVER),
    ("239 (239-43.el8)", "rhel", None, NEVER),
    ("239 (239-44.el8)", "rhel", None, ON_POLICY_LOAD),
    ("239 (239-45.0.1.el8)", "rhel", None, ON_POLICY_LOAD),
    ("239 (239-82.el8_10.2)", "rhel", None, ON_POLICY_LOAD),
    ("239", "rhel", None, UNKNOWN),
    ("239-7ubuntu10", "debian", None, NEVER),
    ("244", "fedora", None, NEVER),
    ("245.4-4ubuntu3", "debian", None, ON_DAEMON_RELOAD),
    ("v246.6-3.fc33", "fedora", "3.1", ON_POLICY_LOAD),
    ("246", "fedora", "3.4", ON_POLICY_LOAD),
    ("247.3-7+deb11u5", "debian", "3.1", ON_POLICY_LOAD),
    ("247.3", "fedora", "3.2", NEVER),
    ("247.8", "fedora", "3.2", ON_POLICY_LOAD),
    ("v248-2.fc34", "fedora", "3.4", NEVER),
    ("248", "fedora", None, UNKNOWN),
    ("248", "fedora", "odd", UNKNOWN),
    ("v248.4-1.fc34", "fedora", "3.2", ON_POLICY_LOAD),
    ("249", "fedora", "3.2", ON_POLICY_LOAD),
    ("252-32.el9_4", "rhel", None, ON_POLICY_LOAD),
    ("257~rc1-1", "debian", None, ON_POLICY_LOAD),
])
def test_refresh_behaviour(version, family, libselinux, refresh):
    prediction = predict(version, Known(family, COMPARE, libselinux))
    assert prediction.refresh == refresh
    assert all(prediction.evidence)


def test_the_installed_package_helps_a_version_without_a_release():
    assert predict("239", Known("rhel", COMPARE, installed_evr="239-45.el8")).refresh == ON_POLICY_LOAD
    assert predict("239", Known("rhel", COMPARE, installed_evr="239-41.el8")).refresh == NEVER
    assert predict("239 (239-45.el8)", Known("rhel", None)).refresh == UNKNOWN


@pytest.mark.parametrize(("running", "installed", "compare", "refresh"), [
    ("239 (239-41.el8.2)", "239-41.el8.2", COMPARE, ON_POLICY_LOAD),  # somebody's own backport
    ("239 (239-41.el8.2)", "1:239-41.el8.2", COMPARE, ON_POLICY_LOAD),
    ("239 (239-41.el8)", "239-82.el8", COMPARE, NEVER),  # upgraded, not re-executed: another package's changelog
    ("239", "239-41.el8.2", COMPARE, ON_POLICY_LOAD),
    ("239", None, COMPARE, ON_POLICY_LOAD),
    ("239 (239-82.el8)", "239-82.el8", None, ON_POLICY_LOAD),
    ("239 (239-82.el8)", "239-82.el8", COMPARE, ON_POLICY_LOAD),
    ("219", "219-78.el7", COMPARE, NEVER),
])
def test_the_changelog_of_the_installed_package_counts(running, installed, compare, refresh):
    prediction = predict(running, Known("rhel", compare, None, installed, "fix mac_selinux_reload (#1888912) (239-44)"))
    assert prediction.refresh == refresh
    assert ("#1888912" in " ".join(prediction.evidence)) == (refresh == ON_POLICY_LOAD)


def test_upstream_of_an_evr():
    assert packages.upstream("1:3.1-3") == "3.1"
    assert packages.upstream(None) is None


def test_the_table_of_releases():
    """Each row of the page: the release, what systemd says, libselinux, the behaviour."""
    page = Path(__file__).resolve().parents[3] / "docs/releases.md"
    rows = re.findall(r"^\| ([^|]+) \| `([^`]+)` \| ([0-9.]+) \| ([A-Z_]+) \| [^|]+ \|$", page.read_text(encoding="utf-8"), re.M)
    assert len(rows) >= 20
    families = {"EL": "rhel", "Fedora": "fedora", "Ubuntu": "debian", "Debian": "debian"}
    for release, says, libselinux, refresh in rows:
        known = Known(families.get(release.split()[0], "other"), COMPARE, libselinux)
        assert predict(says, known).refresh == refresh, release
    assert {row[3] for row in rows} == {NEVER, ON_DAEMON_RELOAD, ON_POLICY_LOAD, UNKNOWN}


@pytest.mark.parametrize(("version", "family"), [
    ("239 (239-82.el8)", "other"), ("239 (239-82.0.1.el8_10.2)", ""), ("239 (239-82.el8)", "debian")])
def test_a_release_of_rhel_8_counts_whatever_os_release_says(version, family):
    assert predict(version, Known(family, COMPARE)).refresh == ON_POLICY_LOAD


def test_evidence_is_about_the_build_that_was_asked_for():
    running = predict("239 (239-41.el8)", Known("rhel", COMPARE)).evidence
    installed = predict("239 (239-41.el8)", Known("rhel", COMPARE), which=INSTALLED).evidence
    assert "the running systemd is" in running[0]
    assert installed == [running[0].replace("running", "installed")]


@pytest.mark.parametrize(("version", "compare", "by_context"), [
    ("219", COMPARE, False), ("239 (239-41.el8_3)", COMPARE, False), ("239 (239-69.el8)", COMPARE, False),
    ("239 (239-70.el8)", COMPARE, True), ("239 (239-82.el8_10.2)", COMPARE, True), ("239 (239-82.el8)", None, None),
    ("239", COMPARE, False), ("244.3", None, False), ("251.4-1", None, False), ("252-32.el9_4", None, True),
    ("262-1", None, True), ("systemd of my own", COMPARE, None)])
def test_who_labels_sockets_by_the_context_of_the_service(version, compare, by_context):
    assert labels_by_context(version, compare) is by_context
