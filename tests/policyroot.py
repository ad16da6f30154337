"""An alternate root with a real policy and policy store: Debian's, built once and copied for each test."""

import fcntl
import re
import shutil
import subprocess
from pathlib import Path
from typing import List

TOP = Path(__file__).resolve().parent.parent
POLICY = "default"
# The type of the tests' socket; its rules come with the tests that need any, for each is a rebuild.
TYPE = """(type foo_var_run_t)
(roletype object_r foo_var_run_t)
(typeattributeset file_type (foo_var_run_t))
"""
_PACKAGE = "selinux-policy-default"


def prepared(directory: Path) -> Path:
    """Return the root to copy from; building it takes half a minute."""
    directory.mkdir(parents=True, exist_ok=True)
    with open(str(directory / "policy-root.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        root = directory / "policy-root"
        if not (root / "complete").exists():
            shutil.rmtree(str(root), ignore_errors=True)
            _build(root)
            (root / "complete").touch()
    return root


def _build(root: Path) -> None:
    download = root / "download"
    download.mkdir(parents=True)
    run("apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", _PACKAGE, cwd=download)
    run("dpkg-deb", "-x", str(next(download.glob("*.deb"))), str(root))
    (root / "etc/selinux/config").write_text("SELINUX=enforcing\nSELINUXTYPE=%s\n" % POLICY)
    shutil.copy("/etc/selinux/semanage.conf", str(root / "etc/selinux/semanage.conf"))
    modules = root / "usr/share/selinux" / POLICY
    argv: List[str] = ["semodule", "-p", str(root), "-s", POLICY, "-X", "100", "-n"]
    for name in (modules / ".modules").read_text().split():
        argv += ["-i", str(modules / (name + ".pp.bz2"))]
    run(*argv)
    shutil.rmtree(str(root / "usr/share/selinux"))
    types = root / "foo_type.cil"
    types.write_text(TYPE)
    run("semodule", "-p", str(root), "-s", POLICY, "-n", "-i", str(types))


class PolicyRoot:
    """A copy of the root, and what tests do to it."""

    def __init__(self, source: Path, target: Path) -> None:
        # A link is followed: a copy of the link would be the source itself, for all tests to change.
        run("cp", "-a", "--reflink=auto", str(source.resolve()), str(target))
        self.path = target
        self.files = target / "etc/selinux" / POLICY / "contexts/files"

    def rule(self, regex: str, kind: str = "any", context: str = "(system_u object_r foo_var_run_t ((s0) (s0)))") -> None:
        """Install a policy module that has a rule, for the tests' type or (``()``) for no label."""
        file = self.path / "foo_rule.cil"
        file.write_text('(filecon "%s" %s %s)\n' % (regex, kind, context))
        run("semodule", "-p", str(self.path), "-s", POLICY, "-n", "-i", str(file))

    def turn_equivalence_round(self) -> None:
        """Make /run stand for /var/run, as EL 7 to 9 have it."""
        subs = self.files / "file_contexts.subs_dist"
        subs.write_text(re.sub(r"(?m)^/var/run\s+/run\s*$", "/run /var/run", subs.read_text()) + "\n")

    def profile(self, name: str, text: str) -> None:
        """Put a profile where a package would."""
        directory = self.path / "usr/share/foreman-selinux-helpers/profiles.d"
        directory.mkdir(parents=True, exist_ok=True)
        (directory / (name + ".conf")).write_text(text)

    def local_rules(self) -> List[str]:
        """Return the local rules, as lines of words."""
        file = self.files / "file_contexts.local"
        lines = file.read_text().split("\n") if file.exists() else []
        return [" ".join(line.split()) for line in lines if line.strip() and not line.startswith("#")]

    def commits(self) -> str:
        """Return what changes with each commit."""
        return (self.path / "var/lib/selinux" / POLICY / "active/commit_num").read_text(errors="replace")

    def state(self) -> str:
        """Return a digest of everything that is stored, with its inodes."""
        return subprocess.check_output(
            "find etc var -type f -printf '%p %i %m ' -exec sha256sum {} \\; | sort", shell=True,
            cwd=str(self.path), universal_newlines=True)


def run(*argv: str, cwd: Path = TOP) -> None:
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          cwd=str(cwd), check=False)
    if done.returncode != 0:
        said = done.stdout.decode()[-2000:]
        raise RuntimeError("%s ended with %d:\n%s" % (" ".join(argv)[:200], done.returncode, said))
