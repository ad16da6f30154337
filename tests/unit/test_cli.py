import json
import os
import subprocess
import sys

import pytest

from foreman_selinux_helpers import cli, options, verbs
from foreman_selinux_helpers.model import errors
from foreman_selinux_helpers.sources import hostkind
from foreman_selinux_helpers.sources.host import HostSource

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# The command itself, in the interpreter that tests it.
OUTPUT = "import sys; sys.path.insert(0, %r); exec(open(%r).read())" % (TOP, os.path.join(TOP, "bin/foreman-selinux-helpers"))


@pytest.fixture
def root(tmp_path):
    """Return an empty root directory: no policy, no profiles."""
    return str(tmp_path)


@pytest.mark.parametrize("argv", [
    [], ["nonsense"], ["--timeout", "x", "status"], ["--timeout", "0", "status"], ["-v", "-q", "status"],
    ["--root", "/nowhere/at/all", "status"], ["status", "no-such-name"], ["restart"], ["restart", "x.service"],
    ["detect", "--dry-run"]])
def test_wrong_usage_is_one_line_and_exit_status_2(argv, capsys, root):
    if "--root" not in argv:
        argv = ["--root", root, *argv]
    assert cli.main(argv) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "Traceback" not in err


@pytest.mark.parametrize("verb", ["repair", "register", "unregister", "reexec", "restart x.socket"])
def test_changing_needs_root(verb, monkeypatch, root, capsys):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert cli.main(["--root", root, *verb.split()]) == 3
    assert "needs root" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["status", "repair", "register", "unregister", "detect", "restart x.socket",
                                  "repair --dry-run", "register --dry-run"])
def test_a_root_directory_without_a_policy(verb, root, capsys):
    if os.geteuid() != 0 and "dry" not in verb and verb not in ("status", "detect"):
        pytest.skip("needs root")
    assert cli.main(["--json", "--root", root, *verb.split()]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["schema"], document["command"], document["ok"], document["changed"], document["source"]) == (
        1, verb.split()[0], True, False, "image")
    assert cli.main(["--root", root, *verb.split()]) == 0
    assert "Traceback" not in capsys.readouterr().err


def test_reexec_is_refused_in_an_image(root, capsys):
    if os.geteuid() != 0:
        pytest.skip("needs root")
    assert cli.main(["--json", "--root", root, "reexec"]) == 4
    (result,) = json.loads(capsys.readouterr().out)["results"]
    assert (result["outcome"], result["guard"]) == ("refused", "chroot-or-image")


def test_a_broken_profile_is_said_and_the_rest_is_served(root, capsys):
    directory = os.path.join(root, "usr/share/foreman-selinux-helpers/profiles.d")
    os.makedirs(directory)
    with open(os.path.join(directory, "bad.conf"), "w") as stream:
        stream.write("[x.socket]\ntype = a b\n")
    assert cli.main(["--json", "--root", root, "status"]) == 2
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert document["broken_profiles"][0]["line"] == 2
    assert "bad.conf:2:" in err
    assert not document["ok"]


