"""Registration against the real libsemanage and libselinux, in an alternate root."""

import fcntl
import stat
import subprocess
import sys

import pytest

PROFILE = "[foo.socket]\ntype = foo_var_run_t\npath = /run/foo.sock\n"
# Ends our command just before or after its commit.
DEATH = """
import os
from foreman_selinux_helpers.doors import policystore
original = policystore.Store.apply
def apply(self, *arguments):
    if %r == "after":
        original(self, *arguments)
    os._exit(9)
policystore.Store.apply = apply
"""
CONTEXT = "system_u:object_r:foo_var_run_t:s0"


def lookup(root, path):
    """Ask libselinux itself, in a process of its own."""
    code = ("import selinux, sys; selinux.selinux_set_policy_root(sys.argv[1])\n"
            "h = selinux.selabel_open(selinux.SELABEL_CTX_FILE, None, 0)\n"
            "try: print(selinux.selabel_lookup_raw(h, sys.argv[2], %d)[1])\n"
            "except FileNotFoundError: print(None)") % stat.S_IFSOCK
    return subprocess.check_output([sys.executable, "-Ic", code, str(root.path / "etc/selinux/default"), path],
                                   universal_newlines=True).strip()


def actions(document):
    return [(one["regex"], one["action"]) for one in document["rules"]]


@pytest.mark.parametrize("turned", [False, True], ids=["debian", "el"])
@pytest.mark.parametrize(("kind", "aliased", "cause"), [
    ("file", False, "wrong-file-type"), ("any", True, "aliased-path"), (None, False, "no-rule")])
def test_the_historical_rules_are_mended(root, tool, turned, kind, aliased, cause):
    if turned:
        root.turn_equivalence_round()
    canonical, other = ("/var/run", "/run") if turned else ("/run", "/var/run")
    if kind:
        root.rule((other if aliased else canonical) + "/foo\\.sock", kind)
    root.profile("foo", PROFILE)
    assert lookup(root, "/run/foo.sock") != CONTEXT
    assert tool("status")["sockets"][0]["problem"] == cause
    done = tool("register")
    assert (done["status"], actions(done)) == (0, [(canonical + "/foo\\.sock", "add")])
    assert done["rules"][0]["reason"].startswith(cause)
    assert lookup(root, "/run/foo.sock") == lookup(root, "/var/run/foo.sock") == CONTEXT

    before = root.state()
    again = tool("repair")
    assert (again["status"], again["changed"], again["plan"]) == (0, False, [])
    assert root.state() == before

    assert actions(tool("unregister")) == [(canonical + "/foo\\.sock", "remove")]
    assert root.local_rules() == []
    assert lookup(root, "/run/foo.sock") != CONTEXT


def test_nothing_is_registered_where_the_policy_is_right(root, tool):
    root.rule("/run/foo\\.sock")
    root.profile("foo", PROFILE)
    before = root.state()
    done = tool("repair")
    assert (done["status"], done["plan"], root.state()) == (0, [], before)
    assert tool("register")["rules"][0]["action"] == "skip"


def test_our_rule_moves_when_the_equivalence_turns_round(root, tool):
    root.profile("foo", PROFILE)
    tool("register")
    root.turn_equivalence_round()
    commits = root.commits()
    assert lookup(root, "/run/foo.sock") != CONTEXT
    assert sorted(actions(tool("register"))) == [("/run/foo\\.sock", "remove"), ("/var/run/foo\\.sock", "add")]
    assert lookup(root, "/run/foo.sock") == CONTEXT
    assert root.local_rules() == ["/var/run/foo\\.sock " + CONTEXT]
    assert int(root.commits().strip("\0")) == int(commits.strip("\0")) + 1


def admins_rule(root, regex, type_name):
    """Add a local rule as semanage does, with the real library."""
    code = """
import semanage as s, sys
h = s.semanage_handle_create(); s.semanage_set_root(sys.argv[1])
s.semanage_select_store(h, "default", s.SEMANAGE_CON_DIRECT); s.semanage_connect(h); s.semanage_begin_transaction(h)
_, k = s.semanage_fcontext_key_create(h, sys.argv[2], s.SEMANAGE_FCONTEXT_ALL)
_, f = s.semanage_fcontext_create(h); s.semanage_fcontext_set_expr(h, f, sys.argv[2])
s.semanage_fcontext_set_type(f, s.SEMANAGE_FCONTEXT_ALL)
_, c = s.semanage_context_from_string(h, "system_u:object_r:%s:s0" % sys.argv[3]); s.semanage_fcontext_set_con(h, f, c)
s.semanage_fcontext_modify_local(h, k, f); s.semanage_set_reload(h, 0)
sys.exit(s.semanage_commit(h) < 0)
"""
    subprocess.check_call([sys.executable, "-Ic", code, str(root.path), regex, type_name], stderr=subprocess.DEVNULL)


@pytest.mark.parametrize("regex", ["/run/foo\\.sock", "/run/foo.*"])
def test_the_administrators_rule_wins_and_survives(root, tool, regex):
    root.profile("foo", PROFILE)
    admins_rule(root, regex, "httpd_var_run_t")
    theirs = root.local_rules()
    for verb in ("register", "repair", "unregister"):
        tool(verb)
        assert root.local_rules() == theirs
    done = tool("status")
    assert (done["status"], done["sockets"][0]["problem"]) == (1, "shadowed")
    assert "administrator" in done["sockets"][0]["remedy"]


