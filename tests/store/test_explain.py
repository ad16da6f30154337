"""What explain says of paths in an alternate root with a real policy: every cause that lies in the rules."""

import json
import os
import subprocess
import sys

import pytest

from .. import policyroot

PROFILE = "[foo.socket]\ntype = foo_var_run_t\npath = /run/foo.sock\n"
CONTEXT = "system_u:object_r:foo_var_run_t:s0"
FIELDS = {"schema", "command", "ok", "changed", "path", "canonical", "substitutions", "rule", "beaten", "expected",
          "path_label", "socket_label", "unit", "cause", "remedy"}
RULE = {"file", "line", "regex", "file_type", "context"}


def local(root, *lines):
    (root.files / "file_contexts.local").write_text("".join(line + "\n" for line in lines))


def line_of(root, rule):
    """Return what stands where the document says."""
    with open(rule["file"]) as stream:
        return stream.read().split("\n")[rule["line"] - 1].split()


@pytest.mark.parametrize("turned", [False, True], ids=["debian", "el"])
@pytest.mark.parametrize(("kind", "aliased", "cause"), [
    ("file", False, "wrong-file-type"), ("any", True, "aliased-path"), (None, False, "no-rule")])
def test_the_historical_rules(root, tool, turned, kind, aliased, cause):
    if turned:
        root.turn_equivalence_round()
    canonical, other = ("/var/run", "/run") if turned else ("/run", "/var/run")
    if kind:
        root.rule((other if aliased else canonical) + "/foo\\.sock", kind)
    bare = tool("explain", "/run/foo.sock")
    if kind:  # the rule says what is meant, even where no profile does
        assert (bare["status"], bare["cause"]) == (1, cause)
        assert bare["command_to_run"] == (
            "chroot %s semanage fcontext -a -t foo_var_run_t '%s/foo\\.sock'" % (root.path, canonical))
    else:
        assert (bare["status"], bare["cause"], bare["remedy"]) == (0, None, None)

    root.profile("foo", PROFILE)
    status = tool("status")["sockets"][0]
    for path in ("/run/foo.sock", "/var/run/foo.sock"):
        found = tool("explain", path)
        assert set(found) >= FIELDS
        assert (found["schema"], found["command"], found["ok"], found["changed"]) == (1, "explain", False, False)
        assert (found["status"], found["cause"], found["remedy"]) == (
            1, cause, "foreman-selinux-helpers --root %s repair foo.socket" % root.path)
        assert (status["problem"], status["remedy"]) == (found["cause"], found["remedy"])
        assert (found["path"], found["canonical"]) == (path, canonical + "/foo.sock")
        assert (found["expected"], found["unit"], found["type"]) == (status["expected"], "foo.socket", "foo_var_run_t")
        assert [(one["from"], one["to"]) for one in found["substitutions"]] == (
            [] if path.startswith(canonical) else [(other, canonical)])
        for one in found["substitutions"]:
            assert line_of(root, one) == [one["from"], one["to"]]
        for one in [found["rule"], *found["beaten"], *found["other_file_types"]]:
            assert set(one) == RULE
            assert line_of(root, one)[0] == one["regex"]
            assert line_of(root, one)[-1] == one["context"]
        assert [one["regex"] for one in found["other_file_types"]] == (
            ["/run/foo\\.sock".replace("/run", canonical)] if kind == "file" else [])
    # What is printed is what is to be typed.
    assert tool("register")["status"] == 0
    found = tool("explain", "/run/foo.sock")
    assert (found["status"], found["ok"], found["cause"], found["expected"]) == (0, True, None, CONTEXT)
    assert (found["rule"]["file"], found["rule"]["regex"]) == (
        str(root.files / "file_contexts.local"), canonical + "/foo\\.sock")


@pytest.mark.parametrize("turned", [False, True], ids=["debian", "el"])
def test_a_rule_with_two_faults_is_told_both(root, tool, turned):
    """foreman-selinux before a74b248: for regular files, and on the substituted side."""
    if turned:
        root.turn_equivalence_round()
    canonical, other = ("/var/run", "/run") if turned else ("/run", "/var/run")
    root.rule(other + "/foo\\.sock", "file")
    for profile in (None, PROFILE):
        if profile:
            root.profile("foo", profile)
        found = tool("explain", "/run/foo.sock")
        assert (found["status"], found["cause"]) == (1, "aliased-path")
        assert "libselinux turns %s/foo.sock into %s/foo.sock" % (other, canonical) in found["why"]
        assert "it is for one file type alone (file)" in found["why"]
    (added,) = tool("register", "--dry-run")["rules"]
    assert "%s/foo.sock, which libselinux turns into %s/foo.sock, and for type 'file' only" % (other, canonical) in added["reason"]
    # With a rule beside it that has one of the faults alone, that one is told.
    root.rule(other + "/foo\\.soc.", "any")
    found = tool("explain", "/run/foo.sock")
    assert (found["cause"], "one file type" in found["why"]) == ("aliased-path", False)


