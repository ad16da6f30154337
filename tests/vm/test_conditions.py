"""docs/conditions.md, its part on PID 1, row by row: each condition is made on a host with a stale PID 1."""

import re
import time
from contextlib import contextmanager
from typing import Callable, ContextManager, Dict, Iterator

from .. import pages
from ..packages.build import NO_RULE
from .guest import COMMAND, Guest

SCRIPTLET = "/usr/libexec/foreman-selinux-helpers/posttrans"
ROWS = {row[0]: row[1:] for row in pages.table("conditions.md", "PID 1")}
PATH, RIGHT, WRONG = "/run/foo.sock", "httpd_runtime_t", "var_run_t"
DATABASE = "/etc/selinux/default/contexts/files/file_contexts.homedirs"
# A profile names a path that no rule was for when PID 1 opened its database; the rule is made as a commit makes
# it, but quickly.
OUTDATE = (r"f=%s; n=$(date +%%s%%N); sed -i /outdated/d $f; "
           r"printf '/run/outdated-%%s\\.sock\tsystem_u:object_r:httpd_runtime_t:s0\n' $n >>$f; "
           r"sefcontext_compile -o $f.bin.new $f && mv $f.bin.new $f.bin; "
           r"printf '[outdated.socket]\ntype = httpd_runtime_t\npath = /run/outdated-%%s.sock\n' $n "
           r">/etc/foreman-selinux-helpers/profiles.d/outdated.conf") % DATABASE
# PID 1 opens a database that lacks that rule, which is back when it has executed itself.
SYSTEMCTL = """#!/bin/sh
[ "$1" = daemon-reexec ] || exec /usr/bin/systemctl.kept "$@"
mkdir /root/away && mv {0} {0}.bin /root/away
/usr/bin/systemctl.kept "$@"
until /usr/bin/systemctl.kept show --property=Version >/dev/null 2>&1; do :; done
mv /root/away/* {1} && rmdir /root/away
""".format(DATABASE, DATABASE.rpartition("/")[0])
# Waits until PID 1 executes itself.
UNTIL_EXECUTED = 'at=$(head -n 1 /proc/1/maps); while [ "$(head -n 1 /proc/1/maps)" = "$at" ]; do :; done'
# A root of its own, with this host's programs.
CHROOT = ("mkdir -p /srv/c/proc /srv/c/sys && cp -a /bin /lib /lib64 /sbin /srv/c/ && cd / && for one in usr etc var proc sys;"
          " do mkdir -p /srv/c/$one && mount --rbind /$one /srv/c/$one || exit 1; done")
CONFIGURATION = "/etc/foreman-selinux-helpers/foreman-selinux-helpers.conf"

# A condition: commands are run in it as the string that it gives says.
Condition = Callable[[Guest], ContextManager[str]]
CONDITIONS: Dict[str, Condition] = {}


def condition(function: Callable[[Guest], Iterator[str]]) -> None:
    """Let a function make the condition of the row whose words are its docstring, and end it."""
    CONDITIONS[function.__doc__ or ""] = contextmanager(function)


def pid1(guest: Guest) -> str:
    """Return where PID 1 has itself and its label database mapped: elsewhere each time that it is executed."""
    return guest.check("awk '/systemd.systemd|file_contexts/ {print $1, $5}' /proc/1/maps")


# -- the conditions ------------------------------------------------------------------------------


@condition
def booting(guest):
    """the host is booting still"""
    assert guest.run("systemctl is-system-running").out == "starting\n"
    yield "{}"
    guest.check("mkdir -p /run/systemd/timesync && touch /run/systemd/timesync/synchronized && systemctl is-system-running --wait || :")


@condition
def isolating(guest):
    """another target is being isolated"""
    guest.put("/run/systemd/system/quiet.target", b"[Unit]\nRequires=multi-user.target\nWants=slow.service foo.socket\nAfter=slow.service\n"
              b"AllowIsolate=yes\n")
    guest.put("/run/systemd/system/slow.service", b"[Service]\nType=oneshot\nExecStart=/bin/sleep 600\n")
    guest.check("systemctl daemon-reload; systemctl isolate --no-block quiet.target")
    yield "{}"
    guest.check("systemctl cancel")


@condition
def no_space(guest):
    """no space is left on /run"""
    guest.check("dd if=/dev/zero of=/run/full bs=1M status=none || :")
    yield "{}"
    guest.check("rm /run/full")