@pytest.mark.parametrize("regex", ["/run/foo.*", "/run(/.*)?"])
def test_our_rule_gives_way_to_a_newer_one_of_the_administrator(root, tool, regex):
    """libselinux would prefer ours, which has no special characters, wherever theirs stands."""
    root.profile("foo", PROFILE)
    tool("register")
    admins_rule(root, regex, "httpd_var_run_t")
    theirs = [line for line in root.local_rules() if not line.endswith(CONTEXT)]
    assert lookup(root, "/run/foo.sock") == CONTEXT
    before = tool("status")["sockets"][0]
    assert before["problem"] == "shadowed"
    assert regex in before["remedy"]
    assert actions(tool("register")) == [("/run/foo\\.sock", "remove")]
    assert root.local_rules() == theirs
    assert lookup(root, "/run/foo.sock") != CONTEXT
    again = tool("register")
    assert (again["changed"], actions(again)) == (False, [("/run/foo\\.sock", "skip")])
    assert tool("status")["sockets"][0]["problem"] == "shadowed"


def test_a_rule_that_was_changed_since_is_the_administrators(root, tool):
    root.profile("foo", PROFILE)
    tool("register")
    admins_rule(root, "/run/foo\\.sock", "httpd_var_run_t")
    theirs = root.local_rules()
    tool("register")
    tool("unregister")
    assert root.local_rules() == theirs


def test_many_profiles_share_one_commit(root, tool):
    for number in range(1000):
        root.profile("p%d" % number, PROFILE.replace("foo.s", "foo%d.s" % number))
    commits = root.commits()
    assert tool("register")["status"] == 0
    assert len(root.local_rules()) == 1000
    assert int(root.commits().strip("\0")) == int(commits.strip("\0")) + 1
    assert lookup(root, "/run/foo999.sock") == CONTEXT


def test_dry_run_changes_nothing_and_says_what_is_done_then(root, tool):
    root.profile("foo", PROFILE)
    before = root.state()
    planned = tool("repair", "--dry-run")
    shown = tool("register", "--dry-run")
    assert (root.state(), planned["results"]) == (before, [])
    done = tool("repair")
    assert done["plan"] == planned["plan"]
    assert [one["target"] for one in done["results"]] == [one["target"] for one in planned["plan"]]
    assert [one["regex"] for one in shown["rules"]] == ["/run/foo\\.sock"]


def test_an_unknown_type_does_not_stop_the_others(root, tool):
    root.profile("foo", PROFILE)
    root.profile("odd", "[odd.socket]\ntype = nowhere_t\npath = /run/odd.sock\n")
    # A good regex to Python and none to PCRE: only the policy store can tell.
    root.profile("part", "[part.socket]\ntype = foo_var_run_t\nregex = /run/part(?a:x)\n")
    done = tool("register")
    found = {one["unit"]: one["action"] for one in done["rules"]}
    assert found == {"foo.socket": "add", "odd.socket": "skip", "part.socket": "add"}
    assert {one["target"].split()[0]: one["outcome"] for one in done["results"]} == {
        "/run/foo\\.sock": "done", "/run/part(?a:x)": "failed"}
    assert done["status"] == 1
    assert root.local_rules() == ["/run/foo\\.sock " + CONTEXT]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_run_killed_around_the_commit_is_made_good(root, tool, moment):
    root.profile("foo", PROFILE)
    assert tool("register", before=DEATH % moment)["status"] == 9
    assert len(root.local_rules()) == int(moment == "after")
    assert tool("register")["status"] == 0
    assert root.local_rules() == ["/run/foo\\.sock " + CONTEXT]
    tool("unregister")
    assert root.local_rules() == []


def test_a_locked_store_is_said_in_time(root, tool):
    root.profile("foo", PROFILE)
    with open(str(root.path / "var/lib/selinux/default/semanage.trans.LOCK"), "r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = tool("--timeout", "2", "register")
    assert done["status"] == 1
    assert "time limit" in done["results"][0]["detail"]
    assert root.local_rules() == []
    assert tool("register")["status"] == 0


def test_without_the_binding_an_alternate_root_cannot_be_changed(root, tool):
    root.profile("foo", PROFILE)
    done = tool("register", before="sys.modules['semanage'] = None")
    assert done["status"] == 1
    assert "Python binding of libsemanage" in done["results"][0]["detail"]


@pytest.mark.parametrize(("name", "content"), [
    ("file_contexts.subs_dist", b"\xff\xfe\0\n/a\n" * 1000), ("file_contexts.local", b"\0\xff broken\n"),
    ("file_contexts", b"")])
def test_odd_policy_files_are_no_traceback(root, tool, name, content):
    root.profile("foo", PROFILE)
    (root.files / name).write_bytes(content)
    for compiled in root.files.glob("*.bin"):
        compiled.unlink()
    assert tool("status")["status"] in (0, 1)
