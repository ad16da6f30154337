"""Roots for the store tests, and our command on them."""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Callable, Dict, Iterator

import pytest

from .. import policyroot
from ..policyroot import PolicyRoot

_ROOM = 500 * 1024 * 1024


@pytest.fixture(scope="session")
def source() -> Path:
    """Return the prepared root, which is copied and never changed."""
    return policyroot.prepared(policyroot.TOP / "build")


@pytest.fixture
def root(source: Path) -> Iterator[PolicyRoot]:
    """Return a root of the test's own, in memory where there is room: every commit syncs its file system."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(str(memory)).free > _ROOM
    with tempfile.TemporaryDirectory(prefix="policy-root-", dir=str(memory) if roomy else None) as directory:
        yield PolicyRoot(source, Path(directory) / "root")


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
        document["status"], document["stderr"] = done.returncode, done.stderr
        return document
    return run
