"""Who labels by outdated rules on a live host, and that what is printed renews it; what else detect sees there."""

from typing import Any, Dict, List

from .guest import Guest

CHANGE = "semanage fcontext -%s -t var_t '/srv/x%d'"
AGENT = ("systemd-run --quiet --unit=agent --service-type=exec /usr/bin/python3 -Ic"
         " 'import selinux, time; held = selinux.selabel_open(selinux.SELABEL_CTX_FILE, None, 0); time.sleep(9999)'")
# A user's manager obeys root's shell, and not the domain of boot scripts that the agent in the guest is in.
SHELL = "runcon unconfined_u:unconfined_r:unconfined_t:s0 "


def look(guest: Guest, status: int) -> Dict[str, Any]:
    """Return who is outdated, by unit."""
    found = guest.tool("stale")
    assert (found["status"], found["ok"]) == (status, status == 0), found
    processes: List[Dict[str, Any]] = found["processes"]
    assert all(one["state"] == "stale" and one["held"] and one["comm"] for one in processes)
    return {one["unit"] or str(one["pid"]): one for one in processes}


def test_every_process_that_labels_by_outdated_rules(boot):
    with boot() as guest:
        # The guest has no pam_systemd(8), which tells a user's manager its directory.
        guest.put("/etc/systemd/system/user@.service.d/directory.conf", b"[Service]\nEnvironment=XDG_RUNTIME_DIR=/run/user/%i\n")
        guest.check("systemctl daemon-reload && systemctl start user@0.service && " + AGENT)
        guest.check("for i in $(seq 50); do grep -q contexts/files /proc/$(systemctl show -P MainPID agent)/maps && exit 0;"
                    " sleep 0.2; done; exit 1")
        assert look(guest, 0) == {}
        assert guest.tool("stale")["fresh"] >= 5

        before = int(guest.check("date +%s"))
        guest.check(CHANGE % ("a", 1))
        found = look(guest, 1)
        assert set(found) >= {"1", "agent.service", "systemd-udevd.service", "systemd-logind.service", "user@0.service"}
        assert all(before <= one["since"] <= int(guest.check("date +%s")) for one in found.values())
        assert {unit for unit, one in found.items() if not one["renews_itself"]} == {"agent.service"}
        assert found["agent.service"]["renew"] == "systemctl restart agent.service"
        guest.check("systemctl stop agent")
        assert "agent.service" not in look(guest, 0)  # what is left renews itself

        # So they do, at the next look-up, as it says.
        guest.check("udevadm trigger --action=change --subsystem-match=mem --settle && systemd-run --quiet --wait true")
        found = look(guest, 0)
        assert not {"1", "systemd-udevd.service"} & set(found)

        # Each command that is printed renews what it is printed for.
        guest.check(CHANGE % ("a", 2))
        found = look(guest, 0)
        for unit in ("systemd-udevd.service", "systemd-logind.service", "user@0.service"):
            guest.check(SHELL + found[unit]["renew"])
            assert unit not in look(guest, 0)
        done = guest.run(found["1"]["renew"])
        assert (done.status, "1" in look(guest, 0)) == (0, False), done
        assert guest.reexec_count() == 0

        # A commit of which nobody is told.
        guest.check("semanage fcontext -N -a -t var_t '/srv/x3'")
        found = look(guest, 1)
        assert {one["renew"] for one in found.values()} == {"load_policy"}
        guest.check("load_policy && udevadm trigger --action=change --subsystem-match=mem --settle")
        assert "systemd-udevd.service" not in look(guest, 0)

        what_only_root_may_see(guest)
        upgraded(guest)


def what_only_root_may_see(guest: Guest) -> None:
    """Nothing is claimed of what one may not look at."""
    done = guest.run("runuser -u nobody -- foreman-selinux-helpers stale")
    assert (done.status, done.err) == (0, "")
    assert "can only be read by root" in done.out
    assert "no process" not in done.out


def upgraded(guest: Guest) -> None:
    """Systemd's package was upgraded, and PID 1 is what it was."""
    assert guest.tool("detect")["reexec_due"] is False
    guest.check("cd /usr/lib/systemd && cp -a --preserve=all systemd systemd.new && mv systemd.new systemd")
    found = guest.tool("detect")
    assert (found["reexec_due"], found["running"]["refresh"]) == (True, "ON_POLICY_LOAD")
    assert "no longer on disk" in guest.check("foreman-selinux-helpers detect")
    guest.check("systemctl daemon-reexec")
    assert guest.tool("detect")["reexec_due"] is False
