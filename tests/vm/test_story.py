"""The whole story: enforcing, a confined client, real RPM transactions."""

from typing import Any, Dict, List

import pytest

from ..packages.build import ALIASED, NO_RULE, REGULAR_FILES
from .guest import Guest

SOCKET = "/run/foreman.sock"


def sockets(document: Dict[str, Any]) -> Dict[str, Dict[str, Any]]:
    """Return the sockets of a document by their unit."""
    return {one["unit"]: one for one in document["sockets"]}


def steps(document: Dict[str, Any], outcome: str = "done") -> List[str]:
    """Return the steps that ended so."""
    return [one["step"] for one in document["results"] if one["outcome"] == outcome]


def assert_right(guest: Guest, unit: str) -> None:
    """Assert that a web server can connect, and that our command agrees that all is well."""
    path = "/run/%s.sock" % unit
    assert guest.label(path) == "%s_var_run_t" % unit
    client = guest.connect(path)
    assert (client.status, client.out) == (0, "hello\n")
    status = guest.tool("status", unit + ".socket")
    assert (status["status"], status["ok"]) == (0, True)
    assert {one["problem"] for one in status["sockets"]} == {None}


def test_stale_pid1_is_mended_by_the_upgrade_alone(boot, install, demo):
    """PID 1 keeps a stale cache: denied before, connected after, one re-exec, nothing else disturbed."""
    with boot(stale_pid1=True) as guest:
        install(guest, demo("foreman", 1, helper="none", policy=False))
        guest.check("systemctl start foreman.service")
        install(guest, demo("foreman", 2, helper="none"), triggers=False)
        assert guest.label(SOCKET) == "var_run_t"
        assert "Permission denied" in guest.connect(SOCKET).out
        assert any("sock_file" in line and "httpd_t" in line for line in guest.denials("foreman.sock"))
        status = guest.tool("status", "foreman.socket")
        assert status["status"] == 1
        assert status["label_cache"]["state"] == "stale"
        assert sockets(status)["foreman.socket"]["problem"] == "label-cache-stale"
        assert guest.reexec_count() == 0

        units = set(guest.active_units())
        logind = guest.pid_of("systemd-logind.service")
        install(guest, demo("foreman", 2, helper="macros", edition=2))

        assert_right(guest, "foreman")
        assert guest.reexec_count() == 1
        assert guest.journal().count("daemon-reexec PID 1: done") == 1
        assert units - set(guest.active_units()) == set()
        assert guest.pid_of("systemd-logind.service") == logind
        assert guest.rules() == []  # the policy module gives the right answer

        commits = guest.commits()
        again = guest.tool("repair")
        assert (again["status"], again["changed"], again["plan"], again["results"]) == (0, False, [], [])
        assert (guest.commits(), guest.reexec_count()) == (commits, 1)


def test_stock_systemd_needs_no_reexec(boot, install, demo):
    """The same upgrade with a systemd that notices policy loads; a TCP socket is left alone before it."""
    with boot() as guest:
        install(guest, demo("foreman", 1, helper="none", policy=False))
        since = guest.check("systemctl show -p ActiveEnterTimestampMonotonic foreman.socket")
        untouched = guest.tool("repair")
        assert (untouched["status"], untouched["results"]) == (0, [])
        assert guest.check("systemctl show -p ActiveEnterTimestampMonotonic foreman.socket") == since

        install(guest, demo("foreman", 2, helper="macros", edition=2))
        assert_right(guest, "foreman")
        assert guest.reexec_count() == 0
        assert guest.tool("detect")["running"]["refresh"] == "ON_POLICY_LOAD"


