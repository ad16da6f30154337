"""What the order of libselinux's rules means for a registration and for explain, with this libselinux or another."""

import os
import shlex

import pytest

from foreman_selinux_helpers.doors import behaviour, labeldatabase

from .test_register import CONTEXT, actions, lookup

OTHER = "system_u:object_r:httpd_runtime_t:s0"
PROFILE = "[foo.socket]\ntype = httpd_runtime_t\npath = /run/foo.sock\n"


def by_hand(root, command):
    """Do what the printed semanage commands do; semanage itself knows no other root."""
    rule, equivalence = (shlex.split(one) for one in command.split(" && "))
    assert rule[:6] == ["semanage", "fcontext", "-a", "-f", "s", "-t"]
    assert equivalence[:4] == ["semanage", "fcontext", "-a", "-e"]
    (root.files / "file_contexts.local").write_text("%s -s system_u:object_r:%s:s0\n" % (rule[7], rule[6]))
    (root.files / "file_contexts.subs").write_text("%s %s\n" % (equivalence[5], equivalence[4]))


@pytest.mark.parametrize("kind", ["any", "socket", "file"])
def test_a_literal_rule_of_the_policy(root, tool, kind):
    """libselinux 3.8 and 3.8.1 prefer it to a local one, but for a local one for sockets over one for all files.

    It gives no label: one that does is the policy's own word, and counts.
    """
    root.rule("/run/foo\\.sock", kind, "()")
    root.profile("foo", PROFILE)
    done = tool("register")
    if behaviour.label_order().local_wins or kind != "socket":
        file_type = "" if behaviour.label_order().local_wins or kind == "file" else "-s "
        assert root.local_rules() == ["/run/foo\\.sock %s%s" % (file_type, OTHER)]
        assert (done["status"], lookup(root, "/run/foo.sock")) == (0, OTHER)
        state = root.state()
        assert actions(tool("register")) == [("/run/foo\\.sock", "keep")]
        assert (tool("repair")["plan"], root.state()) == ([], state)
        tool("unregister")
        assert root.local_rules() == []
        return
    assert (done["status"], actions(done), root.local_rules()) == (0, [("/run/foo\\.sock", "skip")], [])
    reason = done["rules"][0]["reason"]
    assert reason.startswith("on this libselinux a local rule for /run/foo.sock has no effect: %s/file_contexts:"
                             % root.files)
    status = tool("status")["sockets"][0]
    assert (status["problem"], status["remedy"]) == ("shadowed", reason)
    assert lookup(root, "/run/foo.sock") == "None"
    by_hand(root, reason[reason.index("semanage"):])
    assert lookup(root, "/run/foo.sock") == OTHER


@pytest.mark.parametrize("kind", ["any", "socket"])
def test_a_local_rule_beside_the_policys(root, kind):
    """The file type that is said to win does win."""
    root.rule("/run/foo\\.sock", kind)
    database = labeldatabase.LabelDatabase(str(root.path), "default")
    from foreman_selinux_helpers.model import winner

    library = winner.Library(behaviour.regex_matches, behaviour.label_order)
    found, better = winner.local_file_type(database.rules(), "/run/foo.sock", database.file(".local"), library)
    for file_type, written in (("all", ""), ("socket", "-s ")):
        (root.files / "file_contexts.local").write_text("/run/foo\\.sock %s%s\n" % (written, OTHER))
        wins = lookup(root, "/run/foo.sock") == OTHER
        assert wins == (found is not None and file_type in (found, "socket"))
    assert (found is None) == (better is not None)


def test_explain_names_no_rule_that_contradicts_libselinux(root, tool):
    """Here libselinux reads the compiled file, which is newer than the text but says something else."""
    root.rule("/run/foo\\.sock")
    file = root.files / "file_contexts"
    compiled = os.stat(str(file) + ".bin").st_mtime
    file.write_text(file.read_text().replace(CONTEXT, OTHER))
    os.utime(str(file), (compiled - 9, compiled - 9))
    found = tool("explain", "/run/foo.sock")
    assert (found["expected"], found["rule"], found["rule_untold"]) == (CONTEXT, None, True)
    assert found["beaten"][0]["context"] == OTHER
    assert "libselinux answers %s for /run/foo.sock; which rule this comes from could not be determined" % CONTEXT \
        in found["notes"]
    right = tool("explain", "/run/setrans")
    assert (right["rule_untold"], right["rule"]["context"]) == (False, right["expected"])
