import json
import os
import struct
import subprocess
import sys

import pytest

from foreman_selinux_helpers import cli
from foreman_selinux_helpers.lint.targets import TARGETS
from foreman_selinux_helpers.sources import fcfiles

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
CONTEXT = "gen_context(system_u:object_r:foreman_var_run_t,s0)"
GOOD = "/var/lib/foreman(/.*)?  %s\n" % CONTEXT
BAD = "/run/foreman\\.sock  --  %s\n" % CONTEXT


@pytest.fixture
def at(tmp_path, monkeypatch):
    """Return a function that writes a file below the current directory, which is an empty root as well."""
    monkeypatch.chdir(tmp_path)

    def write(name, content):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content, encoding="utf-8")
    return write


def run(capsys, *arguments, root="."):
    status = cli.main(["--root", root, *arguments])
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return status, out, err


def document(capsys, *arguments, root="."):
    status = cli.main(["--json", "--root", root, "lint", *arguments])
    return status, json.loads(capsys.readouterr().out)


def install_policy(at, subs="/run /var/run\n"):
    at("etc/selinux/config", "SELINUX=enforcing\nSELINUXTYPE=targeted\n")
    at("etc/selinux/targeted/contexts/files/file_contexts", "")
    at("etc/selinux/targeted/contexts/files/file_contexts.subs_dist", subs)
    name = b"foreman_var_run_t"
    at("etc/selinux/targeted/policy/policy.33", struct.pack("<4I", len(name), 1, 1, 0) + name)


def test_nothing_found(at, capsys):
    at("a.fc", GOOD)
    status, out, err = run(capsys, "lint", "a.fc")
    assert (status, err) == (0, "")
    assert out.split("\n")[-2] == "1 file, 1 rule: nothing found (%s)" % ", ".join(TARGETS)
    assert run(capsys, "-q", "lint", "a.fc") == (0, "", "")


def test_what_is_found_is_one_line_each_with_what_mends_it_below(at, capsys):
    at("a.fc", "# comment\n" + BAD + "/var/lib/a.b  %s\n" % CONTEXT)
    status, out, _ = run(capsys, "lint", "--target", "el8", "--target", "el10", "a.fc")
    assert status == 1
    lines = out.split("\n")
    assert lines[0].startswith("a.fc:2: aliased-path: /run stands for /var/run")
    assert lines[0].endswith("[el8]")
    assert lines[1].startswith("a.fc:2: regular-file-only: ")
    assert not lines[1].endswith("]")  # it holds for both
    assert lines[2:4] == ["    /run/foreman\\.sock  -s  " + CONTEXT, "    /var/run/foreman\\.sock  -s  " + CONTEXT]
    assert lines[4].startswith("a.fc:3: unescaped-dot: ")
    assert lines[5] == "    /var/lib/a\\.b  " + CONTEXT
    assert lines[-2] == "1 file, 2 rules: 3 findings (el8, el10)"


def test_the_document(at, capsys):
    at("a.fc", BAD)
    status, found = document(capsys, "--target", "el8", "a.fc", "a.fc")
    assert status == 1
    assert (found["schema"], found["command"], found["ok"], found["changed"], found["targets"]) == (
        1, "lint", False, False, ["el8"])
    (alias, kind) = found["findings"]
    assert {key: alias[key] for key in ("file", "line", "code", "suggestion", "targets")} == {
        "file": "a.fc", "line": 1, "code": "aliased-path", "targets": ["el8"],
        "suggestion": "/var/run/foreman\\.sock  -s  " + CONTEXT}
    assert kind["code"] == "regular-file-only"
    at("b.fc", GOOD)
    status, found = document(capsys, "b.fc")
    assert (status, found["ok"], found["findings"]) == (0, True, [])


