"""The only door to /proc: the state of a process, its program, and the label files that it holds."""

import os
import re
import time

from ..model.labelcache import HeldFile
from ..model.typed import Dict, List, Optional

_LABEL_FILE = r"(\S+) \S+ \S+ \S+ ([0-9]{1,20})\s+(/.*/contexts/files/file_contexts\S*)( \(deleted\))?\Z"
# The clock of a process's start time; the module time has this constant since Python 3.7.
_CLOCK_BOOTTIME = 7


def held_label_files(pid: int, proc: str = "/proc") -> Optional[List[HeldFile]]:
    """Return the file-context databases that a process holds, or None without permission."""
    mapped = mapped_label_files(pid, proc)
    return None if mapped is None else list(mapped)


def mapped_label_files(pid: int, proc: str = "/proc") -> Optional[Dict[HeldFile, str]]:
    """Return the same files, each with its name below /proc/PID/map_files."""
    try:
        with open("%s/%d/maps" % (proc, pid), "rb") as maps:
            content = maps.read()
    except OSError:
        return None
    # There are many processes, and few of them hold such a file.
    return parse_maps(content.decode("utf-8", "surrogateescape")) if b"/contexts/files/" in content else {}


def parse_maps(text: str) -> Dict[HeldFile, str]:
    """Parse /proc/PID/maps (proc(5)): the databases, each with the address range of its first mapping.

    The range is written as in /proc/PID/map_files, without leading zeros; empty if it is not valid.
    """
    held: Dict[HeldFile, str] = {}
    for line in text.split("\n"):
        match = re.match(_LABEL_FILE, line) if "/contexts/files/" in line else None
        if match:
            file = HeldFile(match.group(3), int(match.group(2)), bool(match.group(4)))
            held.setdefault(file, _range(match.group(1)))
    return held


def _range(addresses: str) -> str:
    try:
        begin, end = (int(half, 16) for half in addresses.split("-"))
    except ValueError:
        return ""
    return "%x-%x" % (begin, end)


def started_at(pid: int, proc: str = "/proc") -> Optional[float]:
    """Return when a process was started (seconds since the epoch, by the current clock), or None."""
    try:
        with open("%s/%d/stat" % (proc, pid), "rb") as stream:
            # The name of the process is in parentheses, and may contain any byte.
            ticks = int(stream.read().rpartition(b")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None
    return time.time() - time.clock_gettime(_CLOCK_BOOTTIME) + ticks / os.sysconf("SC_CLK_TCK")


def mapped_at(pid: int, proc: str = "/proc") -> str:
    """Return the address of a process's program, which changes with each execution; empty if unknown."""
    try:
        with open("%s/%d/maps" % (proc, pid), "rb") as maps:
            return maps.readline().split(b" ")[0].decode("ascii", "replace")
    except OSError:
        return ""


def booted_at() -> Optional[float]:
    """Return when the kernel was booted, and so PID 1 started (seconds since the epoch; proc(5), btime)."""
    try:
        with open("/proc/stat", encoding="ascii", errors="replace") as lines:
            return next((float(line.split()[1]) for line in lines if line.startswith("btime ")), None)
    except (OSError, ValueError, IndexError):
        return None


def pids() -> List[int]:
    """Return the process IDs of all processes, PID 1 first."""
    try:
        return sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
    except OSError:
        return []


def owner(pid: int) -> Optional[int]:
    """Return the user that a process runs as, or None if there is no such process."""
    try:
        return os.stat("/proc/%d" % pid).st_uid
    except OSError:
        return None


def comm(pid: int) -> str:
    """Return the name of a process, as ps(1) shows it, or an empty string."""
    try:
        with open("/proc/%d/comm" % pid, encoding="utf-8", errors="replace") as name:
            return name.read().rstrip("\n")
    except OSError:
        return ""


def unit_of(pid: int) -> Optional[str]:
    """Return the unit that a process runs in, or None (PID 1 runs in none)."""
    try:
        with open("/proc/%d/cgroup" % pid, encoding="utf-8", errors="surrogateescape") as groups:
            return parse_cgroup(groups.read())
    except OSError:
        return None


def parse_cgroup(text: str) -> Optional[str]:
    """Parse /proc/PID/cgroup (cgroups(7)): the last unit in the hierarchy of systemd, which is number 0 or named so."""
    for line in text.split("\n"):
        fields = line.split(":", 2)
        if len(fields) == 3 and (fields[1] == "name=systemd" or fields[:2] == ["0", ""]):
            units = [name for name in fields[2].split("/") if name.endswith((".service", ".scope"))]
            # The system manager knows only the service in which a user's own manager runs.
            units = [name for name in units if name.startswith("user@")] or units
            if units and units[-1] != "init.scope":
                return units[-1]
    return None


def keeps_labels(path: str) -> bool:
    """Return whether the file system of a path stores labels."""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as mounts:
            return parse_mounts(mounts.read(), path)
    except OSError:
        return True


def parse_mounts(text: str, path: str) -> bool:
    """Parse /proc/PID/mountinfo (proc(5)): return whether the mount of a real path has the option "seclabel".

    The kernel shows it if the labels of files can be set (security/selinux/hooks.c, SBLABEL_MNT).
    """
    best, labels = "", True
    for line in text.split("\n"):
        words, _, more = line.partition(" - ")
        fields, options = words.split(" "), more.split(" ")
        if len(fields) < 5 or len(options) < 3:
            continue
        place = re.sub(r"\\([0-7]{3})", lambda escape: chr(int(escape.group(1), 8)), fields[4])
        # The last mount on a mount point hides earlier ones.
        if (path == place or path.startswith(place.rstrip("/") + "/")) and len(place) >= len(best):
            best, labels = place, "seclabel" in options[2].split(",")
    return labels


def context(pid: int) -> Optional[str]:
    """Return the security context of a process, or None."""
    try:
        with open("/proc/%d/attr/current" % pid, "rb") as attribute:
            return attribute.read().rstrip(b"\0\n").decode() or None
    except OSError:
        return None


def command_line(pid: int) -> List[str]:
    """Return the words of a process's command line; empty if there is no such process."""
    try:
        with open("/proc/%d/cmdline" % pid, "rb") as stream:
            return os.fsdecode(stream.read(1 << 16)).split("\0")[:-1]
    except OSError:
        return []


def parent(pid: int) -> int:
    """Return the process ID of the parent of a process, or 0."""
    try:
        with open("/proc/%d/stat" % pid, "rb") as stream:
            # The state and the parent follow the name, which may contain any byte.
            return int(stream.read(4096).rpartition(b")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0


_REPLACED = " (deleted)"


def executable(pid: int) -> Optional[str]:
    """Return the path of the program that a process runs, even if the file was replaced since."""
    path = _program(pid)
    return path[:-len(_REPLACED)] if path and path.endswith(_REPLACED) else path


def program_replaced(pid: int) -> bool:
    """Return whether a process runs a program that is no longer on disk, for example after an upgrade."""
    return (_program(pid) or "").endswith(_REPLACED)


def _program(pid: int) -> Optional[str]:
    try:
        return os.readlink("/proc/%d/exe" % pid)
    except OSError:
        return None


def shares_root(pid: int) -> bool:
    """Return whether / is a process's root, as systemd's own running_in_chroot() does for PID 1.

    Only root has permission to check; for other users the result is True.  If root has no permission, it is False.
    """
    try:
        ours, theirs = os.stat("/"), os.stat("/proc/%d/root" % pid)
    except PermissionError:
        return os.geteuid() != 0
    except OSError:
        return False
    return (ours.st_dev, ours.st_ino) == (theirs.st_dev, theirs.st_ino)
