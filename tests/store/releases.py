"""Store tests in a chroot of another Debian release: with its libselinux, libsemanage, Python and policy."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from .. import policyroot
from ..policyroot import TOP

DIRECTORY = TOP / "build" / "chroots"
_PACKAGES = ("python3-selinux", "python3-semanage", "python3-distro", "python3-packaging", "python3-pytest",
             "python3-hypothesis", "selinux-policy-default", "policycoreutils", "semodule-utils")
_ROOT = "policy-root"


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
    place = chroot(release)
    with tempfile.TemporaryDirectory(prefix="project-", dir=str(place / "tmp")) as directory:
        for name in ("foreman_selinux_helpers", "tests"):
            shutil.copytree(str(TOP / name), os.path.join(directory, name), ignore=shutil.ignore_patterns("__pycache__"))
        inside = "/tmp/" + os.path.basename(directory)
        return subprocess.run(
            ["chroot", str(place), "env", "-i", "PATH=/usr/sbin:/usr/bin", "LC_ALL=C.UTF-8", "POLICY_ROOT=/" + _ROOT,
             "python3", "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", "--rootdir", inside,
             "%s/tests/store/%s" % (inside, module), *options],
            # libselinux 3.8 tells of each escape that it does not know.
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False,
            universal_newlines=True)