@pytest.mark.parametrize(("name", "content", "said"), [
    ("gone.fc", None, "gone.fc: cannot be read: No such file or directory"),
    ("dir.fc/x", "", "dir.fc: cannot be read: it is not a regular file"),
    ("bin.fc", b"/a u:r:t\n\x7fELF\x01", "bin.fc:2: is not text: byte 10 is 0x7f"),
    ("utf16.fc", "/a u:r:t\n".encode("utf-16"), "utf16.fc:1: is not text: byte 4 is 0x00"),
    ("cut.fc", "/a u:r:t\nifdef(`distro_redhat',`\n/b u:r:t\n", "cut.fc:2: this quote ` is never closed"),
    ("big.fc", b"\n" * (fcfiles.MAX_SIZE + 1), "big.fc: is larger than 2 MiB"),
    ("\udcff.fc", None, "\\udcff.fc: cannot be read"),
], ids=["gone", "directory", "binary", "utf16", "cut", "big", "name"])
def test_a_file_that_cannot_be_read_is_one_line_and_the_others_are_judged(at, capsys, name, content, said):
    at("a.fc", BAD)
    if content is not None:
        at(name, content)
    name = name.split("/")[0]
    status, out, err = run(capsys, "lint", name, "a.fc")
    assert status == 2
    assert err.count("\n") == 1
    assert said in err
    assert "a.fc:1: regular-file-only" in out
    status, found = document(capsys, name, "a.fc")
    assert status == 2
    assert not found["ok"]
    (broken,) = found["broken_files"]
    assert broken["file"] == name
    assert {one["file"] for one in found["findings"]} == {"a.fc"}


def test_a_pipe_is_no_file(at, capsys):
    os.mkfifo("pipe.fc")
    status, _, err = run(capsys, "lint", "pipe.fc")
    assert (status, err.count("\n")) == (2, 1)
    assert "not a regular file" in err


def test_odd_characters_reach_no_terminal(at, capsys):
    at("a.fc", "/a\u009b31m  <nothing\u202e>\n".encode())
    status, out, _ = run(capsys, "lint", "a.fc")
    assert status == 1
    assert out.replace("\n", "").isprintable()


@pytest.mark.parametrize("arguments", [
    [], ["--target", "el6", "a.fc"], ["--units", "gone", "a.fc"], ["--target", "host", "a.fc"], ["--units", "a.fc", "a.fc"]])
def test_wrong_usage(at, capsys, arguments):
    at("a.fc", GOOD)
    status, out, err = run(capsys, "lint", *arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)


def test_units_say_which_paths_are_sockets(at, capsys):
    at("a.fc", "/run/foo/control  --  %s\n/run/foo/other  --  %s\n" % (CONTEXT, CONTEXT))
    at("units/foo.socket", "[Socket]\nListenStream=/run/foo/old\n")
    at("units/foo.socket.d/20-last.conf", "[Socket]\nListenStream=%t/foo/control\n")
    at("units/foo.socket.d/10-first.conf", "[Socket]\nListenStream=\nListenStream=/run/foo/other\n")
    at("units/foo.socket.d/readme", "[Socket]\nListenStream=\n")
    at("units/foo.service", "[Socket]\nListenStream=/run/foo/none\n")
    os.symlink(os.devnull, "units/masked.socket")
    found = document(capsys, "--units", "units", "--target", "fedora", "a.fc")[1]["findings"]
    assert [(one["line"], one["code"]) for one in found] == [(1, "regular-file-only"), (2, "regular-file-only")]
    assert "foo.socket listens on /run/foo/control" in found[0]["message"]
    os.symlink(os.devnull, "units/foo.socket.d/30-masked.conf")
    at("units/foo.socket.d/40-reset.conf", "[Socket]\nListenStream=\n")
    assert document(capsys, "--units", "units", "--target", "fedora", "a.fc")[0] == 0


