"""What is in the package, on every distribution the spec is for, and what the macros become."""

import os
import re
import subprocess
import tarfile
from pathlib import Path
from typing import Dict, List, Sequence

import pytest

from ..packages.build import TOP

SPEC = TOP / "spec/foreman-selinux-helpers.spec"
MACROS = TOP / "spec/macros.foreman-selinux-helpers"
MANUAL = ("foreman-selinux-helpers.8", "foreman-selinux-helpers.7", "foreman-selinux-profiles.5")
SCRIPTLETS = "/usr/libexec/foreman-selinux-helpers"
HOOKS = "/usr/libexec/foreman-selinux"


def output(*argv: object, **options: str) -> str:
    return subprocess.check_output([str(one) for one in argv], universal_newlines=True, stdin=subprocess.DEVNULL,
                                   stderr=subprocess.STDOUT, env=dict(os.environ, **options))


def unpack(package: Path, directory: Path) -> None:
    subprocess.check_call("rpm2archive - <%s | tar -xz" % package, shell=True, cwd=str(directory))


def test_rpmlint_finds_nothing(ours):
    packages = [ours, next(ours.parent.parent.parent.glob("SRPMS/*.rpm"))]
    said = output("rpmlint", "-c", TOP / "spec/rpmlint.toml", SPEC, *packages)
    assert "0 errors, 0 warnings" in said


def test_the_manual_reads_well(ours, tmp_path):
    """As man(1) shows it: nothing that groff complains of, in 80 columns."""
    unpack(ours, tmp_path)
    for page in MANUAL:
        file = tmp_path / ("usr/share/man/man%s/%s.gz" % (page[-1], page))
        done = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", str(file)], check=True, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(os.environ, MANWIDTH="80"))
        shown = re.sub("\033[^m]*m|.\b", "", done.stdout.decode())
        assert done.stderr == b""
        assert "NAME\n       %s" % page[:-2] in shown
        assert max(len(line) for line in shown.split("\n")) <= 80


def test_files_and_modes(ours):
    lines = output("rpm", "-qp", "--qf", "[%{FILEMODES:perms} %{FILEUSERNAME}:%{FILEGROUPNAME} %{FILENAMES}\n]", ours)
    library = re.compile("/usr/lib/python3[^/]*/(site|dist)-packages/")
    found = {line.split()[2]: line.split()[:2] for line in lines.strip().split("\n")}
    assert {owner for _, owner in found.values()} == {"root:root"}
    directory, program, data = "drwxr-xr-x", "-rwxr-xr-x", "-rw-r--r--"
    documents = re.compile("/usr/share/(doc|licenses)/")
    assert {path: mode for path, (mode, _) in found.items()
            if not library.match(path) and not documents.match(path)} == {
        "/etc/foreman-selinux-helpers": directory,
        "/etc/foreman-selinux-helpers/profiles.d": directory,
        "/usr/lib/rpm/macros.d/macros.foreman-selinux-helpers": data,
        SCRIPTLETS: directory,
        **{SCRIPTLETS + "/" + name: program for name in ("post", "posttrans", "preun", "postun", "trigger", "removal",
                                                           "enabled", "changed")},
        HOOKS: directory,
        **{HOOKS + "/foreman-selinux-helpers-" + name: program for name in ("before-disable.sh", "after-enable.sh")},
        "/usr/sbin/foreman-selinux-helpers": program,
        "/usr/share/bash-completion": directory,
        "/usr/share/bash-completion/completions": directory,
        "/usr/share/bash-completion/completions/foreman-selinux-helpers": data,
        **{"/usr/share/man/man%s/%s.gz" % (page[-1], page): data for page in MANUAL},
        "/usr/share/foreman-selinux-helpers": directory,
        "/usr/share/foreman-selinux-helpers/profiles.d": directory,
        "/usr/share/foreman-selinux-helpers/profiles.d/foreman.conf": data,
        "/usr/share/foreman-selinux-helpers/profiles.d/pulpcore.conf": data,
        **{"/usr/lib/systemd/system/foreman-selinux-helpers." + kind: data for kind in ("path", "service")},
        "/run/foreman-selinux-helpers": "drwx------",
        "/run/foreman-selinux-helpers/reexecuted": "-rw-------",
        "/run/foreman-selinux-helpers/surveyed": "-rw-------",
        "/var/lib/foreman-selinux-helpers": directory,
        "/var/lib/foreman-selinux-helpers/lock": "-rw-------",
        "/var/lib/foreman-selinux-helpers/transaction": data,
    }
    ours_there = {library.sub("", path): mode for path, (mode, _) in found.items() if library.match(path)}
    assert {path.split("/")[0] for path in ours_there} == {
        "foreman_selinux_helpers", "sos", next(path for path in ours_there if path.endswith(".egg-info"))}
    sources = {str(path.relative_to(TOP)) for path in (TOP / "foreman_selinux_helpers").rglob("*.py")}
    assert {path for path in ours_there if path.endswith(".py")} == sources | {
        "sos/report/plugins/foreman_selinux_helpers.py"}
    assert len([path for path in ours_there if path.endswith(".pyc")]) == len(sources)
    assert {mode for path, mode in ours_there.items() if path.endswith((".py", ".pyc"))} == {data}


