"""Tests in a chroot of another Debian release: with its libselinux, libsemanage, Python and policy."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, List

from .. import policyroot
from ..policyroot import TOP

DIRECTORY = TOP / "build" / "chroots"
_PACKAGES = ("python3-selinux", "python3-semanage", "python3-distro", "python3-packaging", "python3-pytest",
             "python3-hypothesis", "python3-jsonschema", "selinux-policy-default", "policycoreutils", "semodule-utils")
_ROOT = "policy-root"
# Some unit tests look at processes and terminals.
_MOUNTED = """for one in proc dev sys; do mount --rbind "/$one" "$0/$one" || exit 1; done; exec chroot "$0" "$@" """


def chroot(release: str) -> Path:
    """Return the chroot of a release; building it takes a minute."""
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    with open(str(DIRECTORY / (release + ".lock")), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        place = DIRECTORY / release
        recipe = repr((_PACKAGES, policyroot.TYPE))
        complete = place / "complete"
        if not complete.exists() or complete.read_text() != recipe:
            shutil.rmtree(str(place), ignore_errors=True)
            # A mirror that has not been brought up to date for some days will do.
            policyroot.run("mmdebstrap", "--quiet", "--variant=apt", "--aptopt=Acquire::Check-Valid-Until \"false\"",
                           "--include=" + ",".join(_PACKAGES), release, str(place))
            _policy_root(place)
            complete.write_text(recipe)
        return place


def _policy_root(place: Path) -> None:
    """Make the root that the tests copy from the policy which the release's package has installed."""
    root = place / _ROOT
    (root / "var/lib").mkdir(parents=True)
    (root / "etc").mkdir()
    for name in ("etc/selinux", "var/lib/selinux"):
        policyroot.run("cp", "-a", str(place / name), str(root / name))
    (root / "etc/selinux/config").write_text("SELINUX=enforcing\nSELINUXTYPE=%s\n" % policyroot.POLICY)
    (root / "foo_type.cil").write_text(policyroot.TYPE)
    policyroot.run("chroot", str(place), "semodule", "-p", "/" + _ROOT, "-s", policyroot.POLICY, "-n",
                   "-i", "/%s/foo_type.cil" % _ROOT)


def run(release: str, module: str, *options: str) -> "subprocess.CompletedProcess[str]":
    """Run a module of the store tests in the release's chroot, on a copy of the project as it is."""
    with _copy(chroot(release)) as inside:
        return subprocess.run(
            ["chroot", str(chroot(release)), *_pytest("POLICY_ROOT=/" + _ROOT), "-s", "--rootdir", inside,
             "%s/tests/store/%s" % (inside, module), *options],
            # libselinux 3.8 tells of each escape that it does not know.
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False,
            universal_newlines=True)


def unit(release: str, *options: str) -> int:
    """Run the unit tests with the release's Python; return pytest's exit status."""
    with _copy(chroot(release)) as inside:
        return subprocess.call(
            ["unshare", "--mount", "sh", "-c", _MOUNTED, str(chroot(release)), *_pytest("PYTHONPATH=" + inside),
             "--rootdir", inside, inside + "/tests/unit", *options], stdin=subprocess.DEVNULL)


@contextmanager
def _copy(place: Path) -> Iterator[str]:
    """Give the path in a chroot of a copy of the project as it is."""
    with tempfile.TemporaryDirectory(prefix="project-", dir=str(place / "tmp")) as directory:
        for source in TOP.iterdir():
            target = os.path.join(directory, source.name)
            if source.is_file():
                shutil.copy2(str(source), target)
            elif source.name not in ("build", ".git"):
                shutil.copytree(str(source), target, ignore=shutil.ignore_patterns("__pycache__"))
        yield "/tmp/" + os.path.basename(directory)


def _pytest(variable: str) -> List[str]:
    return ["env", "-i", "PATH=/usr/sbin:/usr/bin", "LC_ALL=C.UTF-8", variable, "python3", "-m", "pytest", "-q",
            "-p", "no:cacheprovider"]