def test_a_unit_that_cannot_be_read(at, capsys):
    at("a.fc", GOOD)
    at("units/foo.socket/x", "")
    at("units/bar.socket.d", "")
    status, _, err = run(capsys, "lint", "--units", "units", "a.fc")
    assert (status, err.count("\n")) == (2, 2)


def test_the_host_s_own_substitutions(at, capsys):
    install_policy(at, subs="/var/run /run\n")
    at("etc/selinux/targeted/contexts/files/file_contexts.subs", "/srv /var/lib\n")
    at("a.fc", "/run/a  %s\n/srv/a  %s\n" % (CONTEXT, CONTEXT))
    status, found = document(capsys, "--target", "host", "a.fc")
    assert (status, found["targets"]) == (1, ["host"])
    (one,) = found["findings"]
    assert (one["line"], one["suggestion"]) == (2, "/var/lib/a  " + CONTEXT)
    assert document(capsys, "a.fc")[1]["targets"] == [*TARGETS, "host"]


def test_substitutions_of_the_host_that_are_cut_off(at, capsys):
    install_policy(at, subs="/var/run")
    at("a.fc", GOOD)
    status, out, err = run(capsys, "lint", "--target", "host", "a.fc")
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert run(capsys, "lint", "--target", "el8", "a.fc")[0] == 0


def test_types_are_looked_for_in_the_policy_and_beside_the_file(at, capsys):
    install_policy(at)
    text = "".join("/var/lib/%s  gen_context(system_u:object_r:%s,s0)\n" % (name, name) for name in (
        "foreman_var_run_t", "own_t", "httpd_mine_content_t", "gone_t"))
    at("a.fc", text)
    at("a.te", "policy_module(a, 1.0)\ntype own_t;\napache_content_template(mine)\n")
    at("b.fc", text)
    found = document(capsys, "a.fc", "b.fc")[1]["findings"]
    assert [(one["file"], one["line"], one["code"]) for one in found] == [
        ("a.fc", 4, "unknown-type"), ("b.fc", 2, "unknown-type"), ("b.fc", 3, "unknown-type"), ("b.fc", 4, "unknown-type")]
    assert "gone_t" in found[0]["message"]


def test_without_a_policy_types_are_not_looked_for_and_that_is_said(at, capsys):
    at("a.fc", GOOD)
    status, found = document(capsys, "a.fc")
    assert status == 0
    assert "types" in found["notes"][0]


