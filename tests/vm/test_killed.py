"""A repair that is killed, before each thing that it does to a running host; the next one makes all right.

Rules and the policy store are killed in tests/store/test_killed.py; here it is PID 1, its label cache, and sockets.
"""

import os
import re
import time
from typing import Iterator, List, NamedTuple

import pytest

from .guest import COMMAND, Guest
from .test_conditions import OUTDATE, UNTIL_EXECUTED

REPAIR = COMMAND + " --json repair"
# Ours are stopped and started both, for foo's service does not require its socket; bar is relabelled in place.
UNITS = {
    "/etc/foreman-selinux-helpers/profiles.d/foo.conf":
        "[foo.socket]\ntype = httpd_runtime_t\nrestart = always\n[bar.socket]\ntype = httpd_runtime_t\n",
    "/etc/systemd/system/foo.socket": "[Socket]\nListenStream=/run/foo.sock\n",
    "/etc/systemd/system/foo.service": "[Service]\nExecStart=/usr/local/sbin/foo infinity\n",
    "/etc/systemd/system/bar.socket": "[Socket]\nListenStream=/run/bar.sock\n",
    "/etc/systemd/system/bar.service": "[Service]\nExecStart=/bin/sleep infinity\n",
}
NAMES = "foo.socket foo.service bar.socket bar.service"
STATE = "stat -c %C /run/foo.sock /run/bar.sock /usr/local/sbin/foo | cut -d : -f 3; systemctl is-active " + NAMES
RIGHT = "httpd_runtime_t\nhttpd_runtime_t\nbin_t\n" + "active\n" * 4
# What is wrong.
CACHE = OUTDATE
SOCKETS = "chcon -t var_run_t /run/foo.sock /run/bar.sock; chcon -t usr_t /usr/local/sbin/foo"
LOCKS = ("/var/lib/foreman-selinux-helpers/lock", "/var/lib/selinux/default/semanage.trans.LOCK",
         "/run/foreman-selinux-helpers")
TRIED = ("load_policy", "daemon-reexec", "httpd_runtime_t", "stop -- foo.service", "start -- foo.socket")
ALL = os.environ.get("KILL_AT") == "all"
# What only asks.
_QUESTIONS = ("show", "list-jobs", "list-units", "--container", "--version")


class Step(NamedTuple):
    """A system call of ours: its name, the how-manieth of that name it is, and what it is for."""

    call: str
    number: int
    about: str


def steps(trace: str) -> List[Step]:
    """Read what strace -f wrote: the programs that are started, and the labels that are written."""
    found: List[Step] = []
    ours, count = "", {"vfork": 0, "setxattr": 0}
    for line in trace.split("\n"):
        called = re.match(r"(\d+) +(\w+)\((.*)", line)
        if not called:
            continue
        pid, name, arguments = called.groups()
        ours = ours or pid
        if name in count and pid == ours:
            count[name] += 1
            if name == "setxattr":
                found.append(Step(name, count[name], arguments.split('"')[5].split(":")[2]))
        elif name == "execve" and pid != ours:
            words = re.findall(r'"([^"]*)"', arguments)[1:]
            if not set(words).intersection(_QUESTIONS):
                found.append(Step("vfork", count["vfork"], " ".join(words)))
    return found


pytestmark = pytest.mark.xdist_group("killed")  # one guest, so one worker


@pytest.fixture(scope="module")
def guest(boot) -> Iterator[Guest]:
    """Return a host with a stale PID 1 and two sockets."""
    with boot(stale_pid1=True) as booted:
        booted.check("cp /bin/sleep /usr/local/sbin/foo && restorecon /usr/local/sbin/foo")
        for path, content in UNITS.items():
            booted.put(path, content.encode())
        booted.check("systemctl daemon-reload && systemctl start " + NAMES)
        assert booted.tool("repair")["status"] == 0
        assert booted.check(STATE) == RIGHT
        yield booted


def next_one_makes_all_right(guest: Guest, about: str) -> None:
    """And nothing is left behind: no lock is held, PID 1 answers, and there is nothing more to do."""
    guest.check(" && ".join("{ ! [ -e %s ] || flock --nonblock %s true; }" % (lock, lock) for lock in LOCKS))
    done = guest.tool("repair")
    assert (done["status"], guest.check(STATE), done["label_cache"]["state"]) == (0, RIGHT, "fresh"), (about, done)
    guest.check("systemctl show --property=Version")
    noted = guest.run("ls /run/foreman-selinux-helpers | grep -Ev '^(reexecuted|surveyed)$'").out
    assert noted == "", about
    if ALL:
        assert guest.tool("repair")["plan"] == [], about


# How often PID 1 is asked while it is executed differs, so what comes then is tried without that.
@pytest.mark.parametrize(("scene", "kinds"), [
    (CACHE, ["systemd-run", "load_policy", "daemon-reload", "daemon-reexec"]),
    (SOCKETS, ["bin_t", "httpd_runtime_t", "stop -- foo.socket", "stop -- foo.service", "start -- foo.socket",
               "start -- foo.service"])], ids=["PID 1", "sockets"])
