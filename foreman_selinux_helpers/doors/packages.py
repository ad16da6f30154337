"""The only door to the package databases: which build of a package is installed."""

import os
import re

from ..model.refresh import EVR, CompareEVR
from ..model.typed import Any, Optional
from . import trust
from .run import Runner
from .stderr import standard_error_kept

# The files of rpm's back ends (sqlite, bdb, ndb): one of them exists if there is a database.
_DATABASES = ("rpmdb.sqlite", "Packages", "Packages.db")
_FAMILIES = ("rhel", "fedora", "debian")


def family(root: str) -> str:
    """Return the family of the distribution below ``root``: rhel, fedora, debian, or its own identifier."""
    import distro

    about = distro.LinuxDistribution(include_lsb=False) if root == "/" else distro.LinuxDistribution(
        include_lsb=False, os_release_file=trust.inside(root, "etc/os-release"), distro_release_file=os.devnull)
    try:
        own = str(about.id())
        like = about.like().split()
    except ValueError:  # the file is not valid text
        return ""
    if own in _FAMILIES:
        return own
    # CentOS, Rocky and AlmaLinux name both rhel and fedora: the first in the order of _FAMILIES counts.
    return next((known for known in _FAMILIES if known in like), own)


def installed_evr(name: str, distribution: str, root: str, runner: Runner) -> Optional[str]:
    """Return the EVR of a package installed below ``root`` (``239-82.el8``, ``1:2.3-1``), or None if unknown."""
    if distribution == "debian":
        database = trust.inside(root, "var/lib/dpkg")
        trust.refuse_links_out_of_tree(root, database[len(root):])
        done = runner.run(["/usr/bin/dpkg-query", "--admindir=" + database, "-W", "-f", "${Version}", name], limit=10)
        return done.out.strip() or None if done.status == 0 else None
    header = _header(name, root)
    if header is None:
        return None
    evr = "%s-%s" % (_text(header["version"]), _text(header["release"]))
    return "%d:%s" % (header["epoch"], evr) if header["epoch"] else evr


def changelog_entry(name: str, number: str, root: str) -> Optional[str]:
    """Return the line of an RPM package's changelog that contains a number, and the build that added it, or None."""
    header = _header(name, root)
    if header is None:
        return None
    pattern = re.compile(r"(?<![0-9])%s(?![0-9])" % number)
    for author, text in zip(header["changelogname"] or (), header["changelogtext"] or ()):
        for line in _text(text).split("\n"):
            if pattern.search(line):
                return "%s (%s)" % (line.strip(" -"), _text(author).rpartition(" ")[2])
    return None


def _header(name: str, root: str) -> Optional[Any]:
    """Return the header of an installed RPM package, with its tags by name (also in EL 7's binding)."""
    try:
        import rpm
    except ImportError:
        return None
    # The database of this host's rpm, of rpm since 4.17 on Fedora and EL 10, and of all older ones.
    places = [rpm.expandMacro("%_dbpath"), "/usr/lib/sysimage/rpm", "/var/lib/rpm"]
    place = next((path for path in places if _holds_database(trust.inside(root, path))), None)
    if place is None:
        return None  # librpm would create one
    if root != "/":
        place = trust.inside(root, place)[len(root):]
        trust.refuse_links_out_of_tree(root, place)
    rpm.addMacro("_dbpath", place)
    try:
        with standard_error_kept():
            return next(iter(rpm.TransactionSet(root).dbMatch("name", name)), None)
    except rpm.error:
        return None
    finally:
        rpm.delMacro("_dbpath")


def _holds_database(directory: str) -> bool:
    return any(os.path.exists(os.path.join(directory, name)) for name in _DATABASES)


def evr_comparison() -> Optional[CompareEVR]:
    """Return rpm's own comparison function for EVRs, or None without the rpm Python binding."""
    try:
        import rpm
    except ImportError:
        return None

    def compare(first: EVR, second: EVR) -> int:
        return int(rpm.labelCompare(first, second))
    return compare


def upstream(evr: Optional[str]) -> Optional[str]:
    """Return the upstream version of an EVR."""
    return evr.split(":")[-1].split("-")[0] if evr else None


def _text(value: object) -> str:
    # The binding of RHEL 8 and older returns bytes.
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
