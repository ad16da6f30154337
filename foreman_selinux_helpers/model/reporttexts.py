"""Parse the output of programs in a sos report: SELinux's state, packages, processes, the machine.  Pure.

A value that a text does not hold is None, or not in the mapping.
"""

import re

from .typed import Dict, Optional, Sequence, Tuple, Value


class SELinuxState(Value):
    """SELinux's state on the host: ``mode`` is enforcing, permissive or disabled; ``policy`` is the policy type."""

    mode: Optional[str] = None
    policy: Optional[str] = None


def sestatus(text: str) -> SELinuxState:
    """Read sestatus(8): ``Loaded policy name`` was ``Policy from config file`` before EL 7."""
    fields = _fields(text)
    if fields.get("SELinux status") == "disabled":
        return SELinuxState("disabled", None)
    mode = fields.get("Current mode")
    return SELinuxState(mode if mode in ("enforcing", "permissive") else None,
                        fields.get("Loaded policy name") or fields.get("Policy from config file"))


def selinux_config(text: str) -> SELinuxState:
    """Read /etc/selinux/config: the settings at boot, unless the kernel's command line overrides them."""
    settings = {}
    for line in text.split("\n"):
        name, equals, value = line.strip().partition("=")
        if equals and not name.startswith("#"):
            settings[name.strip()] = value.strip()
    mode = settings.get("SELINUX", "").lower()
    return SELinuxState(mode if mode in ("enforcing", "permissive", "disabled") else None,
                        settings.get("SELINUXTYPE") or None)


def booleans(text: str) -> Dict[str, bool]:
    """Read booleans: ``NAME on`` of sestatus -b, ``NAME --> on`` of getsebool(8), ``NAME (on , on)`` of semanage."""
    settings = re.findall(r"^(\w+)(?: +--> +| +\( *| +)(on|off)\b", text, re.M)
    return {name: value == "on" for name, value in settings}


def contexts_of_processes(text: str) -> Dict[int, str]:
    """Read ``ps auxZww``: the context of each process, by PID."""
    processes = re.findall(r"^([^\s:]+:[^\s:]+:[^\s:]+(?::\S+)?) +\S+ +(\d+) ", text, re.M)
    return {int(pid): context for context, pid in processes}


def rpm_evrs(text: str, names: Sequence[str]) -> Dict[str, str]:
    """Read a list of NAME-VERSION-RELEASE.ARCH, each at the start of a line: VERSION-RELEASE of packages by name.

    The list has no epochs.  If a name occurs several times, the last line is used.
    """
    evrs = {}
    for line in text.split("\n"):
        package = re.match(r"(\S+)-([^-\s]+-[^-\s]+?)(?:\.[a-z0-9_]+)?(?:\s|\Z)", line)
        if package and package.group(1) in names:
            evrs[package.group(1)] = package.group(2)
    return evrs


def deb_versions(text: str, names: Sequence[str]) -> Dict[str, str]:
    """Read ``dpkg -l``: the versions of packages that are installed; names may carry an architecture."""
    versions = {}
    for line in text.split("\n"):
        words = line.split()
        if len(words) >= 3 and len(words[0]) <= 3 and words[0][1:2] == "i" and words[1].split(":")[0] in names:
            versions[words[1].split(":")[0]] = words[2]
    return versions


def os_family(text: str) -> str:
    """Read os-release(5): the family of the distribution (rhel, fedora, debian), or its own identifier."""
    settings = dict(re.findall(r"^(ID|ID_LIKE)=[\"']?([^\"'\n]*)", text, re.M))
    own = str(settings.get("ID", "")).strip()
    known = ("rhel", "fedora", "debian")
    if own in known:
        return own
    # CentOS, Rocky and AlmaLinux are like both rhel and fedora: the first in this order is used.
    return next((family for family in known if family in settings.get("ID_LIKE", "").split()), own)


def boot_time(stat: str) -> Optional[float]:
    """Read /proc/stat: when the machine was booted, in seconds since the epoch."""
    match = re.search(r"^btime (\d+)$", stat, re.M)
    return float(match.group(1)) if match else None


def taken_at(timedatectl: str) -> Optional[float]:
    """Read timedatectl(1): the time, in seconds since the epoch."""
    match = re.search(r"Universal time: \w{3} (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC", timedatectl)
    if not match:
        return None
    from calendar import timegm
    from time import strptime

    try:
        return float(timegm(strptime(match.group(1), "%Y-%m-%d %H:%M:%S")))
    except (ValueError, OverflowError):
        return None


def utc_offset(timedatectl: str) -> Optional[int]:
    """Read timedatectl(1): the seconds that local time is ahead of UTC."""
    match = re.search(r"Time ?zone: .{0,99}?([+-])(\d\d)(\d\d)\)", timedatectl)
    if not match:
        return None
    sign, hours, minutes = match.groups()
    return (int(hours) * 3600 + int(minutes) * 60) * (-1 if sign == "-" else 1)


def relabels(text: str) -> Dict[str, Tuple[str, str]]:
    """Read ``restorecon -nv``: for each path, its label and the different one that it would get.

    policycoreutils before 2.6 (EL 7) prints ``restorecon reset PATH context A->B``, later ones ``Would relabel PATH
    from A to B``.
    """
    rows = re.findall(r"^(?:\S*restorecon reset (/.*) context (\S+)->(\S+)|Would relabel (/.*) from (\S+) to (\S+))$",
                      text, re.M)
    return {row[0] or row[3]: (row[1] or row[4], row[2] or row[5]) for row in rows}


def _fields(text: str) -> Dict[str, str]:
    return {name.strip(): value.strip() for name, colon, value in
            (line.partition(":") for line in text.split("\n")) if colon}
