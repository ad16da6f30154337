"""What programs print, in their oldest and their newest form; what is not told is unknown."""

import pytest

from foreman_selinux_helpers.model import reporttexts as texts
from foreman_selinux_helpers.model.reporttexts import SELinuxState


@pytest.mark.parametrize(("text", "expected"), [
    ("SELinux status:                 disabled\n", SELinuxState("disabled", None)),
    ("SELinux status: enabled\nLoaded policy name: targeted\nCurrent mode: permissive\n", SELinuxState("permissive", "targeted")),
    ("SELinux status: enabled\nCurrent mode: enforcing\nPolicy from config file: mls\n", SELinuxState("enforcing", "mls")),
    ("sh: sestatus: command not found\n", SELinuxState()), ("", SELinuxState()),
    ("SELinux status: enabled\nCurrent mode: ?\n", SELinuxState()),
])
def test_sestatus(text, expected):
    assert texts.sestatus(text) == expected


def test_selinux_config():
    assert texts.selinux_config("#SELINUX=disabled\n SELINUX=Permissive \nSELINUXTYPE= mls\n") == ("permissive", "mls")
    assert texts.selinux_config("SELINUX=0\n") == SELinuxState()


@pytest.mark.parametrize("text", [
    "Policy booleans:\na_b                                         on\nc                                           off\n",
    "a_b --> on\nc --> off\n",
    "SELinux boolean                State  Default Description\n\na_b        (on   ,   on)  Allow a\nc   (off  ,  off)  x\n",
])
def test_booleans(text):
    assert texts.booleans("Policy MLS status:              enabled\n" + text) == {"a_b": True, "c": False}


def test_contexts_of_processes():
    text = ("LABEL                  USER         PID %CPU\nsystem_u:system_r:init_t:s0     root           1 0.1 x\n"
            "kernel                          root           2 0.1 x\n"
            "u:r:t:s0-s0:c0.c1023 bob 77 0 x\nsystem_u:system_r:old_t root 78 0 x\n")
    assert texts.contexts_of_processes(text) == {
        1: "system_u:system_r:init_t:s0", 77: "u:r:t:s0-s0:c0.c1023", 78: "system_u:system_r:old_t"}


def test_packages():
    names = ("systemd", "libselinux")
    rpms = ("libselinux-2.5-15.el7.x86_64        Tue 14 Nov 2023 08:00:00 PM UTC\n"
            "libselinux-utils-2.5-15.el7.x86_64  Tue\nsystemd-239-82.el8_10.2.x86_64\tTue Nov\nsystemd-udev-239-82.x86_64\n")
    assert texts.rpm_evrs(rpms, names) == {"libselinux": "2.5-15.el7", "systemd": "239-82.el8_10.2"}
    assert texts.rpm_evrs("systemd-257.9-1.fc42.aarch64\nbash\n-\n", names) == {"systemd": "257.9-1.fc42"}
    debs = ("Desired=Unknown/Install\n||/ Name Version\nii  systemd        252.39-1~deb12u1 amd64 x\nrc libselinux 1 all x\n"
            "hi  libselinux:amd64 1:3.4-1+b6 amd64 x\n")
    assert texts.deb_versions(debs, names) == {"systemd": "252.39-1~deb12u1", "libselinux": "1:3.4-1+b6"}


@pytest.mark.parametrize(("text", "expected"), [
    ('ID="rhel"\nID_LIKE="fedora"\n', "rhel"), ("ID=fedora\n", "fedora"), ('ID=ubuntu\nID_LIKE=debian\n', "debian"),
    ('ID="almalinux"\nID_LIKE="rhel centos fedora"\n', "rhel"), ("ID=arch\n", "arch"), ("", ""),
])
def test_os_family(text, expected):
    assert texts.os_family(text) == expected


def test_times():
    assert texts.boot_time("cpu 1\nbtime 1699992000\n") == 1699992000.0
    assert texts.boot_time("cpu 1\nbtime x\n") is None
    new = "   Universal time: Tue 2023-11-14 22:13:20 UTC\n        Time zone: America/Caracas (-0430, -0430)\n"
    assert (texts.taken_at(new), texts.utc_offset(new)) == (1700000000.0, -16200)
    old = "  Universal time: Tue 2023-11-14 22:13:20 UTC\n      Timezone: Europe/Berlin (CET, +0100)\n"
    assert (texts.taken_at(old), texts.utc_offset(old)) == (1700000000.0, 3600)
    assert texts.taken_at("Universal time: Tue 2023-19-14 22:13:20 UTC") is None
    assert (texts.taken_at(""), texts.utc_offset("Time zone: n/a")) == (None, None)


def test_relabels():
    text = ("Would relabel /run/a b.sock from u:r:a_t:s0 to u:r:b_t:s0\n"
            "/sbin/restorecon reset /run/c.sock context u:r:a_t:s0->u:r:b_t:s0\nrestorecon: warning\n")
    assert texts.relabels(text) == {"/run/a b.sock": ("u:r:a_t:s0", "u:r:b_t:s0"),
                                    "/run/c.sock": ("u:r:a_t:s0", "u:r:b_t:s0")}
