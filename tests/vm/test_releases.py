"""An older and a newer Debian: what is predicted of their PID 1 is what it does, and our package serves both."""

from typing import List

import pytest

from ..packages.build import NO_RULE
from .guest import Guest
from .test_story import sockets, steps

PATH = "/run/foo.sock"
REGEX = r"'/run/foo\.sock'"
FIRST, SECOND = "httpd_runtime_t", "httpd_sys_rw_content_t"


def add_socket(guest: Guest) -> None:
    """Start foo.socket, which no rule is about."""
    guest.put("/etc/systemd/system/foo.socket", b"[Socket]\nListenStream=%s\n" % PATH.encode())
    guest.put("/etc/systemd/system/foo.service", b"[Service]\nExecStart=/bin/sleep infinity\n")
    guest.check("systemctl daemon-reload && systemctl start foo.socket")


def label_after(guest: Guest, *commands: str) -> str:
    """Return the type of the socket that PID 1 makes anew after these commands."""
    guest.check(" && ".join([*commands, "systemctl restart foo.socket"]))
    return guest.label(PATH)


def observed_refresh(guest: Guest) -> str:
    """Add a rule, as semanage does it with a policy load, and see what makes PID 1 label by it."""
    if label_after(guest, "semanage fcontext -a -t %s %s" % (FIRST, REGEX)) == FIRST:
        return "ON_POLICY_LOAD"
    return "ON_DAEMON_RELOAD" if label_after(guest, "systemctl daemon-reload") == FIRST else "NEVER"


@pytest.mark.parametrize(("release", "systemd", "libselinux", "python", "substitution"), [
    ("bullseye", "247.3", "3.1", "3.9", "last"), ("trixie", "257.", "3.8.1", "3.13", "first")])
def test_pid1_does_what_is_predicted(boot, install, demo, release, systemd, libselinux, python, substitution):
    """Detected, observed, repaired without a re-exec, and served by a transaction with a profile."""
    with boot(release) as guest:
        assert guest.check("getenforce").strip() == "Enforcing"
        assert guest.check("dpkg-query -W -f '${Version}' libselinux1").split("-")[0] == libselinux
        assert guest.check("python3 -V").startswith("Python %s." % python)
        assert substitution_that_counts(guest) == substitution
        detected = guest.tool("detect")
        assert detected["status"] == 0
        assert detected["running"]["version"].startswith(systemd)
        add_socket(guest)
        assert guest.label(PATH) not in (FIRST, SECOND)
        assert detected["running"]["refresh"] == detected["installed"]["refresh"] == observed_refresh(guest)

        # A commit without a policy load is not seen by PID 1, and needs no more than a policy load.
        guest.check("semanage fcontext -N -m -t %s %s" % (SECOND, REGEX))
        assert label_after(guest, "systemctl daemon-reload") == FIRST
        guest.put("/etc/foreman-selinux-helpers/profiles.d/foo.conf", b"[foo.socket]\ntype = %s\n" % SECOND.encode())
        status = guest.tool("status", "foo.socket")
        assert (status["status"], status["label_cache"]["state"]) == (1, "stale")
        assert sockets(status)["foo.socket"]["problem"] == "label-cache-stale"
        done = guest.tool("repair", "foo.socket")
        assert (done["status"], done["ok"]) == (0, True)
        assert steps(done) == ["look-a-label-up", "load-policy", "restart"]
        assert "daemon-reexec" in steps(done, "not-needed")
        assert guest.label(PATH) == SECOND
        assert all_is_well(guest) == ["foo.socket"]

        # The scriptlets and file triggers of this release's rpm register the rule of a profile, and take it back.
        install(guest, demo("bar", variant=NO_RULE, requires=False))
        assert guest.label("/run/bar.sock") == "bar_var_run_t"
        assert client_connects(guest, "/run/bar.sock")
        assert all_is_well(guest) == ["bar.socket", "foo.socket"]
        assert guest.denials('comm="setfiles"') + guest.denials("foreman-selinux") == []
        assert guest.rpm("-e", "bar-demo") == (0, "", "")
        assert [rule.split()[0] for rule in guest.rules()] == [r"/run/foo\.sock"]
        assert guest.reexec_count() == 0
        guest.check("systemctl daemon-reexec")
        assert guest.reexec_count() == 1  # it would have been counted


def substitution_that_counts(guest: Guest) -> str:
    """Tell which of two substitutions libselinux applies, and assert that a rule would be written accordingly."""
    targets = {"/etc": ("etc_t", "first"), "/var/lib": ("var_lib_t", "last")}
    substitutions = "/etc/selinux/default/contexts/files/file_contexts.subs"
    profile = "/etc/foreman-selinux-helpers/profiles.d/x.conf"
    guest.put(substitutions, "".join("/srv/alias %s\n" % target for target in targets).encode())
    guest.put(profile, b"[x.socket]\ntype = %s\npath = /srv/alias/x.sock\n" % FIRST.encode())
    answer = guest.check(["matchpathcon", "-n", "/srv/alias/x.sock"]).split(":")[2]
    rule, = guest.tool("register", "--dry-run", "x.socket")["rules"]
    guest.check(["rm", substitutions, profile])
    target = rule["regex"][:-len(r"/x\.sock")]
    assert targets[target][0] == answer
    return targets[target][1]


def client_connects(guest: Guest, path: str) -> bool:
    """Tell whether a web server is answered (its output stays behind: dbus-daemon may not pass an administrator's pipe)."""
    return guest.run(["systemd-run", "--quiet", "--wait", "--collect", "/usr/libexec/web-client/web-client", path]).status == 0


def all_is_well(guest: Guest) -> List[str]:
    """Assert that status says so; return the units whose sockets it looked at."""
    status = guest.tool("status")
    assert (status["status"], status["ok"], status["label_cache"]["state"]) == (0, True, "fresh")
    assert {one["problem"] for one in status["sockets"]} == {None}
    return sorted(one["unit"] for one in status["sockets"] if one["path_label"])
