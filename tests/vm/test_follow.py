"""What others change: rules that concern none of our sockets, rules written by hand, an application that moves."""

from .guest import Guest
from .test_story import SOCKET, assert_right, sockets, steps

ROUNDS = 10
LOCAL = "/etc/selinux/default/contexts/files/file_contexts.local"
ELSEWHERE = "semanage fcontext -a -t %s '/srv/elsewhere%d(/.*)?'"
# foremanctl's unit of the same name, on a path that the policy labels itself; the boolean lets the client in.
FOREMANCTL = "/run/httpd.foreman.sock"
UNITS = {
    "/etc/systemd/system/foreman.socket": "[Socket]\nListenStream=%s\n" % FOREMANCTL,
    "/etc/systemd/system/foreman.service": "[Service]\nExecStart=/bin/sleep infinity\n",
}
BOOLEAN = """(boolean daemons_cluster false)
(booleanif daemons_cluster (true (allow httpd_t initrc_t (unix_stream_socket (connectto)))))
"""
MODULE = """(type foreman_var_run_t)
(roletype object_r foreman_var_run_t)
(typeattributeset file_type (foreman_var_run_t))
(filecon "/run/foreman\\.sock" any (system_u object_r foreman_var_run_t ((s0) (s0))))
"""


def install_module(guest: Guest, name: str, text: str) -> None:
    """Install a policy module from its source."""
    guest.put("/root/%s.cil" % name, text.encode())
    guest.check("semodule -i /root/%s.cil" % name)


def test_a_stale_cache_is_renewed_only_for_the_sockets_that_matter(boot, install, demo):
    """PID 1 is emulated to keep its label cache."""
    with boot(stale_pid1=True) as guest:
        install(guest, demo("foreman"))
        assert_right(guest, "foreman")
        reexecs = guest.reexec_count()
        guest.check(ELSEWHERE % ("var_t", 1))
        status = guest.tool("status")
        assert (status["status"], status["ok"]) == (0, True)
        assert (status["label_cache"]["state"], status["label_cache"]["harmless"]) == ("stale", True)
        assert sockets(status)["foreman.socket"]["held_answer"].split(":")[2] == "foreman_var_run_t"
        assert "PID 1's label cache: old and harmless" in guest.run("foreman-selinux-helpers status").out
        assert guest.tool("repair")["plan"] == []
        # A transaction with our own packages, which the trigger follows.
        install(guest, demo("foreman", edition=2))
        assert guest.reexec_count() == reexecs

        # One that concerns a socket of ours: the copy says what PID 1 would do, and one re-exec mends it.
        guest.put("/etc/foreman-selinux-helpers/profiles.d/foreman-demo.conf",
                  b"[foreman.socket]\ntype = httpd_runtime_t\npath = /run/second.sock\n")
        planned = guest.tool("repair", "--dry-run")
        done = guest.tool("repair")
        assert (done["status"], done["plan"]) == (0, planned["plan"])
        assert steps(done)[-1] == "daemon-reexec"
        assert guest.reexec_count() == reexecs + 1
        assert guest.tool("status")["label_cache"]["state"] == "fresh"


def test_a_rule_that_was_written_by_hand_is_no_reason_to_reexecute(boot, install, demo):
    """libselinux uses no compiled file that is older than its text, so PID 1 never holds it."""
    with boot() as guest:
        install(guest, demo("foreman"))
        guest.check("semanage fcontext -a -t var_t '/srv/elsewhere(/.*)?'")
        for number in range(ROUNDS):
            # Each transaction installs a policy module, and so has the text written and compiled anew.
            guest.check("sleep 1.1; echo '# by hand' >>%s; test %s -nt %s.bin" % (LOCAL, LOCAL, LOCAL))
            assert guest.tool("repair")["status"] == 0
            guest.check("test %s -nt %s.bin" % (LOCAL, LOCAL))
            install(guest, demo("foreman", edition=2 + number))
        assert guest.reexec_count() == 0
        assert_right(guest, "foreman")


def test_foremanctl_is_left_to_the_policy(boot):
    """The unit that our profile is for listens on a path with a label of the policy's own."""
    with boot() as guest:
        for path, content in UNITS.items():
            guest.put(path, content.encode())
        install_module(guest, "cluster", BOOLEAN)
        guest.check("systemctl daemon-reload && systemctl start foreman.socket")
        label = guest.label(FOREMANCTL)
        assert label.startswith("httpd_")
        for module in (None, MODULE):
            if module:
                install_module(guest, "foreman", module)
            denied = guest.tool("status")
            found = next(one for one in denied["sockets"] if one["path"] == FOREMANCTL)
            assert found["problem"] == "policy-denies"
            assert "setsebool -P daemons_cluster on" in found["remedy"]
            explained = guest.tool("explain", FOREMANCTL)
            assert (explained["cause"], explained["command_to_run"]) == (
                "policy-denies", "setsebool -P daemons_cluster on")
            guest.check("setsebool daemons_cluster on")
            status = guest.tool("status")
            assert (status["status"], status["ok"]) == (0, True)
            # A module that was just installed may have PID 1 look a label up, for a path that it does not listen on.
            repaired = guest.tool("repair")
            assert (repaired["status"], repaired["changed"]) == (0, False)
            assert (guest.rules(), guest.label(FOREMANCTL)) == ([], label)
            guest.check("setsebool daemons_cluster off")
        assert guest.reexec_count() == 0
        assert guest.run(["ls", SOCKET]).status == 2
