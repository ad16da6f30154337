"""What explain says of live sockets: every cause is produced, and the remedy that is printed is typed as it stands."""

from typing import Any, Callable, Dict, List, Optional

import pytest

from ..packages.build import ALIASED, NO_RULE, REGULAR_FILES
from .guest import Guest
from .test_story import SOCKET, assert_right

ADD_RULE = "semanage fcontext -a -t foreman_var_run_t '/run/foreman\\.sock'"
OWN_SERVER = ("systemd-run --quiet --unit=own --service-type=exec /usr/bin/python3 -Ic 'import socket, time;"
              " s = socket.socket(socket.AF_UNIX); s.bind(\"%s\"); s.listen(); time.sleep(9999)'")
# In a file system that is mounted with a label for all.
NO_LABELS = "mount -t tmpfs -o context=system_u:object_r:tmpfs_t:s0 none /run/setrans"


def put_unit(guest: Guest, name: str, path: str, program: str = "/bin/sleep infinity") -> None:
    """Make and start a socket unit that no package knows."""
    guest.put("/etc/systemd/system/%s.socket" % name, b"[Socket]\nListenStream=%s\n" % path.encode())
    guest.put("/etc/systemd/system/%s.service" % name, b"[Service]\nExecStart=%s\n" % program.encode())
    guest.check("systemctl daemon-reload && systemctl start %s.socket" % name)


def put_profile(guest: Guest, name: str, text: str) -> None:
    """Make the administrator's profile."""
    guest.put("/etc/foreman-selinux-helpers/profiles.d/%s.conf" % name, text.encode())


@pytest.fixture
def told() -> Callable[..., Dict[str, Any]]:
    """Return a function that explains a path, compares with status, and types the remedy (``more``: one of several)."""
    def explained(guest: Guest, cause: Optional[str], *arguments: str, path: str = SOCKET,
                  mend: bool = False, more: bool = False) -> Dict[str, Any]:
        found = guest.tool("explain", *arguments, path)
        assert found["cause"] == cause, found
        assert (found["status"], found["ok"]) == (int(cause is not None), cause is None)
        assert (cause is None) == (found["why"] is None) == (found["remedy"] is None)
        judged = [one for one in guest.tool("status")["sockets"] if one["path"] == path]
        if judged and not arguments:
            assert [(one["problem"], one["remedy"]) for one in judged] == [(cause, found["remedy"])]
            assert [(one["expected"], one["path_label"]) for one in judged] == [(found["expected"], found["path_label"])]
            assert judged[0]["socket_label"] in (None, found["socket_label"])  # status looks at PID 1's alone
        if mend:
            done = guest.run("cd /root && " + found["command_to_run"])
            assert done.status == 0 or (done.status, more) == (1, True), done
        return found
    return explained


def test_the_whole_story_without_a_profile(boot, install, demo, told):
    """A rule for regular files, one on the aliased side, then a socket and a PID 1 that know nothing of the right one."""
    client = ("--client", "httpd_t")
    with boot(stale_pid1=True) as guest:
        guest.check("mkdir -p /etc/foreman-selinux-helpers/profiles.d &&"
                    " ln -s /dev/null /etc/foreman-selinux-helpers/profiles.d/foreman.conf")
        install(guest, demo("foreman", variant=REGULAR_FILES, helper="none"))
        assert "Permission denied" in guest.connect(SOCKET).out
        found = told(guest, "wrong-file-type", *client)
        assert found["command_to_run"] == ADD_RULE
        assert found["other_file_types"][0]["file_type"] == "file"
        assert (found["unit"], found["path_label"].split(":")[2], found["expected"]) == (
            "foreman.socket", "var_run_t", None)
        assert [(one["pid"], one["comm"]) for one in found["listeners"]] == [(1, "systemd")]
        assert found["socket_label"].split(":")[2] == "initrc_t"
        assert (found["client"]["allowed"], found["client"]["allowed_when_right"]) == (False, True)
        assert [(one["comm"], one["file_class"], one["permission"]) for one in found["denials"]] == [
            ("web-client", "sock_file", "write")]

        # The next release is wrong in another way.
        install(guest, demo("foreman", variant=ALIASED, helper="none", edition=2))
        assert "Permission denied" in guest.connect(SOCKET).out
        found = told(guest, "aliased-path", *client, mend=True)
        assert found["command_to_run"] == ADD_RULE
        aliased = told(guest, "made-before-rule", *client, path="/var/run/foreman.sock", mend=True,
                       more=True)
        assert (aliased["canonical"], aliased["substitutions"][0]["from"]) == (SOCKET, "/var/run")

        # It was relabelled in place. Made anew it is wrong again: PID 1 does not do what its version promises.
        assert guest.connect(SOCKET) == (0, "hello\n", "")
        guest.check("systemctl restart foreman.socket")
        assert "Permission denied" in guest.connect(SOCKET).out
        assert guest.reexec_count() == 0
        found = told(guest, "label-cache-stale", *client, mend=True)
        assert found["command_to_run"] == "foreman-selinux-helpers reexec"
        assert (found["label_cache"]["state"], found["refresh"]["refresh"]) == ("stale", "ON_POLICY_LOAD")
        assert guest.reexec_count() == 1
        assert "Permission denied" in guest.connect(SOCKET).out
        found = told(guest, "made-before-rule", *client, mend=True)
        assert found["command_to_run"] == "foreman-selinux-helpers restart foreman.socket"
        assert found["label_cache"]["state"] == "fresh"

        assert guest.connect(SOCKET) == (0, "hello\n", "")
        found = told(guest, None, *client)
        assert (found["client"]["allowed"], found["client"]["allowed_when_right"]) == (True, True)
        assert guest.reexec_count() == 1


