"""The path unit: each change that is made by hand is followed by a repair, and the repair by none."""

import re
import time
from contextlib import contextmanager

from ..packages import build
from ..packages.build import NO_RULE
from ..pages import DOCS
from .guest import Guest
from .test_follow import install_module
from .test_lifecycle import denials, kinds

WATCHER, SERVICE = "foreman-selinux-helpers.path", "foreman-selinux-helpers.service"
PATH, RULE, PROFILE = "/run/foo.sock", "/run/foo\\.sock", "/etc/foreman-selinux-helpers/profiles.d/foo.conf"
CONTENT = b"[foo.socket]\ntype = httpd_runtime_t\npath = /run/foo.sock\n"
OURS, THEIRS, POLICYS = "httpd_runtime_t", "tmp_t", "foo_module_t"
MODULE = """(type foo_module_t)
(roletype object_r foo_module_t)
(typeattributeset file_type (foo_module_t))
(typeattributeset pidfile (foo_module_t))
(allow init_t foo_module_t (sock_file (create getattr setattr relabelfrom relabelto write append open read unlink)))
(filecon "/run/foo\\.sock" any (system_u object_r foo_module_t ((s0) (s0))))
"""
_LIMIT = 60.0
_QUIET = 3.0  # longer than the service waits before it looks


def runs(guest: Guest) -> int:
    """Return how often the service was started since boot."""
    return guest.check("journalctl -b --no-pager -o cat -u " + SERVICE).count("Starting " + SERVICE)


def states(guest: Guest) -> str:
    """Return the states of the path unit and its service."""
    return " ".join(guest.check("systemctl show -P SubState %s %s" % (WATCHER, SERVICE)).split())


def settled(guest: Guest, service: str = "dead") -> None:
    """Wait until the service has run and ended."""
    end = time.monotonic() + _LIMIT
    time.sleep(1)
    while states(guest) != "waiting " + service:
        assert time.monotonic() < end, states(guest)
        time.sleep(1)


@contextmanager
def followed(guest: Guest, least: int = 1, most: int = 1, commits: int = 1, service: str = "dead"):
    """Assert that what is done is followed by so many runs, and by so many commits in all, and that this ends."""
    before, committed = runs(guest), guest.commits()
    yield
    settled(guest, service)
    number = runs(guest) - before
    assert least <= number <= most
    time.sleep(_QUIET)
    assert (runs(guest) - before, guest.commits() - committed) == (number, commits)
    assert states(guest) == "waiting " + service


def rules(guest: Guest):
    """Return the first words of the local rules."""
    return [line.split()[0] for line in guest.rules()]


def test_each_change_is_followed(boot, install, demo, base_packages, tmp_path):
    with boot() as guest:
        guest.put(PROFILE, CONTENT)
        guest.put("/etc/systemd/system/foo.socket", ("[Socket]\nListenStream=%s\n" % PATH).encode())
        guest.put("/etc/systemd/system/foo.service", b"[Service]\nExecStart=/bin/sleep infinity\n")
        guest.check("systemctl daemon-reload && systemctl start foo.socket && semodule -B")
        assert guest.run("systemctl is-enabled %s" % WATCHER).out == "disabled\n"
        verified = guest.run("systemd-analyze verify --man=no %s %s" % (WATCHER, SERVICE))
        assert (verified.status, verified.err) == (0, "")
        install_module(guest, "watch", "\n".join(re.findall(r"(?m)^    (\(allow .*)$", (DOCS / "path.md").read_text())))
        denied = denials(guest)
        guest.check("systemctl enable --now " + WATCHER)
        assert (states(guest), runs(guest)) == ("waiting dead", 0)

        by_hand(guest)
        by_modules_and_booleans(guest)
        by_profiles(guest)
        by_packages(guest, install, demo)
        assert guest.reexec_count() == 0
        assert kinds(denials(guest)) - kinds(denied) == set()

        # An upgrade leaves it running; an erasure ends it.
        since = guest.check("systemctl show -P ActiveEnterTimestampMonotonic " + WATCHER)
        done = guest.rpm("-U", *guest.put_files("/root/rpms", [build.newer(base_packages[1], tmp_path)]))
        assert done == (0, "", "")
        assert guest.check("systemctl show -P ActiveEnterTimestampMonotonic " + WATCHER) == since
        assert guest.rpm("-e", "bar-demo", "foreman-selinux-helpers") == (0, "", "")
        assert guest.run("systemctl is-active %s %s" % (WATCHER, SERVICE)).out == "inactive\n" * 2
        assert guest.run("find /etc/systemd/system -name '%s'" % WATCHER).out == ""


def by_hand(guest: Guest) -> None:
    """Rules: one that concerns nothing of ours, one that shadows ours, ours itself."""
    with followed(guest, commits=2):  # theirs, and ours that was not there yet
        guest.check("semanage fcontext -a -t var_t '/srv/elsewhere(/.*)?'")
    assert (guest.label(PATH), RULE in rules(guest)) == (OURS, True)
    with followed(guest, commits=2):
        guest.check("semanage fcontext -a -f s -t %s '%s'" % (THEIRS, RULE))
    assert guest.label(PATH) == THEIRS
    with followed(guest, commits=2):
        guest.check("semanage fcontext -d -f s '%s'" % RULE)
    assert (guest.label(PATH), RULE in rules(guest)) == (OURS, True)

    with followed(guest):
        guest.check("semanage fcontext -d '%s'" % RULE)
    assert RULE not in rules(guest)  # the administrator's deletion stays
    assert "unregister" in str(guest.tool("status"))
    # Commits of our own, with which it has nothing to do.
    with followed(guest, most=2):
        assert guest.tool("unregister")["status"] == 0
        assert guest.tool("repair")["status"] == 0
    assert (guest.label(PATH), RULE in rules(guest)) == (OURS, True)


def by_modules_and_booleans(guest: Guest) -> None:
    """A module that labels the path itself, and goes again; a boolean."""
    with followed(guest, commits=2):
        install_module(guest, "foo", MODULE)
    assert (guest.label(PATH), RULE in rules(guest)) == (POLICYS, False)
    with followed(guest, commits=2):
        guest.check("semodule -r foo")
    assert (guest.label(PATH), RULE in rules(guest)) == (OURS, True)
    guest.check("chcon -t %s %s" % (THEIRS, PATH))
    with followed(guest):
        guest.check("setsebool -P httpd_can_network_connect on")
    assert guest.label(PATH) == OURS
    with followed(guest, least=0, most=0, commits=0):
        guest.check("semanage fcontext -l >/root/list; semodule -l >/root/list; foreman-selinux-helpers status;"
                    " foreman-selinux-helpers repair")


def by_profiles(guest: Guest) -> None:
    """Many changes at once are followed by one run; a broken profile fails the unit until it is mended."""
    with followed(guest, commits=0):
        guest.check("for n in $(seq 50); do touch %s; done" % PROFILE)
    with followed(guest, commits=0, service="failed"):
        guest.put(PROFILE, b"[foo.socket]\ntype = a b\n")
    with followed(guest, commits=0):
        guest.put(PROFILE, CONTENT)
    assert guest.label(PATH) == OURS


def by_packages(guest: Guest, install, demo) -> None:
    """A transaction whose scriptlet commits: the trigger repairs, and the service has nothing left to do."""
    with followed(guest, most=2, commits=2):
        install(guest, demo("bar", variant=NO_RULE))
    assert guest.label("/run/bar.sock") == "bar_var_run_t"
    journal = guest.journal()
    assert journal.count("/run/bar\\.sock") == 1, journal
