"""Roots for the store tests, and our command on them."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Callable, Dict, Iterator

import pytest

from .. import policyroot, schema
from ..policyroot import PolicyRoot

_ROOM = 500 * 1024 * 1024


@pytest.fixture(scope="session")
def source() -> Path:
    """Return the prepared root, which is copied and never changed."""
    if "POLICY_ROOT" in os.environ:  # in another release's chroot: see releases.py
        return Path(os.environ["POLICY_ROOT"])
    return policyroot.prepared(policyroot.TOP / "build")


@pytest.fixture(scope="session")
def memory() -> Iterator[Path]:
    """Return a directory, in memory where there is room: every commit syncs its file system."""
    shared = Path("/dev/shm")
    roomy = shared.is_dir() and shutil.disk_usage(str(shared)).free > _ROOM
    with tempfile.TemporaryDirectory(prefix="policy-roots-", dir=str(shared) if roomy else None) as directory:
        yield Path(directory)


@pytest.fixture
def place(memory: Path) -> Iterator[Path]:
    """Return the test's own part of it."""
    with tempfile.TemporaryDirectory(dir=str(memory)) as directory:
        yield Path(directory)


@pytest.fixture
def root(source: Path, place: Path) -> PolicyRoot:
    """Return a root of the test's own."""
    return PolicyRoot(source, place / "root")


@pytest.fixture(scope="session")
def small_source(memory: Path) -> Path:
    """Return a root with the smallest policy there is, for many runs: a commit takes a twentieth of a second."""
    source = memory / "small"
    files = source / "etc/selinux" / policyroot.POLICY
    for directory in (files / "contexts/files", files / "policy", source / "var/lib/selinux"):
        directory.mkdir(parents=True)
    (source / "etc/selinux/config").write_text("SELINUX=enforcing\nSELINUXTYPE=%s\n" % policyroot.POLICY)
    (source / "etc/selinux/semanage.conf").write_text("module-store = direct\n")
    subprocess.check_call(["semodule", "-p", str(source), "-s", policyroot.POLICY, "-n", "-i",
                           str(Path(__file__).parent / "plain.cil")], stderr=subprocess.DEVNULL)
    return source


@pytest.fixture
def small(small_source: Path, place: Path) -> PolicyRoot:
    """Return a root of the test's own with the smallest policy."""
    return PolicyRoot(small_source, place / "root")


@pytest.fixture
def tool(root: PolicyRoot) -> Callable[..., Dict[str, Any]]:
    """Return a function that runs our command on the root in a process of its own."""
    def run(*arguments: str, before: str = "") -> Dict[str, Any]:
        code = "import sys; sys.path.insert(0, %r)\n%s\n" % (str(policyroot.TOP), before)
        code += "from foreman_selinux_helpers.cli import main\nsys.exit(main())"
        done = subprocess.run([sys.executable, "-Ic", code, "--json", "--root", str(root.path), *arguments],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                              universal_newlines=True, timeout=120)
        assert "Traceback" not in done.stderr, done.stderr
        document: Dict[str, Any] = json.loads(done.stdout) if done.stdout else {}
        if document:
            schema.check_if_possible(document)
        document["status"], document["stderr"] = done.returncode, done.stderr
        return document
    return run
