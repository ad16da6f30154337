"""Which label is wanted where the policy has a word of its own, and when our rules are given back."""

import subprocess
import sys
from pathlib import Path

import pytest

from .test_register import PROFILE, actions, lookup

ADMINISTRATOR = str(Path(__file__).parent / "administrator.py")
OURS = "/run/foo\\.sock"
WANTED, OTHER = ("system_u:object_r:%s" % name for name in ("foo_var_run_t", "alt_t"))


@pytest.fixture
def root(small):
    """Return a root with the smallest policy; a profile names the path."""
    small.profile("foo", PROFILE)
    return small


def policy_says(root, regex, context, kind="any"):
    """Let the policy's one module with a rule say this."""
    root.rule(regex, kind, "(%s ((s0) (s0)))" % context.replace(":", " "))


def administrator(root, *arguments):
    subprocess.check_call([sys.executable, ADMINISTRATOR, str(root.path), "default", *arguments])


def test_our_rule_is_given_back_once_the_policy_gives_the_label(root, tool):
    policy_says(root, OURS, WANTED, "file")
    assert actions(tool("register")) == [(OURS, "add")]
    assert actions(tool("register")) == [(OURS, "keep")]
    policy_says(root, OURS, WANTED)
    given_back = tool("register")
    assert actions(given_back) == [(OURS, "remove")]
    assert given_back["rules"][0]["reason"] == "the policy gives this label without it"
    assert (root.local_rules(), lookup(root, "/run/foo.sock")) == ([], WANTED)
    again = tool("repair")
    assert (again["status"], again["plan"]) == (0, [])
    # And taken again, should the policy lose it.
    policy_says(root, OURS, WANTED, "file")
    assert actions(tool("register")) == [(OURS, "add")]


@pytest.mark.parametrize("moved", [False, True], ids=["from the start", "since ours is there"])
def test_a_rule_of_the_policy_for_the_path_alone_wins_over_the_profile(root, tool, moved):
    if moved:
        tool("register")
        assert lookup(root, "/run/foo.sock") == WANTED
    policy_says(root, OURS, OTHER)
    before = tool("status")["sockets"][0]
    assert before["problem"] == ("shadowed" if moved else None)
    done = tool("repair")
    assert (done["status"], root.local_rules(), lookup(root, "/run/foo.sock")) == (0, [], OTHER)
    assert any("takes precedence over the profile foo" in note for note in tool("status")["notes"])
    again = tool("repair")
    assert (again["status"], again["plan"]) == (0, [])
    # For regular files alone it says nothing of sockets.
    policy_says(root, OURS, OTHER, "file")
    assert actions(tool("register")) == [(OURS, "add")]


@pytest.mark.parametrize("regex", ["/run/foo.*", "/run(/.*)?", "/var/run/foo\\.sock"])
def test_any_other_rule_of_the_policy_yields_to_a_profile_that_names_the_path(root, tool, regex):
    (root.files / "file_contexts.subs_dist").write_text("/var/run /run\n")
    policy_says(root, regex, OTHER)
    assert actions(tool("register")) == [(OURS, "add")]
    assert lookup(root, "/run/foo.sock") == WANTED


def test_the_administrator_who_deletes_our_rule_is_told_and_told_how_to_have_it_back(root, tool):
    tool("register")
    administrator(root, "--delete", OURS)
    told = tool("status")["sockets"][0]
    assert told["problem"] == "no-rule"
    assert "the administrator deleted the rule that was added for foo.socket; to have it back: " in told["remedy"]
    assert tool("repair")["plan"] == []
    assert root.local_rules() == []
    explained = tool("explain", "/run/foo.sock")
    assert "deleted the rule that was added" in explained["why"]
    for command in explained["command_to_run"].split(" && "):
        words = command.split()
        assert words[:3] == ["foreman-selinux-helpers", "--root", str(root.path)]
        assert tool(*words[3:])["status"] == 0
    assert lookup(root, "/run/foo.sock") == WANTED


def test_a_type_that_the_policy_has_not_makes_the_profile_idle(root, tool):
    root.profile("foo", PROFILE.replace("foo_var_run_t", "nowhere_t"))
    done = tool("repair")
    assert (done["status"], done["plan"], tool("status")["sockets"][0]["problem"]) == (0, [], None)