@condition
def no_inodes(guest):
    """no inodes are left on /run"""
    guest.check("mount -o remount,nr_inodes=$(($(stat -f -c '%c - %d' /run))) /run")
    yield "{}"
    guest.check("mount -o remount,nr_inodes=0 /run")


@condition
def broken(guest):
    """the systemd on disk does not run"""
    guest.check("mv /usr/lib/systemd/systemd /usr/lib/systemd/systemd.kept && "
                "printf '#!/bin/false\\n' >/usr/lib/systemd/systemd && chmod +x /usr/lib/systemd/systemd")
    yield "{}"
    guest.check("mv /usr/lib/systemd/systemd.kept /usr/lib/systemd/systemd")


@condition
def a_container(guest):
    """it is a container"""
    guest.put("/run/systemd/container", b"lxc\n")
    yield "{}"
    guest.check("rm /run/systemd/container")


@condition
def a_chroot(guest):
    """it is a chroot"""
    guest.check("setenforce 0; " + CHROOT)
    yield "chroot /srv/c {}"
    guest.check("umount -R /srv/c/usr /srv/c/etc /srv/c/var /srv/c/proc /srv/c/sys; setenforce 1")


@condition
def offline(guest):
    """`SYSTEMD_OFFLINE` is set"""
    yield "SYSTEMD_OFFLINE=1 {}"


@condition
def not_booted(guest):
    """the host was not booted with systemd"""
    guest.check("setenforce 0")
    # What sd_booted(3) looks at is not there.
    yield "unshare --mount sh -c 'mount -t tmpfs none /run/systemd && exec {}'"
    guest.check("setenforce 1")


@condition
def configured(guest):
    """the configuration forbids it"""
    guest.put(CONFIGURATION, b"[daemon-reexec]\nallowed = no\n")
    yield "{}"
    guest.check("rm " + CONFIGURATION)


@condition
def in_the_environment(guest):
    """the environment forbids it"""
    yield "FOREMAN_SELINUX_HELPERS_NO_REEXEC=1 {}"


@condition
def not_loaded(guest):
    """the rules were changed, and no policy was loaded since"""
    guest.check(OUTDATE)
    yield "{}"


@condition
def shutting_down(guest):
    """the host is being shut down"""
    guest.put("/run/systemd/system/guest-agent.service.d/stay.conf", b"[Unit]\nDefaultDependencies=no\n")
    guest.put("/run/systemd/system/hold.service", b"[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n"
              b"ExecStop=/bin/sleep 600\n")
    guest.check("systemctl daemon-reload; systemctl start hold.service; systemctl start --no-block poweroff.target")
    yield "{}"
    guest.check("systemctl cancel; systemctl start foo.socket")


# -- the tests -----------------------------------------------------------------------------------

STALE_STILL, SILENT, FRESH, HARMLESS, UNASKED, DISABLED = (
    "it is stale even after a re-exec", "PID 1 answers nobody", "its label cache is fresh",
    "its label cache is old, and gives every socket the right label",
    "its label cache looks old, and may not be asked", "SELinux is disabled in the running kernel")
# Other files, which say what those that PID 1 holds say.
COPY = "cp -a {0} {0}.new && mv {0}.new {0}; load_policy".format(DATABASE + ".bin")
WITHOUT_CAPABILITIES = "setpriv --bounding-set -sys_admin,-checkpoint_restore "
FREEZER = "/sys/fs/cgroup/init.scope/cgroup.freeze"


def test_every_condition_has_its_row():
    assert set(CONDITIONS) | {STALE_STILL, SILENT, FRESH, HARMLESS, UNASKED, DISABLED} == set(ROWS)


def test_no_condition_harms_pid_1(boot, base_packages):
    """And early boot is real as well: the guest has not come up yet when our package is installed."""
    with boot(stale_pid1=True, arguments=["systemd.wants=systemd-time-wait-sync.service"]) as guest:
        guest.put("/etc/foreman-selinux-helpers/profiles.d/foo.conf", b"[foo.socket]\ntype = httpd_runtime_t\n")
        guest.put("/etc/systemd/system/foo.socket", ("[Socket]\nListenStream=%s\n" % PATH).encode())
        guest.put("/etc/systemd/system/foo.service", b"[Service]\nExecStart=/bin/sleep infinity\n")
        guest.check("systemctl daemon-reload && systemctl start foo.socket")
        (ours,) = guest.put_files("/root/rpms", base_packages[1:2])
        before = pid1(guest)
        assert guest.rpm("-U", "--replacepkgs", ours) == (0, "", "")
        assert (guest.label(PATH), len(guest.rules()), pid1(guest)) == (RIGHT, 1, before)
        for number, words in enumerate(CONDITIONS):
            refused_then_done(guest, words, number)
        assert guest.reexec_count() == len(CONDITIONS)

        before = pid1(guest)
        done = guest.run(COMMAND + " reexec")
        assert done.status == told(FRESH, done.out), done
        guest.check(COPY)
        done = guest.run(COMMAND + " reexec")
        assert done.status == told(HARMLESS, done.out), done
        done = guest.run(WITHOUT_CAPABILITIES + COMMAND + " reexec")
        assert done.status == told(UNASKED, done.out), done
        answers_nobody(guest, ours)
        assert pid1(guest) == before
        never_twice(guest)
        assert guest.tool("repair")["ok"]