@pytest.mark.parametrize(("rule", "command"), [
    ("/run/foo\\.sock  -s  system_u:object_r:var_t:s0",
     "semanage fcontext -m -f s -t foo_var_run_t '/run/foo\\.sock'"),
    ("/run/foo\\.sock  system_u:object_r:var_t:s0", "semanage fcontext -m -f a -t foo_var_run_t '/run/foo\\.sock'"),
    ("/run/foo.*  system_u:object_r:var_t:s0", "semanage fcontext -a -t foo_var_run_t '/run/foo\\.sock'"),
])
def test_the_administrators_rule_shadows(root, tool, rule, command):
    local(root, rule)
    root.profile("foo", PROFILE)
    status = tool("status")["sockets"][0]
    found = tool("explain", "/run/foo.sock")
    assert (found["status"], found["cause"], found["command_to_run"]) == (
        1, "shadowed", "chroot %s %s" % (root.path, command))
    assert (status["problem"], status["remedy"]) == (found["cause"], found["remedy"])
    assert rule in found["why"]
    assert found["rule"]["file"].endswith("file_contexts.local")
    # The command's rule, as semanage would write it, ends it.
    kept = [] if "-m" in command else [rule]
    file_type = "  -s" if "-f s" in command else ""
    local(root, *kept, "/run/foo\\.sock%s  %s" % (file_type, CONTEXT))
    assert tool("explain", "/run/foo.sock")["cause"] is None


def test_another_rule_of_the_policy_shadows(root, tool):
    root.rule("/run/foo.*")
    file = root.files / "file_contexts"
    os.unlink(str(file) + ".bin")
    file.write_text(file.read_text() + "/run/foo\\.soc.*  system_u:object_r:var_t:s0\n")
    root.profile("foo", PROFILE)
    found = tool("explain", "/run/foo.sock")
    assert (found["cause"], found["command_to_run"]) == (
        "shadowed", "foreman-selinux-helpers --root %s repair foo.socket" % root.path)
    assert tool("status")["sockets"][0]["problem"] == "shadowed"
    assert (found["rule"]["regex"], found["beaten"][0]["regex"]) == ("/run/foo\\.soc.*", "/run/foo.*")


def test_a_type_that_the_policy_does_not_have_is_not_wrong_where_nobody_listens(root, tool):
    root.profile("foo", PROFILE.replace("foo_var_run_t", "nonexistent_t"))
    found = tool("explain", "/run/foo.sock")
    assert (found["status"], found["cause"], tool("status")["sockets"][0]["problem"]) == (0, None, None)


@pytest.mark.parametrize(("path", "kind", "regex"), [
    ("/etc/shadow", "file", "/etc/shadow.*"), ("/etc", "directory", "/etc"), ("/", "directory", "/"),
    ("/usr/lib64/libc.so.6", "file", "/usr/lib/.*"), ("/run/foo/bar", "socket", "/run/.*"),
    ("//etc//shadow/", "file", "/etc/shadow.*"), ("/dev/null", "character device", "/dev/null")])
def test_paths_that_nobody_claims(root, tool, path, kind, regex):
    found = tool("explain", "--as", kind, path)
    assert (found["status"], found["cause"], found["file_type"]) == (0, None, kind)
    assert found["rule"]["regex"] == regex
    assert found["expected"] == (None if found["rule"]["context"] == "<<none>>" else found["rule"]["context"])


def test_the_file_type_is_that_of_what_is_there(root, tool):
    assert tool("explain", "/etc/selinux")["file_type"] == "directory"
    assert tool("explain", "/etc/selinux/config")["file_type"] == "file"
    found = tool("explain", "--as", "socket", "/etc/selinux/config")
    assert found["file_type"] == "socket"
    assert "another file type: file" in " ".join(found["notes"])
    os.symlink("/etc", str(root.path / "out"))
    assert tool("explain", "/out/passwd")["exists"] is False  # not this host's
    os.symlink("nowhere", str(root.path / "link"))
    found = tool("explain", "/link")
    assert (found["file_type"], "symbolic link to nowhere" in " ".join(found["notes"])) == ("symlink", True)


def test_a_broken_regex_is_named(root, tool):
    os.unlink(str(root.files / "file_contexts.bin"))
    file = root.files / "file_contexts"
    file.write_text(file.read_text() + "/run/other(  u:r:t\n")
    found = tool("explain", "/run/setrans/foo.sock")
    line = len(file.read_text().split("\n")) - 1
    assert (found["status"], found["rule"], found["expected"]) == (0, None, None)
    assert any("fails at the regex of %s:%d" % (file, line) in note for note in found["notes"])


def shown(root, *arguments):
    code = "import sys; sys.path.insert(0, %r)\nfrom foreman_selinux_helpers.cli import main\nsys.exit(main())" % str(
        policyroot.TOP)
    return subprocess.run([sys.executable, "-Ic", code, "--root", str(root.path), *arguments], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True, timeout=60)


def test_the_story_fits_the_terminal_and_says_what_the_document_says(root, tool):
    root.rule("/run/foo\\.sock", "file")
    root.profile("foo", PROFILE)
    document = tool("explain", "/var/run/foo.sock")
    done = shown(root, "explain", "/var/run/foo.sock")
    assert (done.returncode, done.stderr) == (1, "")
    assert "\033" not in done.stdout
    lines = done.stdout.split("\n")
    # Only what is one word (a path, a label) and the command to copy may be longer.
    assert all(len(line) <= 80 or " " not in line.strip() or line.strip() == document["remedy"] for line in lines)
    words = " ".join(done.stdout.split())
    for part in (document["why"], "WRONG: wrong-file-type", document["remedy"], "/var/run stands for /run",
                 "%s:%d" % (document["rule"]["file"], document["rule"]["line"]), "<<none>>"):
        assert " ".join(part.split()) in words


@pytest.mark.parametrize("argv", [
    ["explain"], ["explain", "relative"], ["explain", ""], ["explain", "/run/../etc"], ["explain", "/run/\udcff"],
    ["explain", "--as", "nonsense", "/run/x"], ["explain", "/a", "/b"]])
def test_wrong_usage(root, argv):
    done = shown(root, *argv)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done


def test_json_is_one_document(root):
    done = shown(root, "--json", "explain", "/run/foo.sock")
    assert json.loads(done.stdout)["command"] == "explain"