def test_bugs_are_one_line(monkeypatch, root, capsys):
    def broken(*_):
        raise ZeroDivisionError("bug")
    monkeypatch.setattr(hostkind, "read", broken)
    assert cli.main(["--root", root, "status"]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "ZeroDivisionError" in err


def test_interrupting_is_no_traceback(monkeypatch, root, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt
    monkeypatch.setattr(HostSource, "read", interrupted)
    assert cli.main(["--root", root, "status"]) == 130
    assert capsys.readouterr().err.count("\n") == 1


def test_help_and_version(capsys):
    for option in ("--help", "--version"):
        with pytest.raises(SystemExit) as raised:
            cli.main([option])
        assert raised.value.code == 0
    assert "repair" in capsys.readouterr().out


@pytest.mark.parametrize(("where", "status", "said"), [
    (">&-", 0, ""), (">/dev/full", 1, "cannot be written: No space left on device"), ("| :", 1, ""),
    (">&- 2>&-", 0, ""), ("2>/dev/full", 0, "")])
def test_an_output_that_cannot_be_written_is_at_most_one_line(where, status, said, root):
    shell = "set -o pipefail; sleep_then() { sleep 0.3; \"$@\"; }; sleep_then %s -c '%s' --root %s detect %s" % (
        sys.executable, OUTPUT.replace("'", '"'), root, where)
    done = subprocess.run(["/bin/bash", "-c", shell], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    assert done.returncode == status
    assert said in done.stderr.decode()
    assert done.stderr.count(b"\n") == (1 if said else 0)


@pytest.mark.parametrize(("where", "status", "said"), [
    (">/dev/full", 1, "cannot be written: No space left on device"), ("| :", 1, ""), (">&-", 0, "")])
def test_help_that_cannot_be_written_is_at_most_one_line(where, status, said):
    for option in ("--help", "--version", "repair --help"):
        shell = "set -o pipefail; (sleep 0.3; %s -c '%s' %s) %s" % (
            sys.executable, OUTPUT.replace("'", '"'), option, where)
        done = subprocess.run(["/bin/bash", "-c", shell], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        assert (done.returncode, done.stderr.count(b"\n")) == (status, 1 if said else 0), done
        assert said in done.stderr.decode()


def test_a_locale_that_knows_ascii_alone(root):
    """Python 3.6 has no other encoding in the locale C."""
    directory = os.path.join(root, "usr/share/foreman-selinux-helpers/profiles.d")
    os.makedirs(directory)
    with open(os.path.join(directory, "odd.conf"), "wb") as stream:
        stream.write("[é.socket]\n".encode())
    done = subprocess.run([sys.executable, "-c", OUTPUT, "--root", root, "status"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False,
                          env={"LC_ALL": "C", "PYTHONIOENCODING": "ascii:strict", "PYTHONCOERCECLOCALE": "0"})
    assert done.returncode == 2
    assert b"internal error" not in done.stderr


def test_options_are_not_guessed(root):
    for argv in (["--root", root, "repair", "--dryrun"], ["--root", root, "repair", "--dry"], ["--roo", root, "status"]):
        assert cli.main(argv) == 2


@pytest.mark.parametrize("argv", [
    "repair a b --dry-run --json -q --root / --timeout 5", "--json -q --root / --timeout 5 repair a b --dry-run",
    "--dry-run --json repair --root / a -q --timeout 5 b", "--root=/ -q repair --timeout=5 a --json b --dry-run",
    "--root /nowhere --json --timeout 9 repair -q --dry-run --root / a --timeout 5 --json -- b"])
def test_options_stand_anywhere_and_the_last_of_one_counts(argv):
    assert vars(cli.parse(argv.split())) == {
        "verb": "repair", "names": ["a", "b"], "all": False, "dry_run": True, "json": True, "quiet": True, "verbose": False,
        "root": "/", "sos": None, "timeout": 5.0}


def test_words_of_a_verb_may_look_like_anything():
    for argv in (["explain", "--", "--json"], ["--client", "status", "explain", "--as=pipe", "--", "--json"],
                 ["--", "explain", "--json"]):
        found = cli.parse(argv)
        assert (found.verb, found.path, found.json) == ("explain", "--json", False)
    assert cli.parse(["lint", "status", "--target", "el7", "-", "--units", "lint"]).files == ["status", "-"]
    assert cli.parse(["--root", "detect", "status", "repair"]).names == ["repair"]


@pytest.mark.parametrize("argv", [
    ["-v", "status", "-q"], ["status", "-q", "-v"], ["status", "--root"], ["status", "x", "--timeout"],
    ["--timeout", "--json", "status"], ["detect", "x"], ["detect", "--", "-x"], ["status", "--client", "x_t"],
    ["--json=yes", "status"], ["-", "status"], ["explain", "/a", "/b"], ["lint", "--json"]])
def test_what_contradicts_or_is_missing(argv, capsys):
    assert cli.main(argv) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("verb", ["status", "repair", "register", "unregister"])
@pytest.mark.parametrize("argv", [
    "", "a", "--json", "-q a b", "--verbose -v", "--dry-run --quiet", "--timeout 5 a --timeout 7.5", "--timeout 0",
    "--timeout", "--timeout=9", "-v --quiet", "--json=1", "-- a", "-- -a", "--root /x", "--sos /x", "--nonsense", "-qv", "--all"])
def test_a_plain_command_line_means_what_argparse_says(verb, argv):
    def parsed():
        try:
            return vars(cli.parse([verb, *argv.split()]))
        except errors.HelperError as error:
            return str(error)

    quickly = parsed()
    with pytest.MonkeyPatch().context() as patched:
        patched.setattr(cli, "_plain", lambda *_: None)
        assert parsed() == quickly


def test_argparse_is_loaded_only_where_it_is_needed():
    for argv, loaded in (("--quiet --timeout 60 repair", False), ("register foreman", False), ("detect", True)):
        code = "import sys; sys.path.insert(0, %r); from foreman_selinux_helpers import cli; cli.parse(%r)\n" % (
            TOP, argv.split())
        code += "print('argparse' in sys.modules)"
        assert subprocess.check_output([sys.executable, "-Sc", code]).decode().strip() == str(loaded)


def test_all_options_with_a_value_are_known():
    """Else their value would be taken for the verb."""
    for verb in verbs.NAMES:
        valued = [name for one in options.parser(verb, print)._actions if one.nargs != 0 for name in one.option_strings]
        assert {"--root", "--timeout"} <= set(valued)
        for option in valued:
            assert cli._split([option, "lint", verb, "--json"]) == ([option, "lint", "--json"], [verb]), option


# -- what a failed run prints --------------------------------------------------------------------


def failed(argv, capsys):
    """Run a command that fails; return its exit status and its document."""
    status = cli.main(argv)
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert (document["schema"], document["ok"]) == (1, False)
    assert err == "foreman-selinux-helpers: %s\n" % document["error"]
    root = argv[argv.index("--root") + 1] if "--root" in argv[:-1] else "/"
    assert document["source"] in (None, "host" if root == "/" else "image")
    return status, document


@pytest.mark.parametrize(("argv", "verb"), [
    ([], None), (["nonsense"], None), (["--timeout", "x", "status"], "status"), (["-v", "status", "-q"], "status"),
    (["--root", "/nowhere/at/all", "status"], "status"), (["status", "no-such\nname"], "status"),
    (["repair", "no-such-name"], "repair"), (["restart", "x.service"], "restart"), (["lint"], "lint"),
    (["lint", "x.fc", "--units", "/nowhere"], "lint"), (["explain", "no-path"], "explain"), (["--root"], None)])
def test_wrong_usage_is_a_document_where_one_is_wanted(argv, verb, capsys):
    for one in (["--json", *argv], [*argv, "--json"] if argv[-1:] != ["--root"] else ["--json", *argv]):
        status, document = failed(one, capsys)
        assert (status, document["command"], document["changed"]) == (2, verb, False)


def test_a_path_that_is_called_json_asks_for_no_document(capsys):
    assert cli.main(["explain", "--", "--json"]) == 2
    assert capsys.readouterr().out == ""


def test_a_document_for_who_is_not_root(monkeypatch, capsys):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    status, document = failed(["repair", "--json"], capsys)
    assert (status, document["command"], document["changed"]) == (3, "repair", False)


@pytest.mark.parametrize(("accident", "status"), [
    (KeyboardInterrupt(15), 143), (KeyboardInterrupt, 130), (ZeroDivisionError("bug"), 1),
    (errors.DeadlineExceeded("the time is\nup"), 1), (errors.PolicyStoreError("\udcff"), 1)])
@pytest.mark.parametrize(("verb", "changed"), [("status", False), ("repair", None), ("repair --dry-run", False)])
def test_a_run_that_is_cut_short_is_a_document(accident, status, verb, changed, monkeypatch, root, capsys):
    if os.geteuid() != 0 and changed is None:
        pytest.skip("needs root")

    def cut_short(*_):
        raise accident
    monkeypatch.setattr(HostSource, "read", cut_short)
    found, document = failed(["--root", root, *verb.split(), "--json", "-q"], capsys)
    assert (found, document["command"], document["changed"]) == (status, verb.split()[0], changed)
    assert cli.main(["--root", root, *verb.split()]) == status
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("accident", [KeyboardInterrupt(15), OSError(28, "No space left on device"), ZeroDivisionError])
def test_no_second_document_follows(accident, monkeypatch, root, capsys):
    """What was begun may be whole."""
    def write(content):
        sys.stdout.write(content[:3])
        raise accident
    monkeypatch.setattr(cli, "_write", write)
    assert cli.main(["--root", root, "--json", "status"]) != 0
    assert capsys.readouterr().out == '{\n '


def test_a_document_of_a_failure_that_cannot_be_written(root):
    for where, status in ((">/dev/full", 2), (">&-", 2), ("| :", 2)):
        shell = "set -o pipefail; (sleep 0.3; %s -c '%s' --root %s status nothing --json) %s" % (
            sys.executable, OUTPUT.replace("'", '"'), root, where)
        done = subprocess.run(["/bin/bash", "-c", shell], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        assert (done.returncode, done.stderr.count(b"\n")) == (status, 1), done


def test_a_root_that_cannot_be_used_is_wrong_usage(tmp_path, monkeypatch, capsys):
    odd, gone = os.fsencode(str(tmp_path)) + b"/\xff", tmp_path / "gone"
    os.mkdir(odd)
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    for root in (os.fsdecode(odd), "."):
        assert cli.main(["--root", root, "status"]) == 2
        assert "cannot be used" in capsys.readouterr().err


def test_an_empty_root_is_not_the_current_directory(capsys):
    assert cli.main(["--root", "", "status"]) == 2
    assert "no such directory" in capsys.readouterr().err


# -- the table of verbs ------------------------------------------------------------------------


def test_only_the_module_of_the_verb_is_imported():
    """Start-up time is paid in every transaction of rpm."""
    for verb in verbs.NAMES:
        words = [verb] + {"restart": ["x.socket"], "explain": ["/x"], "lint": ["x.fc"]}.get(verb, [])
        code = "import sys; sys.path.insert(0, %r); from foreman_selinux_helpers import cli; cli.parse(%r)\n" % (TOP, words)
        code += "print([one for one in %r if 'foreman_selinux_helpers.verbs.' + one in sys.modules])" % (verbs.NAMES,)
        assert subprocess.check_output([sys.executable, "-c", code]).decode().strip() == repr([verb])


def test_every_module_that_declares_a_verb_is_in_the_table():
    directory = os.path.dirname(verbs.__file__)
    modules = [name[:-len(".py")] for name in sorted(os.listdir(directory)) if name.endswith(".py")]
    declaring = []
    for name in modules:
        with open(os.path.join(directory, name + ".py"), encoding="utf-8") as stream:
            declaring += [name] if "\nVERB = " in stream.read() else []
    assert declaring == sorted(verbs.NAMES)
    assert [verb for verb in verbs.NAMES if verbs.load(verb).changes] == [
        "repair", "register", "unregister", "reexec", "restart"]


@pytest.mark.parametrize(("root", "source"), [("/.", "host"), ("/tmp/..", "host"), ("", None), ("/nonexistent", "image")])
def test_the_source_of_a_run_that_fails_is_that_of_one_that_does_not(capsys, root, source):
    assert cli.main(["--root", root, "status", "nosuch", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["source"] == source