def told(words: str, said: str) -> int:
    """Assert that the row's words were said; return its exit status."""
    assert pages.says(ROWS[words][2], said), (words, said)
    return int(ROWS[words][1])


def refused_then_done(guest: Guest, words: str, reexecs: int) -> None:
    """PID 1 is left alone by hand and by the scriptlet; the command that is printed works once it may."""
    print(words, flush=True)
    guard = ROWS[words][0].strip("`")
    guest.check("%s; load_policy; chcon -t %s %s" % (OUTDATE, WRONG, PATH))
    before, logged = pid1(guest), refusals(guest, guard)
    ours = guard not in ("chroot-or-image", "not-booted-with-systemd")
    with CONDITIONS[words](guest) as way:
        done = guest.run(way.format(COMMAND + " reexec"))
        assert done.status == told(words, done.err), done
        if guard != "milder-remedy-works":  # which a scriptlet takes
            assert guest.run(way.format(SCRIPTLET)) == (0, "", ""), words
            if ours:
                assert refusals(guest, guard) == logged + 2, words
            assert guest.label(PATH) == (RIGHT if ours else WRONG), words
        assert pid1(guest) == before, words
    later = re.search(r"later: (.*)\n", done.err)
    assert later, done
    assert guest.run(later.group(1))[::2] == (0, ""), words
    assert pid1(guest) != before, words
    assert (guest.label(PATH), guest.reexec_count()) == (RIGHT, reexecs + 1), words


def refusals(guest: Guest, guard: str) -> int:
    """Return how often the journal says that a guard refused."""
    return guest.journal().count("refused (%s)" % guard)


def answers_nobody(guest: Guest, ours: str) -> None:
    """It cannot be stopped with a signal, but frozen: one line in time; rpm goes on without a word."""
    guest.check("echo 1 >%s" % FREEZER)
    try:
        for verb in ("repair", "reexec", "status"):
            start = time.monotonic()
            done = guest.run("%s --timeout 5 %s" % (COMMAND, verb))
            assert (done.status, done.err.count("\n")) == (told(SILENT, done.err), 1), done
            assert time.monotonic() - start < 20
        start = time.monotonic()
        assert guest.rpm("-U", "--replacepkgs", ours) == (0, "", "")
        assert time.monotonic() - start < 100  # the scriptlet's 90 s, and rpm itself
    finally:
        guest.check("echo 0 >%s" % FREEZER)
    assert "PID 1 did not answer" in guest.journal()


def never_twice(guest: Guest) -> None:
    """PID 1 has the old rules after its re-exec, too."""
    before = guest.reexec_count()
    guest.check(OUTDATE + "; load_policy; mv /usr/bin/systemctl /usr/bin/systemctl.kept")
    guest.put("/usr/bin/systemctl", SYSTEMCTL.encode(), 0o755)
    try:
        done = guest.run(COMMAND + " reexec")
    finally:
        guest.check("mv /usr/bin/systemctl.kept /usr/bin/systemctl")
    assert done.status == told(STALE_STILL, done.err), done
    assert guest.reexec_count() == before + 1


def test_selinux_disabled(boot, install, demo):
    """Only what is permanent is done, quietly, and status says why."""
    with boot(selinux="disabled") as guest:
        before = pid1(guest)
        install(guest, demo("bar", variant=NO_RULE))
        assert [rule.split()[0] for rule in guest.rules()] == ["/run/bar\\.sock"]
        status = guest.tool("status")
        assert (status["status"], status["ok"]) == (0, True)
        assert any("SELinux is disabled" in note for note in status["notes"])
        done = guest.run(COMMAND + " reexec")
        assert done.status == told(DISABLED, done.err)
        assert pid1(guest) == before