def test_interpreter_is_named_in_full_and_isolated(ours, tmp_path):
    unpack(ours, tmp_path)
    programs = [tmp_path / "usr/sbin/foreman-selinux-helpers", *(tmp_path / SCRIPTLETS[1:]).iterdir()]
    assert len(programs) == 9
    assert {program.read_text().split("\n")[0] for program in programs} == {"#!/usr/bin/python3 -I"}


def test_byte_code_is_used(ours, tmp_path):
    """It holds the modification time that rpm gives the source, so nothing is compiled in a transaction."""
    unpack(ours, tmp_path)
    sources = list(tmp_path.glob("usr/lib/python3*/*/foreman_selinux_helpers/**/*.py"))
    assert len(sources) > 40
    for source in sources:
        compiled = next(source.parent.glob("__pycache__/%s.*.pyc" % source.stem)).read_bytes()
        assert int.from_bytes(compiled[8:12], "little") == int(source.stat().st_mtime)


def test_source_has_only_what_belongs_in(ours):
    with tarfile.open(str(next(ours.parent.parent.parent.glob("SOURCES/*.tar.gz")))) as tar:
        names = tar.getnames()
        assert {(one.uid, one.gid) for one in tar.getmembers()} == {(0, 0)}
    assert {name.split("/")[1] for name in names} == {
        "setup.py", "setup.cfg", "LICENSE", "README.md", "CHANGELOG.md", "bin", "completions", "docs", "integrations",
        "foreman_selinux_helpers", "profiles.d", "scriptlets", "spec", "units"}
    assert not [name for name in names if "pycache" in name or name.endswith(".pyc")]


def test_build_refuses_two_versions(tmp_path):
    for name in ("spec", "foreman_selinux_helpers"):
        subprocess.check_call(["cp", "-r", str(TOP / name), str(tmp_path)])
    (tmp_path / "foreman_selinux_helpers/__init__.py").write_text('__version__ = "9.9"\n')
    done = subprocess.run([str(tmp_path / "spec/build-rpm"), str(tmp_path / "top")], stderr=subprocess.PIPE,
                          check=False)
    assert (done.returncode, b"9.9" in done.stderr) == (1, True)
    assert not (tmp_path / "top").exists()


# -- other distributions -----------------------------------------------------------------------

EL8_AND_LATER = ["policycoreutils", "python3-distro", "python3-libselinux", "python3-libsemanage", "python3-packaging",
                 "python3-rpm"]
EL7 = ["libselinux-python3", "policycoreutils", "policycoreutils-python", "python3-distro", "python3-packaging",
       "python36-rpm"]
DISTRIBUTIONS: Dict[str, Sequence[str]] = {
    "rhel 7": EL7, "rhel 8": EL8_AND_LATER, "rhel 9": EL8_AND_LATER, "rhel 10": EL8_AND_LATER,
    "fedora 43": EL8_AND_LATER}


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_spec_is_right_for(distribution):
    # What the distributions' own macros say, without asking an interpreter that is not here.
    defined = ["--define", distribution, "--define", "python3_sitelib /usr/lib/python3.6/site-packages"]
    asked = [line for line in output("rpmspec", "-q", "--requires", *defined, SPEC).split("\n")
             if line and not line.startswith(("/bin/sh", "rpmlib("))]
    assert sorted(asked) == DISTRIBUTIONS[distribution]
    parsed = output("rpmspec", "-P", *defined, SPEC)
    python = "/usr/libexec/platform-python" if distribution == "rhel 8" else "/usr/bin/python3"
    assert "#!%s -I|" % python in parsed
    assert "%s setup.py install" % python in parsed
    triggers = set(re.findall(r"(?m)^%(\w*trigger\w*|posttrans)\b", parsed))
    assert triggers == ({"posttrans"} if distribution == "rhel 7" else {
        "transfiletriggerin", "transfiletriggerpostun", "filetriggerun"})


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_the_path_unit_is_packaged_as_its_distribution_does(distribution):
    """By systemd's macros, which decide by preset; nothing enables it or, in an upgrade, restarts it."""
    macros = [option for name in ("post", "preun", "postun") for option in (
        "--define", "systemd_%s() systemd_%s %%{*}" % (name, name))]
    parsed = output("rpmspec", "-P", "--define", distribution, "--define", "python3_sitelib /usr/lib/python3.6/site-packages",
                    *macros, SPEC)
    calls = re.findall(r"(?m)^%(\w+)\n(systemd_\w+) (.*)$", parsed)
    path, service = ("foreman-selinux-helpers." + kind for kind in ("path", "service"))
    assert calls == [("post", "systemd_post", path), ("preun", "systemd_preun", path + " " + service),
                     ("postun", "systemd_postun", path)]
    assert ("/^SystemCallFilter=/d" in parsed) == (distribution == "rhel 7")


