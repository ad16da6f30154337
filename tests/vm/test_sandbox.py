"""What docs/permissions.md says: its sandbox is enough for everything, and each part of what it leaves is needed.

The command line is the page's own.
"""

import os
import re
import shlex
from typing import Iterator, List

import pytest

from ..packages.build import TOP
from .guest import COMMAND, Guest, Result
from .test_conditions import OUTDATE
from .test_lifecycle import denials, kinds

PATH, RULE = "/run/foo/foo.sock", "/run/foo/foo\\.sock"
RIGHT, WRONG = "httpd_runtime_t", "var_run_t"
ROUNDS = int(os.environ.get("ROUNDS", "1"))


def command_line() -> List[str]:
    """Return the page's command line, without the verb, a pipe for its output added."""
    page = (TOP / "docs/permissions.md").read_text(encoding="utf-8")
    found = re.search(r"(?s)\n(    systemd-run .*?) repair\n", page)
    assert found
    program, *rest = shlex.split(found.group(1).replace("\\\n", ""))
    return [program, "--pipe", *rest]


def without(part: str) -> List[str]:
    """Return it without a capability or a path."""
    line = command_line()
    left = [re.sub(r"(?<=[= ])%s( |$)" % re.escape(part), "", one) for one in line]
    assert left != line
    return left


pytestmark = pytest.mark.xdist_group("sandbox")  # one guest, so one worker


@pytest.fixture(scope="module")
def guest(boot) -> Iterator[Guest]:
    """Return a host with a stale PID 1, and a socket of another user's in a directory of that user's."""
    with boot(stale_pid1=True) as booted:
        booted.put("/etc/foreman-selinux-helpers/profiles.d/foo.conf", b"[foo.socket]\ntype = httpd_runtime_t\n")
        booted.put("/etc/systemd/system/foo.socket", ("[Socket]\nListenStream=%s\nSocketUser=nobody\n" % PATH).encode())
        booted.put("/etc/systemd/system/foo.service", b"[Service]\nExecStart=/bin/sleep infinity\n")
        booted.check("install -d -o nobody -m 700 /run/foo && systemctl daemon-reload && systemctl start foo.socket"
                     " && systemctl start foo.service")
        yield booted


def local_rules(guest: Guest) -> List[str]:
    return sorted(line.split()[0] for line in guest.rules())


def confined(guest: Guest, verb: str, line: List[str], *options: str) -> Result:
    """Run our command in the sandbox."""
    return guest.run([*line, "--json", verb, *options])


def test_everything_is_done_in_the_sandbox(guest):
    """The rule, the audit record, the policy load, the re-exec of a stale PID 1, the socket; and nothing is denied."""
    denied, records = denials(guest), len(guest.rule_records())
    assert guest.label(PATH) != RIGHT
    done = confined(guest, "repair", command_line())
    assert done.status == 0, done
    assert (guest.label(PATH), local_rules(guest), guest.reexec_count()) == (RIGHT, [RULE], 1)
    assert [one["op"] for one in guest.rule_records()[records:]] == ["add"]
    assert confined(guest, "unregister", command_line()).status == 0
    assert local_rules(guest) == []
    assert guest.tool("repair")["status"] == 0
    assert kinds(denials(guest)) - kinds(denied) == set()


def test_each_capability_is_needed(guest):
    assert guest.tool("repair")["status"] == 0
    guest.check("systemctl daemon-reexec")  # what is old and right is left alone
    assert '"state": "fresh"' in confined(guest, "status", command_line()).out
    assert '"state": "fresh"' not in confined(guest, "status", without("CAP_SYS_PTRACE")).out

    # A socket of another user's, to be relabelled in place.
    guest.check("systemctl start foo.service && chcon -t %s %s && chown nobody %s" % (WRONG, PATH, PATH))
    done = confined(guest, "repair", without("CAP_FOWNER"))
    assert done.status == 1
    assert "Operation not permitted" in done.out
    assert '"exists": null' in confined(guest, "repair", without("CAP_DAC_READ_SEARCH")).out
    assert guest.label(PATH) == WRONG
    assert confined(guest, "repair", command_line()).status == 0
    assert guest.label(PATH) == RIGHT

    records = len(guest.rule_records())
    assert confined(guest, "unregister", without("CAP_AUDIT_WRITE")).status == 0
    assert (local_rules(guest), len(guest.rule_records())) == ([], records)


