"""Nothing is harmed: every refusal leaves PID 1 alone, a killed restart is finished, and nobody waits for ever."""

import time
from typing import Any

from ..packages.build import NO_RULE
from .guest import Guest
from .test_story import assert_right

REEXEC = "foreman-selinux-helpers --json reexec"
FREEZER = "/sys/fs/cgroup/init.scope/cgroup.freeze"
# A root of its own, with this host's programs.
CHROOT = ("mkdir -p /srv/c/proc /srv/c/sys && cp -a /bin /lib /lib64 /sbin /srv/c/ && cd / && for one in usr etc var proc sys;"
          " do mkdir -p /srv/c/$one && mount --rbind /$one /srv/c/$one || exit 1; done")


def refused(guest: Guest, guard: str, command: str = REEXEC, status: int = 4) -> None:
    """Assert that a guard refuses, by name, and that PID 1 is left alone."""
    done = guest.run(command)
    assert (done.status, '"guard": "%s"' % guard in done.out) == (status, True), (guard, done)
    assert guest.reexec_count() == 0


def test_every_refusal_leaves_pid1_alone(boot, install, demo):
    """The conditions that the story does not make already, one after another on one host."""
    with boot(stale_pid1=True) as guest:
        install(guest, demo("foreman", helper="none"))
        refused(guest, "chroot-or-image", "SYSTEMD_OFFLINE=1 " + REEXEC)

        guest.put("/run/systemd/container", b"lxc\n")
        refused(guest, "container")
        guest.check("rm /run/systemd/container")

        guest.check("mount -o remount,nr_inodes=$(stat -f -c '%c - %d' /run | (read total free; echo $((total - ${free#- })))) /run")
        refused(guest, "run-full")
        guest.check("mount -o remount,nr_inodes=0 /run")

        # What systemd's own sd_booted(3) looks at.
        guest.check("setenforce 0")
        refused(guest, "not-booted-with-systemd",
                "unshare --mount sh -c 'mount -t tmpfs none /run/systemd && exec %s'" % REEXEC)
        guest.check(CHROOT)
        refused(guest, "chroot-or-image", "chroot /srv/c /usr/sbin/" + REEXEC)
        guest.check("umount -R /srv/c/usr /srv/c/etc /srv/c/var /srv/c/proc /srv/c/sys; setenforce 1")

        guest.check("semanage fcontext -N -a -t var_t /srv/x")
        refused(guest, "milder-remedy-works")
        guest.check("load_policy")

        nobody_waits_for_ever(guest)
        assert guest.reexec_count() == 0
        done = guest.tool("reexec")
        assert (done["status"], guest.reexec_count()) == (0, 1)
        again = guest.tool("reexec")
        assert (again["status"], again["results"][0]["guard"]) == (0, "cache-not-stale")
        assert guest.tool("repair")["status"] == 0
        assert guest.reexec_count() == 1
        assert_right(guest, "foreman")


def nobody_waits_for_ever(guest: Guest) -> None:
    """PID 1 answers nobody (it cannot be stopped with a signal, but frozen): one line in time; rpm goes on without a word."""
    guest.check("echo 1 >%s" % FREEZER)
    try:
        for verb in ("repair", "reexec", "status"):
            start = time.monotonic()
            done = guest.run("foreman-selinux-helpers --timeout 5 %s" % verb)
            assert (done.status, done.err.count("\n")) == (1, 1), done
            assert "PID 1 did not answer" in done.err
            assert time.monotonic() - start < 20
        start = time.monotonic()
        assert guest.rpm("-U", "--replacepkgs", *guest.check("ls /root/rpms/foreman-selinux-helpers-*.rpm").split()) == (0, "", "")
        assert time.monotonic() - start < 100  # the scriptlet's 90 s, and rpm itself
    finally:
        guest.check("echo 0 >%s" % FREEZER)
    assert "PID 1 did not answer" in guest.journal()


def test_a_restart_that_is_killed_is_finished_by_the_next_run(boot, install, demo):
    """Between stopping a socket, and the service that does not require it, and starting both again."""
    with boot() as guest:
        install(guest, demo("bar", variant=NO_RULE, requires=False))
        assert_right(guest, "bar")
        guest.put("/etc/foreman-selinux-helpers/profiles.d/bar-demo.conf",
                  b"[bar.socket]\ntype = bar_var_run_t\nrestart = always\n")
        guest.put("/run/systemd/system/bar.service.d/slow.conf", b"[Service]\nExecStop=/bin/sleep 5\n")
        guest.check("systemctl daemon-reload; chcon -t var_run_t /run/bar.sock; systemctl is-active bar.service")
        guest.check("foreman-selinux-helpers repair bar.socket >/dev/null 2>&1 & repair=$!\n"
                    "for one in $(seq 300); do systemctl -q is-active bar.socket || break; sleep 0.1; done; kill -9 $repair; wait $repair || :")
        guest.check("for one in $(seq 100); do [ $(systemctl is-active bar.service) = inactive ] && exit 0; sleep 0.5; done; exit 1")
        assert states(guest) == "inactive\ninactive\n"
        told = guest.run("foreman-selinux-helpers status bar.socket")
        assert told.status == 1
        assert "bar.socket: a restart that was cut short had stopped it" in told.err
        done = guest.tool("repair", "bar.socket")
        assert (done["status"], [(one["step"], one["target"], one["outcome"]) for one in done["results"]][:2]) == (
            0, [("start", "bar.socket", "done"), ("start", "bar.service", "done")])
        assert states(guest) == "active\nactive\n"
        assert_right(guest, "bar")
        assert guest.tool("repair")["plan"] == []


def states(guest: Guest) -> Any:
    """Return whether the socket and the service are active."""
    return guest.run("systemctl is-active bar.socket bar.service").out
