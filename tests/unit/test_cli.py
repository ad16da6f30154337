import json
import os
import subprocess
import sys

import pytest

from foreman_selinux_helpers import cli, host, observe

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OUTPUT = "import sys; sys.path.insert(0, %r); from foreman_selinux_helpers.cli import main; sys.exit(main())" % TOP


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
    assert (document["schema"], document["command"], document["ok"], document["changed"]) == (
        1, verb.split()[0], True, False)
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
    monkeypatch.setattr(host, "look", broken)
    assert cli.main(["--root", root, "status"]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "ZeroDivisionError" in err


def test_interrupting_is_no_traceback(monkeypatch, root, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt
    monkeypatch.setattr(observe, "observe", interrupted)
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


def test_options_come_before_the_verb_and_are_not_guessed(root):
    for argv in (["status", "--json"], ["--root", root, "repair", "--dryrun"]):
        assert cli.main(argv) == 2


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