@pytest.mark.parametrize(("layout", "stale"), [("debian", False), ("el", True)])
def test_historical_rules_end_right(boot, install, demo, layout, stale):
    """Regular files only, the aliased side, no rule: each named, each mended, in one commit and one transaction."""
    causes = {"foreman": (REGULAR_FILES, "wrong-file-type"), "bar": (ALIASED, "aliased-path"),
              "baz": (NO_RULE, "no-rule")}
    with boot(layout, stale_pid1=stale) as guest:
        install(guest, *(demo(unit, variant=variant, layout=layout, helper="none")
                         for unit, (variant, _) in causes.items()), triggers=False)
        for unit in ("bar", "baz"):  # foreman has its own
            guest.put("/etc/foreman-selinux-helpers/profiles.d/%s.conf" % unit,
                      ("[%s.socket]\ntype = %s_var_run_t\n" % (unit, unit)).encode())
        found = sockets(guest.tool("status"))
        assert {unit: found[unit + ".socket"]["problem"] for unit in causes} == {
            unit: cause for unit, (_, cause) in causes.items()}
        assert guest.connect("/run/bar.sock").status == 1

        commits = guest.commits()
        planned = guest.tool("repair", "--dry-run")
        done = guest.tool("repair")
        assert (done["status"], done["ok"], done["changed"]) == (0, True, True)
        assert done["plan"] == planned["plan"]
        for unit, (_, cause) in causes.items():
            assert any(cause in step["reason"] and "/%s\\.sock" % unit in step["target"] for step in done["plan"])
            assert_right(guest, unit)
        assert guest.commits() == commits + 1
        assert guest.reexec_count() == int(stale)
        canonical = "/run" if layout == "debian" else "/var/run"
        assert sorted(rule.split()[0] for rule in guest.rules()) == [
            "%s/%s\\.sock" % (canonical, unit) for unit in ("bar", "baz", "foreman")]


def test_two_consumers_share_one_transaction(boot, install, demo):
    """Profiles alone, served by the file trigger: one commit, one re-exec; erasing takes only our rules back."""
    with boot(stale_pid1=True) as guest:
        guest.check("semanage fcontext -a -t var_lib_t '/srv/admins(/.*)?'")
        before = guest.commits()
        guest.check("systemctl is-active auditd")
        install(guest, demo("bar", variant=NO_RULE, requires=False), demo("baz", variant=ALIASED))
        assert guest.commits() == before + 3  # the two policy modules, and our rules together
        assert guest.reexec_count() == 1
        assert_right(guest, "bar")
        assert_right(guest, "baz")
        assert len(guest.rules()) == 3

        assert guest.rpm("-e", "bar-demo") == (0, "", "")
        assert sorted(rule.split()[0] for rule in guest.rules()) == ["/run/baz\\.sock", "/srv/admins(/.*)?"]
        assert "bar_demo" not in guest.check("semodule -l")
        assert guest.rpm("-e", "baz-demo", "foreman-selinux-helpers") == (0, "", "")
        assert [rule.split()[0] for rule in guest.rules()] == ["/srv/admins(/.*)?"]
        assert guest.run("ls /var/lib/foreman-selinux-helpers /usr/lib/python3/dist-packages/foreman_selinux_helpers"
                         " /usr/share/foreman-selinux-helpers").out == ""
        assert guest.denials("foreman-selinux") == []

        records = guest.rule_records()
        assert {(one["comm"], one["op"], one["tglob"]) for one in records} == {
            ("semanage", "add", "/srv/admins(/.*)?"),
            ("foreman-selinux-helpers", "add", "/run/bar\\.sock"),
            ("foreman-selinux-helpers", "add", "/run/baz\\.sock"),
            ("foreman-selinux-helpers", "delete", "/run/bar\\.sock"),
            ("foreman-selinux-helpers", "delete", "/run/baz\\.sock")}
        # The record of an addition reads as semanage's own.
        by_semanage, *ours = [list(one) for one in records if one["op"] == "add"]
        assert ours == [by_semanage] * 2
        assert {one["res"] for one in records} == {"success"}