# -- scriptlets --------------------------------------------------------------------------------

def test_scriptlets_are_shell_that_cannot_fail_or_print(ours):
    said = output("rpm", "-qp", "--scripts", "--filetriggers", ours)
    bodies = re.split(r"(?m)^\w+ scriptlet \(using ([^)]*)\).*\n", said)[1:]
    assert set(bodies[::2]) == {"/bin/sh"}
    assert len(bodies) == 16
    for body in bodies[1::2]:
        calls = [line for line in body.split("\n") if SCRIPTLETS in line]
        assert calls
        for line in calls:
            assert line.endswith("</dev/null >/dev/null 2>&1 || :")
        assert subprocess.run(["sh", "-n"], input=body.encode(), check=False).returncode == 0


def test_our_triggers_run_after_systemds(ours):
    said = output("rpm", "-qp", "--qf", "[%{TRANSFILETRIGGERPRIORITIES} ]", ours).split()
    assert said == ["500000"] * 6  # systemd's: 900900, and a larger one is earlier


def test_hooks_are_one_line_that_cannot_fail_or_print(ours, tmp_path):
    """foreman-selinux looks for regular files that can be executed, and has bash run them."""
    unpack(ours, tmp_path)
    hooks = sorted((tmp_path / HOOKS[1:]).iterdir())
    assert [hook.name for hook in hooks] == ["foreman-selinux-helpers-after-enable.sh",
                                             "foreman-selinux-helpers-before-disable.sh"]
    for hook in hooks:
        first, *lines = [line for line in hook.read_text().strip().split("\n") if not line.startswith("# ")]
        assert first == "#!/bin/sh"
        assert len(lines) == 1
        assert lines[0].startswith(SCRIPTLETS + "/")
        assert lines[0].endswith("</dev/null >/dev/null 2>&1 || :")
        assert os.access(str(tmp_path / lines[0].split()[0][1:]), os.X_OK)
        assert {subprocess.run([shell, "-n", str(hook)], check=False).returncode for shell in ("bash", "sh")} == {0}


# -- macros ------------------------------------------------------------------------------------

def expand(text: str, libexec: Path) -> str:
    return output("rpm", "--load", MACROS, "--define", "_libexecdir %s" % libexec, "--eval", text)


def run_macro(text: str, libexec: Path, *arguments: str) -> List[str]:
    """Run what a macro becomes, as rpm would; return the calls of our scriptlets that it made."""
    script = expand(text, libexec)
    assert "foreman_selinux" not in script.replace("%%", "")
    done = subprocess.run(["sh", "-e", "-c", script + "\necho end", "scriptlet", *arguments], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, universal_newlines=True, check=False)
    assert (done.returncode, done.stdout) == (0, "end\n")
    calls = libexec / "calls"
    return calls.read_text().split("\n")[:-1] if calls.exists() else []


@pytest.fixture
def libexec(tmp_path):
    directory = tmp_path / "foreman-selinux-helpers"
    directory.mkdir()
    for name in ("post", "posttrans", "preun", "postun"):
        program = directory / name
        program.write_text(
            "#!/bin/sh\necho ${0##*/} \"$@\" >>%s/calls\necho noise\necho noise >&2\nexit 7\n" % tmp_path)
        program.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize("name", ["post", "posttrans", "preun", "postun"])
def test_macros_call_the_scriptlets(libexec, name):
    text = "%%foreman_selinux_%s one two.socket" % name
    assert run_macro(text, libexec, "0") == [name + " one two.socket"]
    # An upgrade: only preun must not take anything back.
    after = [] if name == "preun" else [name + " one two.socket"]
    assert run_macro(text, libexec, "1") == [name + " one two.socket", *after]


@pytest.mark.parametrize("name", ["post", "posttrans", "preun", "postun"])
def test_macros_do_nothing_where_the_package_is_missing(tmp_path, name):
    assert run_macro("%%foreman_selinux_%s one" % name, tmp_path / "nowhere", "0") == []
