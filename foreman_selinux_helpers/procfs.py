"""The only door to /proc: what a process holds, and which sockets listen."""

import os
import re
from typing import Dict, List, NamedTuple, Optional

_LABEL_FILE = re.compile(r"\S+ \S+ \S+ \S+ ([0-9]{1,20})\s+(/.*/contexts/files/file_contexts\S*)( \(deleted\))?\Z")
_LISTENING = 0x10000  # __SO_ACCEPTCON in the Flags column (include/linux/net.h)


class HeldFile(NamedTuple):
    """A file-context database that a process has mapped."""

    path: str
    inode: int
    deleted: bool


def held_label_files(pid: int, proc: str = "/proc") -> Optional[List[HeldFile]]:
    """Return the file-context databases that a process holds, or None if one may not look."""
    try:
        with open("%s/%d/maps" % (proc, pid), encoding="utf-8", errors="surrogateescape") as maps:
            return parse_maps(maps.read())
    except OSError:
        return None


def parse_maps(text: str) -> List[HeldFile]:
    """Read the text of /proc/PID/maps (proc(5)); other mappings are passed over."""
    held: Dict[HeldFile, None] = {}
    for line in text.split("\n"):
        found = _LABEL_FILE.match(line) if "/contexts/files/" in line else None
        if found:
            one = HeldFile(found.group(2), int(found.group(1)), bool(found.group(3)))
            held[one] = None
    return list(held)


def listening_inodes(text: str) -> Dict[str, List[int]]:
    """Read /proc/net/unix: the socket inodes that listen (or receive datagrams), by path."""
    found: Dict[str, List[int]] = {}
    for line in text.split("\n")[1:]:
        # Num RefCount Protocol Flags Type St Inode Path
        words = line.split(None, 7)
        if len(words) == 8 and words[7].startswith("/"):
            try:
                stream = int(words[4], 16) in (1, 5)
                if not stream or int(words[3], 16) & _LISTENING:
                    found.setdefault(words[7], []).append(int(words[6]))
            except ValueError:
                continue
    return found


def socket_descriptors(pid: int) -> Dict[int, int]:
    """Return the sockets that a process has open: inode to descriptor; empty if one may not look."""
    directory = "/proc/%d/fd" % pid
    found = {}
    try:
        descriptors = os.listdir(directory)
    except OSError:
        return {}
    for descriptor in descriptors:
        try:
            target = os.readlink(os.path.join(directory, descriptor))
        except OSError:
            continue
        if target.startswith("socket:["):
            found[int(target[8:-1])] = int(descriptor)
    return found


class Listeners:
    """The unix sockets that one process listens on, looked up once for many paths."""

    def __init__(self, pid: int) -> None:
        self._descriptors = socket_descriptors(pid)
        try:
            with open("/proc/net/unix", encoding="utf-8", errors="surrogateescape") as table:
                self._inodes = listening_inodes(table.read())
        except OSError:
            self._inodes = {}

    def descriptor(self, path: str) -> Optional[int]:
        """Return the descriptor under which the process listens at this path, or None."""
        for inode in self._inodes.get(path, ()):
            if inode in self._descriptors:
                return self._descriptors[inode]
        return None


def context(pid: int) -> Optional[str]:
    """Return the security context of a process, or None."""
    try:
        with open("/proc/%d/attr/current" % pid, "rb") as attribute:
            return attribute.read().rstrip(b"\0\n").decode() or None
    except OSError:
        return None


def executable(pid: int) -> Optional[str]:
    """Return the path of the program that a process runs, also when the file was replaced since."""
    try:
        path = os.readlink("/proc/%d/exe" % pid)
    except OSError:
        return None
    return path[:-len(" (deleted)")] if path.endswith(" (deleted)") else path


def shares_root_with_init() -> bool:
    """Tell whether / is PID 1's root, as systemd's own running_in_chroot() does.

    Only root may look; for others it is taken to be so.  Where root may not, PID 1 is not ours.
    """
    try:
        ours, theirs = os.stat("/"), os.stat("/proc/1/root")
    except PermissionError:
        return os.geteuid() != 0
    except OSError:
        return False
    return (ours.st_dev, ours.st_ino) == (theirs.st_dev, theirs.st_ino)