def test_neither_root_nor_selinux_is_needed(at):
    """In a process of its own that cannot import what is not there in a packager's container."""
    at("a.fc", BAD)
    code = "import sys; sys.path.insert(0, %r)\n" % TOP
    code += "for name in ('selinux', 'semanage', 'rpm', 'distro', 'packaging', 'configparser', 'subprocess'):\n"
    code += "    sys.modules[name] = None\n"
    code += "from foreman_selinux_helpers.cli import main; sys.exit(main())"
    done = subprocess.run([sys.executable, "-Ic", code, "--root", ".", "lint", "a.fc"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (1, b"")
    assert b"a.fc:1: regular-file-only" in done.stdout


# -- severities --------------------------------------------------------------------------------


DOTS = "/etc/a.b  %s\n" % CONTEXT


def test_warnings_alone_fail_nobody_but_with_strict(at, capsys):
    at("a.fc", DOTS + "/etc/c  %s\n" % CONTEXT * 2)
    status, found = document(capsys, "a.fc")
    assert (status, found["ok"]) == (0, True)
    assert [(one["code"], one["severity"]) for one in found["findings"]] == [
        ("unescaped-dot", "warning"), ("duplicate", "warning")]
    status, found = document(capsys, "--strict", "a.fc")
    assert (status, found["ok"], len(found["findings"])) == (1, False, 2)
    assert run(capsys, "lint", "a.fc")[0] == 0
    assert run(capsys, "lint", "a.fc", "--strict")[0] == 1
    at("b.fc", BAD)
    for arguments in (["a.fc", "b.fc"], ["--strict", "a.fc", "b.fc"]):
        status, found = document(capsys, *arguments)
        assert (status, found["ok"]) == (1, False)
    at("c.fc", GOOD)
    assert document(capsys, "--strict", "c.fc")[0] == 0
    status, found = document(capsys, "a.fc", "gone.fc")
    assert (status, found["ok"]) == (2, False)


def test_the_text_says_how_severe_and_puts_errors_first(at, capsys):
    at("a.fc", DOTS + BAD)
    at("b.fc", BAD + DOTS)
    status, out, _ = run(capsys, "lint", "--target", "fedora", "a.fc", "b.fc")
    assert status == 1
    lines = [line for line in out.split("\n") if line and not line.startswith(("    ", "note: "))]
    assert [(line.split(": ")[0], line.split(": ")[1], line.split(" ")[-1]) for line in lines[:-1]] == [
        ("a.fc:2", "regular-file-only", "(error)"), ("a.fc:1", "unescaped-dot", "(warning)"),
        ("b.fc:1", "regular-file-only", "(error)"), ("b.fc:2", "unescaped-dot", "(warning)")]


def test_many_unescaped_dots_are_one_line_and_the_document_keeps_them(at, capsys):
    at("a.fc", "".join("/etc/a%d.b  %s\n" % (number, CONTEXT) for number in range(50)) + BAD + "/etc/x  %s\n" % CONTEXT * 2)
    _, out, _ = run(capsys, "lint", "--target", "fedora", "a.fc")
    lines = out.split("\n")
    assert lines[0].startswith("a.fc:51: regular-file-only: ")
    assert lines[2].startswith("a.fc:53: duplicate: ")
    assert lines[3].startswith("a.fc:1: unescaped-dot: 50 rules have a dot ")
    assert "lines 1, 2, 3, " in lines[3]
    assert ", 50 (warning; --json shows what to write instead)" in lines[3]
    assert out.count("unescaped-dot") == 1
    _, found = document(capsys, "--target", "fedora", "a.fc")
    dots = [one for one in found["findings"] if one["code"] == "unescaped-dot"]
    assert [one["line"] for one in dots] == list(range(1, 51))
    assert all(one["suggestion"] for one in dots)
    at("b.fc", "".join("/etc/a%d.b  %s\n" % (number, CONTEXT) for number in range(5)))
    assert run(capsys, "lint", "--target", "fedora", "b.fc")[1].count("unescaped-dot") == 5


def test_a_host_with_varrun_convert(at, capsys):
    install_policy(at, subs="/var/run /run\n")
    at("a.fc", "/var/run/a\\.b  gen_context(system_u:object_r:foreman_var_run_t,s0)\n")
    assert "varrun-convert" not in document(capsys, "--target", "host", "a.fc")[1]["findings"][0]["message"]
    at("usr/libexec/selinux/varrun-convert.sh", "")
    assert "on host an update" in document(capsys, "--target", "host", "a.fc")[1]["findings"][0]["message"]
def test_types_with_hyphens(at, capsys):
    """Of the policy, of the module's own source, and of its templates; what is in neither is told."""
    install_policy(at)
    name = b"speech-dispatcher_t"
    at("etc/selinux/targeted/policy/policy.33", struct.pack("<4I", len(name), 1, 1, 0) + name)
    types = ("speech-dispatcher_t", "a-own_t", "b-made-x_t", "no-such_t")
    at("a.fc", "".join("/opt/%d  gen_context(system_u:object_r:%s,s0)\n" % one for one in enumerate(types)))
    at("a.te", "type a-own_t, c_t;\nfoo_template(`b-made')\nallow c_t { self -no };  # no, such_t.\n")
    status, found = document(capsys, "a.fc", "--target", "host")
    assert (status, [(one["code"], one["line"]) for one in found["findings"]]) == (1, [("unknown-type", 4)])
    assert "no-such_t" in found["findings"][0]["message"]
