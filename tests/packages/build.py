"""Builds the test packages."""

import hashlib
import os
import subprocess
from pathlib import Path
from typing import Dict, List

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent

# The file context of a demonstration package's policy, as its history had it.
RIGHT = "right"
REGULAR_FILES = "regular-files"
ALIASED = "aliased"
NO_RULE = "none"


def filecon(unit: str, variant: str, layout: str) -> str:
    """Return the CIL statement for a variant on a policy layout, or an empty string."""
    canonical, other = ("/run", "/var/run") if layout == "debian" else ("/var/run", "/run")
    directory = other if variant == ALIASED else canonical
    kind = "file" if variant == REGULAR_FILES else "any"
    return "" if variant == NO_RULE else '(filecon "%s/%s\\.sock" %s (system_u object_r %s_var_run_t ((s0) (s0))))' % (
        directory, unit, kind, unit)


def our_package(directory: Path) -> Path:
    """Build our own package."""
    out = subprocess.run([str(TOP / "spec/build-rpm"), str(directory / "helper")], check=True, stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, universal_newlines=True).stdout
    return Path(out.strip())


def newer(ours: Path, directory: Path) -> Path:
    """Build a later release of our own package from its source package."""
    return _rebuilt(ours, directory, "dist .2")


def el7(ours: Path, directory: Path) -> Path:
    """Build our own package as it is for EL 7, without file triggers: a later release."""
    return _rebuilt(ours, directory, "dist .el7", "rhel 7")


def _rebuilt(ours: Path, directory: Path, *defines: str) -> Path:
    source = next(ours.parent.parent.parent.glob("SRPMS/*.src.rpm"))
    argv = ["rpmbuild", "--rebuild", "--nodeps"]
    for define in ("_topdir %s" % directory, *defines):
        argv += ["--define", define]
    subprocess.run([*argv, str(source)], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                   stderr=subprocess.STDOUT)
    return next(directory.glob("RPMS/noarch/*.rpm"))


def host(directory: Path) -> Path:
    """Build the package that provides what the host has."""
    return _build(directory, "host", {})


def client(directory: Path) -> Path:
    """Build the client in the web server's domain."""
    return _build(directory, "client", {})


def systemd(directory: Path, number: str, named: str = "", upstream: str = "") -> Path:
    """Build a package that is systemd 239 (or ``upstream``) by name alone; ``named``: what its changelog names."""
    return _build(directory, "systemd", {"number": number, **({"named": named} if named else {}),
                                         **({"upstream": upstream} if upstream else {})})


def broken(directory: Path) -> Path:
    """Build the package that cannot be installed."""
    return _build(directory, "broken", {})


def demo(directory: Path, unit: str, number: int, variant: str = RIGHT, layout: str = "debian",
         requires: bool = True, helper: str = "profile", policy: bool = True, edition: int = 1) -> Path:
    """Build a demonstration package."""
    return _build(directory, "demo", {
        "unit": unit, "number": str(number), "filecon": filecon(unit, variant, layout), "requires": str(int(requires)),
        "helper": helper, "edition": str(edition), "policy": str(int(policy)), "port": str(3000 + len(unit))})


def policy(directory: Path, unit: str, variant: str = NO_RULE, edition: int = 1, kind: str = "") -> Path:
    """Build a policy package with the layout of foreman-selinux; ``kind`` is its type if not UNIT_var_run_t."""
    place = {RIGHT: "/run", REGULAR_FILES: "/run", ALIASED: "/var/run", NO_RULE: ""}[variant]
    kind = kind or unit + "_var_run_t"
    line = "%s/%s\\.sock %s system_u:object_r:%s:s0" % (
        place, unit, "--" if variant == REGULAR_FILES else "", kind) if place else ""
    return _build(directory, "policy", {"unit": unit, "edition": str(edition), "type": kind,
                                        **({"filecon": line} if line else {})})


def files(directory: Path, name: str, *paths: str, edition: int = 1, systemds: bool = False) -> Path:
    """Build a package with files at these places; with ``systemds`` it has systemd's triggers."""
    return _build(directory, "files", {"named": name, "edition": str(edition), "places": " ".join(paths),
                                       "systemds": str(int(systemds))})


def _build(directory: Path, spec: str, defines: Dict[str, str]) -> Path:
    name = hashlib.sha256(repr((spec, sorted(defines.items()))).encode()).hexdigest()[:12]
    top = directory.resolve() / name
    top.mkdir(parents=True, exist_ok=True)  # two rpmbuilds that make one directory at once: one fails
    argv: List[str] = ["rpmbuild", "-bb", "--nodeps", "--load", str(TOP / "spec/macros.foreman-selinux-helpers"),
                       "--define", "_topdir %s" % top, "--define", "sources %s" % HERE]
    for key, value in defines.items():
        argv += ["--define", "%s %s" % (key, value.replace("\\", "\\\\") or "%{nil}")]
    done = subprocess.run([*argv, str(HERE / (spec + ".spec"))], check=False, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=dict(os.environ, LC_ALL="C"))
    if done.returncode != 0:
        raise RuntimeError("rpmbuild of %s failed:\n%s" % (spec, done.stdout.decode()[-3000:]))
    return next(top.glob("RPMS/*/*.rpm"))