def test_each_path_is_written(guest):
    """Where one cannot be, no rule is there."""
    assert guest.tool("unregister")["status"] == 0
    for path in ("/var/lib/foreman-selinux-helpers", "/var/lib/selinux", "/etc/selinux"):
        done = confined(guest, "register", without(path))
        assert done.status == 1
        assert "Read-only file system" in done.out + done.err
        assert local_rules(guest) == []


def test_no_new_privileges_keeps_setfiles_out_of_its_domain(guest):
    """It works all the same, but each commit leaves a denial."""
    assert guest.tool("unregister")["status"] == 0
    denied = len(denials(guest))
    line = command_line()
    line[1:1] = ["-p", "NoNewPrivileges=yes"]
    assert confined(guest, "register", line).status == 0
    assert any("nnp_transition" in one for one in denials(guest)[denied:])


def at_once(guest: Guest, *commands: str) -> List[str]:
    """Run shell commands beside each other while PID 1 reloads again and again; return what each ended with.

    What they said is printed, to be shown if the test fails.
    """
    reloads = "(while :; do systemctl daemon-reload; sleep 2; done) & reloads=$!; "
    started = "".join("(%s) >&2 & p%d=$!; " % (command, number) for number, command in enumerate(commands))
    awaited = "".join("wait $p%d; echo $?; " % number for number in range(len(commands)))
    done = guest.run(reloads + started + awaited + "kill $reloads", timeout=300)
    print(done.err)
    return done.out.split()


@pytest.fixture
def transaction(guest, base_packages) -> str:
    """Return the command of a transaction that calls our scriptlets."""
    return "rpm --force-debian -U --replacepkgs " + guest.put_files("/root/rpms", base_packages[1:2])[0]


def test_repairs_at_once_re_execute_pid_1_once(guest, transaction):
    """Two by hand, and that of a transaction: one commit, one re-exec, one restart of the socket."""
    assert guest.tool("unregister")["status"] == 0
    guest.check("systemctl daemon-reexec")  # with a database that lacks the rule
    for number in range(ROUNDS):
        print("round", number, flush=True)
        guest.check("systemctl stop foo.service; chcon -t %s %s" % (WRONG, PATH))
        if number:
            guest.check(OUTDATE + "; load_policy")
        commits, before, starts = guest.commits(), guest.reexec_count(), restarts(guest)
        assert at_once(guest, COMMAND + " repair", COMMAND + " repair", transaction) == ["0"] * 3
        assert (guest.label(PATH), local_rules(guest)) == (RIGHT, [RULE])
        assert (guest.commits() - commits, guest.reexec_count() - before, restarts(guest) - starts) == (not number, 1, 1)
    guest.check("rm -f /etc/foreman-selinux-helpers/profiles.d/outdated.conf")


def restarts(guest: Guest) -> int:
    """Return how often the socket was made since boot."""
    return int(guest.check("journalctl -b -o cat -u foo.socket -g '^Listening on' | wc -l"))


def test_a_repair_beside_semanage_and_rpm(guest, transaction):
    """No rule is lost, whoever is first; semanage gives up where it has to wait too long, and is asked again."""
    theirs: List[str] = []
    for number in range(ROUNDS):
        print("round", number, flush=True)
        assert guest.tool("unregister")["status"] == 0
        theirs.append("/srv/a%03d" % number)  # in the order that they are listed in
        by_hand = "for i in 1 2 3 4 5 6; do semanage fcontext -a -t var_t %s && exit; sleep 1; done; exit 1" % theirs[-1]
        # 1 and 4: what it has made right was outdated by the other's commit before it had looked again.
        ended = at_once(guest, by_hand, COMMAND + " repair || case $? in 1|4) ;; *) exit 9; esac", transaction)
        assert ended == ["0"] * 3
        assert local_rules(guest) == [RULE, *theirs]
    assert guest.tool("repair")["status"] == 0