def test_commit_without_policy_load_is_mended_by_a_policy_load(boot, install, demo):
    """What semanage -N leaves behind needs a policy load and no re-exec; an administrator's rule wins."""
    with boot() as guest:
        install(guest, demo("foreman", helper="none", variant=NO_RULE), triggers=False)
        guest.check("semanage fcontext -N -a -t foreman_var_run_t '/run/foreman\\.sock'")
        rule = guest.rules()
        status = sockets(guest.tool("status", "foreman"))["foreman.socket"]
        assert status["problem"] == "label-cache-stale"
        done = guest.tool("repair")
        assert (done["status"], done["ok"]) == (0, True)
        assert "load-policy" in steps(done)
        assert "daemon-reexec" in steps(done, "not-needed")
        assert_right(guest, "foreman")
        assert (guest.reexec_count(), guest.rules()) == (0, rule)

        guest.check("semanage fcontext -m -t httpd_runtime_t '/run/foreman\\.sock'")
        rule = guest.rules()
        done = guest.tool("repair")
        assert (done["status"], done["ok"]) == (1, False)
        assert sockets(done)["foreman.socket"]["problem"] == "shadowed"
        assert "administrator" in sockets(done)["foreman.socket"]["remedy"]
        assert guest.tool("register")["rules"][0]["action"] == "skip"
        assert guest.tool("unregister")["status"] == 0
        assert guest.rules() == rule

        # One made after ours wins as well: ours goes, and the socket gets what theirs says.
        guest.check("semanage fcontext -d '/run/foreman\\.sock'")
        assert guest.tool("register")["rules"][0]["action"] == "add"
        guest.check("semanage fcontext -a -t httpd_runtime_t '/run/foreman.*'")
        planned = guest.tool("repair", "--dry-run")
        done = guest.tool("repair")
        assert done["plan"] == planned["plan"]
        assert [line.split()[0] for line in guest.rules()] == ["/run/foreman.*"]
        assert sockets(done)["foreman.socket"]["problem"] == "shadowed"
        assert guest.label(SOCKET) == "httpd_runtime_t"
        again = guest.tool("repair")
        assert (again["plan"], again["changed"]) == ([], False)


def test_running_services_are_interrupted_only_where_needed(boot, install, demo):
    """Relabelling in place where that is enough; the right order where the service holds the socket's place."""
    with boot() as guest:
        install(guest, demo("foreman", helper="macros"), demo("bar", requires=False))
        for unit in ("foreman", "bar"):
            assert_right(guest, unit)
        running = guest.pid_of("foreman.service")
        assert running
        guest.check("chcon -t var_run_t /run/foreman.sock")
        done = guest.tool("repair", "foreman.socket")
        assert (steps(done), done["status"]) == (["relabel"], 0)
        assert guest.pid_of("foreman.service") == running
        assert_right(guest, "foreman")

        # Another type of the executable makes the socket object's label wrong: only a restart mends that.
        guest.put("/etc/foreman-selinux-helpers/profiles.d/bar-demo.conf",
                  b"[bar.socket]\ntype = bar_var_run_t\nrestart = always\n")
        running = guest.pid_of("bar.service")
        guest.check("chcon -t var_run_t /run/bar.sock")
        guest.check("systemd-run --quiet --unit=clients /bin/sh -c 'while :; do /usr/libexec/web-client/web-client"
                    " /run/bar.sock; done'")
        done = guest.tool("restart", "bar.socket")
        assert (steps(done), done["status"]) == (["restart"], 0)
        guest.check("systemctl stop clients.service")
        assert guest.pid_of("bar.service") not in (0, running)
        assert guest.check("systemctl is-active bar.socket bar.service") == "active\nactive\n"
        assert_right(guest, "bar")


def test_dry_run_changes_nothing(boot, install, demo):
    """Neither the store nor PID 1 is touched, and what was planned is what is done."""
    with boot(stale_pid1=True) as guest:
        install(guest, demo("foreman", helper="none", variant=NO_RULE), triggers=False)

        def everything() -> str:
            return guest.check(
                "find /etc/selinux /var/lib/selinux /var/lib/foreman-selinux-helpers -type f"
                " | sort | xargs sha256sum; cat /proc/1/maps | grep file_contexts; ls -Z /run/foreman.sock;"
                " systemctl show -p ActiveEnterTimestampMonotonic foreman.socket")

        before = everything()
        planned = guest.tool("repair", "--dry-run")
        assert planned["plan"]
        assert (everything(), guest.reexec_count()) == (before, 0)
        done = guest.tool("repair")
        assert done["plan"] == planned["plan"]
        assert {one["step"] for one in done["results"]} == {one["step"] for one in planned["plan"]}
        assert_right(guest, "foreman")