def test_every_other_cause(boot, install, demo, told):
    """All with one stock guest; each is mended by what is printed before the next one comes."""
    with boot() as guest:
        install(guest, demo("foreman", variant=NO_RULE, helper="none"), triggers=False)
        found = told(guest, "no-rule", mend=True)
        assert found["command_to_run"] == "foreman-selinux-helpers repair foreman.socket"
        found = told(guest, None)
        assert found["client"]["domain"] == "httpd_t"
        assert_right(guest, "foreman")

        guest.check("semanage fcontext -m -t httpd_runtime_t '/run/foreman\\.sock'")
        found = told(guest, "shadowed", mend=True)
        assert "administrator" in found["why"]
        told(guest, None)

        guest.check("chcon -t var_run_t /run/foreman.sock")
        told(guest, "made-before-rule", mend=True)
        told(guest, None)

        # Another program has taken the path; connecting to it is what it was, so it is relabelled, not restarted.
        guest.check("systemctl stop foreman.socket foreman.service; rm -f /run/foreman.sock")
        guest.check(OWN_SERVER % SOCKET)
        guest.check("for i in $(seq 50); do [ -S /run/foreman.sock ] && exit 0; sleep 0.2; done; exit 1")
        found = told(guest, "not-made-by-systemd", mend=True)
        (listener,) = found["listeners"]
        assert (listener["unit"], found["socket_label"]) == ("own.service", listener["socket_label"])
        assert guest.label(SOCKET) == "foreman_var_run_t"
        assert guest.check("systemctl is-active own.service; systemctl is-active foreman.socket || :") == "active\ninactive\n"
        guest.check("systemctl stop own.service; rm -f /run/foreman.sock; systemctl start foreman.socket")
        told(guest, None)

        no_policy_module(guest, told)
        others(guest, told)
        mistakes(guest)


def no_policy_module(guest: Guest, told: Callable[..., Dict[str, Any]]) -> None:
    """Units that no package brings, and what is wrong with them."""
    guest.check("cp /bin/sleep /usr/local/bin/x && chcon -t httpd_exec_t /usr/local/bin/x")
    put_unit(guest, "x", "/run/x.sock", "/usr/local/bin/x infinity")
    guest.check("restorecon /usr/local/bin/x")
    found = told(guest, "socket-label", path="/run/x.sock", mend=True)
    assert [found[key].split(":")[2] for key in ("socket_label", "expected_socket_label")] == ["httpd_t", "initrc_t"]
    assert found["command_to_run"] == "foreman-selinux-helpers restart x.socket"
    told(guest, None, path="/run/x.sock")

    # Nothing is mislabelled, but the type that the rules leave it is nothing for a web server.  Where there is no
    # audit daemon, the kernel tells the journal.
    guest.check("kill $(pidof auditd); rm /var/log/audit/audit.log")
    assert "Permission denied" in guest.connect("/run/x.sock").out
    found = told(guest, "policy-denies", "--client", "httpd_t", path="/run/x.sock", mend=True)
    assert "no allow rule" in found["why"]
    assert [(one["comm"], one["permission"]) for one in found["denials"]] == [("web-client", "write")]
    assert "(allow httpd_t var_run_t (sock_file (write)))" in found["command_to_run"]
    assert told(guest, None, "--client", "httpd_t", path="/run/x.sock")["client"]["allowed"] is True
    after = guest.run(["systemd-run", "--quiet", "--wait", "--pipe", "--collect", "--property=RuntimeMaxSec=5",
                       "/usr/libexec/web-client/web-client", "/run/x.sock"])
    assert "Permission denied" not in after.out  # it waits for an answer that the service never gives

    # With a profile status asks the same question; here a boolean would do.
    put_unit(guest, "slapd-x", "/run/slapd-x.sock")
    put_profile(guest, "slapd", "[slapd-x.socket]\ntype = slapd_runtime_t\nclient = nscd_t\n")
    found = guest.tool("explain", "/run/slapd-x.sock")
    status = next(one for one in guest.tool("status")["sockets"] if one["path"] == "/run/slapd-x.sock")
    assert (status["problem"], found["cause"]) == ("policy-denies", "policy-denies")
    assert found["command_to_run"] == "setsebool -P authlogin_nsswitch_use_ldap on"
    assert guest.tool("repair", "--dry-run", "slapd")["plan"] == []
    guest.check("rm /etc/foreman-selinux-helpers/profiles.d/slapd.conf")

    put_profile(guest, "x", "[x.socket]\ntype = nonexistent_t\n")
    idle = told(guest, None, path="/run/x.sock")
    assert "the profile x does nothing for /run/x.sock: the policy has no type nonexistent_t" in idle["notes"]
    put_profile(guest, "x", "[x.socket]\ntype = nonexistent_t\nclient = nscd_t\n")
    found = told(guest, "no-such-type", path="/run/x.sock")
    assert "nonexistent_t" in found["remedy"]
    guest.check("rm /etc/foreman-selinux-helpers/profiles.d/x.conf")

    guest.check("mkdir -p /run/setrans && chcon -t mnt_t /run/setrans && %s" % NO_LABELS)
    put_unit(guest, "labels", "/run/setrans/x.sock")
    put_profile(guest, "labels", "[labels.socket]\ntype = setrans_runtime_t\n")
    told(guest, "no-label-support", path="/run/setrans/x.sock")
    assert guest.tool("repair", "--dry-run", "labels")["plan"] == []  # a restart would not help, again and again
    guest.check("rm /etc/foreman-selinux-helpers/profiles.d/labels.conf; systemctl stop labels.socket;"
                " umount /run/setrans")


