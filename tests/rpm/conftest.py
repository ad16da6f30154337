"""Our package, and hosts to install it on: a Debian tree each, with a real policy and rpm's database."""

import shutil
import subprocess
from pathlib import Path
from typing import Callable, Iterator, List, NamedTuple

import pytest

from ..packages import build
from ..vm import image

BUILD = build.TOP / "build"
PACKAGES = BUILD / "test-rpms"


class Done(NamedTuple):
    """How a command ended and what it printed, on both streams together."""

    status: int
    out: str


class Tree:
    """A host below a directory: rpm's scriptlets run in it with chroot(2)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.files = path / "etc/selinux" / image.POLICY / "contexts/files"
        self.state = path / "var/lib/foreman-selinux-helpers"

    def rpm(self, *arguments: object) -> Done:
        """Run rpm on it."""
        done = subprocess.run(["rpm", "--force-debian", "--root", str(self.path), *map(str, arguments)],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                              timeout=400)
        return Done(done.returncode, done.stdout.decode())

    def quiet(self, *arguments: object) -> None:
        """Run a transaction that must succeed without a word."""
        assert self.rpm(*arguments) == (0, "")

    def check(self, *argv: str) -> str:
        """Run a command in it that must succeed; return its standard output."""
        return subprocess.check_output(["chroot", str(self.path), *argv], stdin=subprocess.DEVNULL,
                                       universal_newlines=True)

    def rules(self) -> List[str]:
        """Return the local rules' first words."""
        file = self.files / "file_contexts.local"
        lines = file.read_text().split("\n") if file.exists() else []
        return sorted(line.split()[0] for line in lines if line.strip() and not line.startswith("#"))

    def records(self) -> List[str]:
        """Return the names of what we keep in /var/lib."""
        return sorted(one.name for one in self.state.glob("*.json")) if self.state.exists() else []

    def modules(self) -> List[str]:
        """Return the policy modules that demonstration packages brought."""
        listed = subprocess.check_output(["semodule", "-p", str(self.path), "-s", image.POLICY, "-l"],
                                         universal_newlines=True)
        return sorted(name for name in listed.split() if name.endswith("_demo"))

    def commits(self) -> int:
        """Return a number that grows with each commit to the policy store."""
        file = self.path / "var/lib/selinux" / image.POLICY / "active/commit_num"
        return int(file.read_text().strip("\0\n ") or 0)

    def replace(self, path: str, text: str) -> Path:
        """Put a program in the place of another."""
        file = self.path / path
        file.unlink()
        file.write_text(text)
        file.chmod(0o755)
        return file

    def runtime_calls(self) -> str:
        """Return how systemctl and load_policy were called."""
        log = self.path / "calls"
        return log.read_text() if log.exists() else ""


def prepared_tree() -> Path:
    """Return the tree to copy from: the guests' packages, without kernel and documentation."""
    with image.one_at_a_time(BUILD / "rpm-tree.lock"):
        archive = image.base()
        tree = BUILD / "rpm-tree"
        mark = tree / "made-of"
        if not mark.exists() or mark.read_text() != archive.name:
            shutil.rmtree(str(tree), ignore_errors=True)
            tree.mkdir()
            subprocess.check_call(["tar", "-xf", str(archive), "-C", str(tree), "--numeric-owner"] + [
                "--exclude=./" + one for one in (
                    "boot", "dev/*", "usr/lib/modules", "usr/share/doc", "usr/share/locale", "usr/share/man",
                    "usr/share/selinux", "var/cache/*", "var/lib/apt/*")])
            subprocess.check_call(["mknod", "-m", "666", str(tree / "dev/null"), "c", "1", "3"])
            (tree / "etc/selinux/config").write_text("SELINUX=enforcing\nSELINUXTYPE=%s\n" % image.POLICY)
            image._trim_policy(tree)
            mark.write_text(archive.name)
        return tree


@pytest.fixture(scope="session")
def base() -> Path:
    """Return the tree to copy from."""
    return prepared_tree()


@pytest.fixture(scope="session")
def ours() -> Path:
    """Return our package; built apart, so that no other tier loses the one it uses."""
    return build.our_package(PACKAGES / "rpm-tier")


@pytest.fixture(scope="session")
def newer(ours: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return our package in a later release, built from the source package."""
    return build.newer(ours, tmp_path_factory.mktemp("newer"))


@pytest.fixture
def bare(base: Path, tmp_path: Path) -> Iterator[Tree]:
    """Return a host with nothing of ours, which tells when systemd or the kernel would be spoken to.

    It is kept in memory: rpm and libsemanage sync the whole file system again and again.
    """
    tree = Tree(tmp_path / "tree")
    tree.path.mkdir()
    subprocess.check_call(["mount", "-t", "tmpfs", "-o", "size=1g,mode=755", "tmpfs", str(tree.path)])
    try:
        subprocess.check_call(["cp", "-a", str(base) + "/.", str(tree.path)])
        for program in ("usr/bin/systemctl", "usr/sbin/load_policy"):
            tree.replace(program, "#!/bin/sh\necho \"$0 $*\" >>/calls\n")
        tree.quiet("-i", build.host(PACKAGES))
        yield tree
    finally:
        subprocess.check_call(["umount", "-l", str(tree.path)])


@pytest.fixture
def tree(bare: Tree, ours: Path) -> Tree:
    """Return a host with our package."""
    bare.quiet("-i", ours)
    return bare


@pytest.fixture
def demo() -> Callable[..., Path]:
    """Return a function that builds a demonstration package; its file context is missing unless told."""
    def built(unit: str, number: int = 2, variant: str = build.NO_RULE, **options: object) -> Path:
        return build.demo(PACKAGES, unit, number, variant=variant, **options)  # type: ignore[arg-type]
    return built
