"""The only door to the package databases: which build of a package is installed."""

import os
from typing import Optional

from .refresh import EVR, CompareEVR
from .run import Runner

_FAMILIES = ("rhel", "fedora", "debian")


def family(root: str) -> str:
    """Return the family of the distribution below ``root``: rhel, fedora, debian, or its own identifier."""
    import distro

    about = distro.LinuxDistribution(include_lsb=False) if root == "/" else distro.LinuxDistribution(
        include_lsb=False, os_release_file=os.path.join(root, "etc/os-release"), distro_release_file=os.devnull)
    try:
        own = str(about.id())
        like = about.like().split()
    except ValueError:  # not even text
        return ""
    if own in _FAMILIES:
        return own
    # CentOS, Rocky and AlmaLinux are like both rhel and fedora: the first in this order counts.
    return next((known for known in _FAMILIES if known in like), own)


def installed_evr(name: str, distribution: str, root: str, runner: Runner) -> Optional[str]:
    """Return the EVR of a package installed below ``root`` (``239-82.el8``, ``1:2.3-1``), or None if unknown."""
    if distribution == "debian":
        database = "--admindir=" + os.path.join(root, "var/lib/dpkg")
        done = runner.run(["/usr/bin/dpkg-query", database, "-W", "-f", "${Version}", name], limit=10)
        return done.out.strip() or None if done.status == 0 else None
    try:
        import rpm
    except ImportError:
        return None
    try:
        for header in rpm.TransactionSet(root).dbMatch("name", name):
            epoch = header[rpm.RPMTAG_EPOCH]
            evr = "%s-%s" % (_text(header[rpm.RPMTAG_VERSION]), _text(header[rpm.RPMTAG_RELEASE]))
            return "%d:%s" % (epoch, evr) if epoch else evr
    except rpm.error:
        pass
    return None


def evr_comparison() -> Optional[CompareEVR]:
    """Return rpm's own comparison of two EVRs, or None without the rpm Python binding."""
    try:
        import rpm
    except ImportError:
        return None

    def compare(one: EVR, other: EVR) -> int:
        return int(rpm.labelCompare(one, other))
    return compare


def upstream(evr: Optional[str]) -> Optional[str]:
    """Return the upstream version of an EVR."""
    return evr.split(":")[-1].split("-")[0] if evr else None


def _text(value: object) -> str:
    # The binding of RHEL 8 and older gives bytes.
    return value.decode() if isinstance(value, bytes) else str(value)