def others(guest: Guest, told: Callable[..., Dict[str, Any]]) -> None:
    """Files, directories, links, and sockets of programs that are nobody's unit."""
    guest.check("mkdir /srv/d && touch /srv/d/f && restorecon -R /srv/d && chcon -t etc_t /srv/d /srv/d/f")
    for path in ("/srv/d", "/srv/d/f"):
        found = told(guest, "made-before-rule", path=path, mend=True)
        assert found["command_to_run"] == "restorecon -v %s" % path
        assert told(guest, None, path=path)["listeners"] == []
    guest.check("ln -s d /srv/l && touch '/srv/d/with space'")
    assert told(guest, None, path="/srv/l")["file_type"] == "symlink"
    followed = told(guest, None, path="/srv/l/f")
    assert (followed["canonical"], "symbolic link on the way" in " ".join(followed["notes"])) == ("/srv/d/f", True)
    guest.check("chcon -t etc_t '/srv/d/with space'")
    told(guest, "made-before-rule", path="/srv/d/with space", mend=True)
    told(guest, None, path="/srv/d/with space")

    guest.check(OWN_SERVER.replace("own", "free") % "/run/setrans/free")
    guest.check("for i in $(seq 50); do [ -S /run/setrans/free ] && exit 0; sleep 0.2; done; exit 1")
    guest.check("chcon -t var_run_t /run/setrans/free")
    found = told(guest, "not-made-by-systemd", path="/run/setrans/free", mend=True)
    assert (found["unit"], found["listeners"][0]["unit"]) == (None, "free.service")
    told(guest, None, path="/run/setrans/free")

    datagram = told(guest, None, "--client", "httpd_t", path="/run/systemd/journal/dev-log")
    assert datagram["client"]["checks"][-1]["file_class"] == "unix_dgram_socket"

    # A label on the way keeps the client out.
    guest.check("chcon -t user_home_t /run/systemd/journal")
    found = told(guest, "made-before-rule", "--client", "httpd_t", path="/run/systemd/journal/dev-log", mend=True)
    assert found["command_to_run"] == "restorecon -vF /run/systemd/journal"
    told(guest, None, "--client", "httpd_t", path="/run/systemd/journal/dev-log")


def mistakes(guest: Guest) -> None:
    """What is not root's to ask, or wrong to ask; and how it looks."""
    def line(arguments: str) -> List[str]:
        return guest.run("foreman-selinux-helpers explain " + arguments).err.split("\n")

    for arguments in ("--client nonexistent_t /run/foreman.sock", "relative", "/run/../etc"):
        assert guest.run("foreman-selinux-helpers explain " + arguments).status == 2
        assert len(line(arguments)) == 2
    nobody = guest.run("runuser -u nobody -- foreman-selinux-helpers --json explain /run/foreman.sock")
    assert (nobody.status, nobody.err) == (0, "")
    assert "may only be seen by root" in nobody.out
    assert '"label": "system_u:object_r:foreman_var_run_t:s0"' in nobody.out

    terminal = "script -qec '%s foreman-selinux-helpers %s' /dev/null"
    for arguments in ("explain /run/foreman.sock", "status"):
        coloured = guest.run(terminal % ("env", arguments)).out
        assert "\033[32mok\033[0m" in coloured
        for plain in (guest.run(terminal % ("env NO_COLOR=1", arguments)).out.replace("\r", ""),
                      guest.run("foreman-selinux-helpers " + arguments).out):
            assert "\033" not in plain
            assert plain.split() == coloured.replace("\033[32m", "").replace("\033[1m", "").replace("\033[0m", "").split()
            assert all(len(one) <= 80 or " " not in one.strip() for one in plain.split("\n"))