def test_killed_before_each_step(guest, scene, kinds):
    """KILL_AT=all: each of them, and also where the same is done a second time."""
    guest.check("setenforce 0; " + scene)  # the policy has no program traced into another domain
    done = guest.run("strace -f -qq -s 200 -o /root/trace -e trace=vfork,execve,setxattr " + REPAIR)
    guest.check("setenforce 1")
    assert (done.status, guest.check(STATE)) == (0, RIGHT), done
    every = steps(guest.check("cat /root/trace"))
    for kind in kinds:
        assert any(kind in step.about for step in every), kind
    if not ALL:
        every = [next(step for step in every if kind in step.about) for kind in kinds if kind in TRIED]
    rules, told = guest.rules(), []
    for step in every:
        print("killed before %s %s (%s)" % (step.call, step.number, step.about), flush=True)
        guest.check(scene)
        killed = guest.run("strace -qq -o /dev/null -e trace={0} -e inject={0}:signal=KILL:when={1} {2}".format(
            step.call, step.number, REPAIR))
        assert (killed.status, killed.out) == (137, ""), (step, killed)
        told.append(guest.run(COMMAND + " status").err)
        next_one_makes_all_right(guest, step.about)
    assert guest.rules() == rules
    guest.check("semanage fcontext --list --locallist --noheading")
    interrupted = "foo.socket: an interrupted restart had stopped it; repair starts it again"
    assert any(interrupted in one for one in told) == (scene == SOCKETS)


def test_killed_in_the_middle_of_a_re_exec(guest):
    """PID 1 has just executed itself and answers nobody yet; the next run waits for it."""
    guest.check(CACHE)
    before = guest.reexec_count()
    guest.check("%s >/dev/null 2>&1 & repair=$!; %s; kill -9 $repair; wait $repair; [ $? = 137 ]" % (REPAIR, UNTIL_EXECUTED))
    next_one_makes_all_right(guest, "in the middle of the re-exec")
    assert guest.reexec_count() == before + 1


# Ctrl-C at a terminal: all programs in the foreground get it.
CTRL_C = """
import os, signal, subprocess, time
signal.signal(signal.SIGINT, signal.SIG_DFL)
ours = subprocess.Popen(["%s", "repair"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
while subprocess.run(["systemctl", "is-active", "foo.service"], stdout=subprocess.PIPE).stdout != b"deactivating\\n":
    time.sleep(0.1)
os.killpg(ours.pid, signal.SIGINT)
said = ours.communicate()[0].decode()
print(ours.returncode, said, flush=True)
subprocess.call(["systemctl", "is-active", "foo.service"])
""" % COMMAND


def test_interrupted_while_the_service_takes_long_to_stop(guest):
    """It ends long before that, and systemd starts both afterwards: no unit is down, and none is noted, for long."""
    slow = "/run/systemd/system/foo.service.d/slow.conf"
    guest.put(slow, b"[Service]\nExecStop=/bin/sleep 40\n")
    guest.check("systemctl daemon-reload; " + SOCKETS)
    said = guest.check(["python3", "-c", CTRL_C])
    assert said == ("130 foreman-selinux-helpers: interrupted; running it again goes on where this stopped\n\n"
                    "deactivating\n"), said
    assert guest.run("ls /run/foreman-selinux-helpers/foo.*").status == 2
    assert guest.check("timeout 120 sh -c 'until systemctl is-active foo.socket && systemctl is-active foo.service; "
                       "do sleep 1; done'").endswith("active\nactive\n")
    guest.check("rm %s; systemctl daemon-reload" % slow)
    next_one_makes_all_right(guest, "in a long stop")


FAILURES = {"fails": (b"#!/bin/sh\necho no >&2\nexit 1\n", 0o755), "hangs": (b"#!/bin/sh\nexec sleep 1000\n", 0o755),
            "cannot be started": (b"", 0o644)}
PROGRAMS = ("/usr/bin/systemctl", "/usr/sbin/load_policy", "/usr/bin/systemd-run", "/usr/bin/systemd-detect-virt")


@pytest.mark.parametrize("failure", FAILURES)
def test_a_program_that_fails(guest, failure):
    """KILL_AT=all: each that a repair starts in each way. Lines that say so, in time; nothing is half done for long."""
    guest.put("/usr/local/sbin/failing", *FAILURES[failure])
    for program in PROGRAMS if ALL else PROGRAMS[:2] if failure == "fails" else PROGRAMS[:1]:
        print(program, failure, flush=True)
        guest.check(CACHE + "; " + SOCKETS + "; setenforce 0; mount --bind /usr/local/sbin/failing %s; setenforce 1" % program)
        started = time.monotonic()
        done = guest.run(COMMAND + " --timeout 10 repair")
        taken = time.monotonic() - started
        guest.check("setenforce 0; umount %s; setenforce 1" % program)
        assert done.status in (0, 1, 4), done
        assert re.fullmatch("(foreman-selinux-helpers: .*\n)*", done.err), done
        assert "internal error" not in done.err
        assert done.status == 0 or any(one in done.err for one in (program, "PID 1 did not answer", "the time limit")), done
        assert taken < 40
        next_one_makes_all_right(guest, "%s %s" % (program, failure))
