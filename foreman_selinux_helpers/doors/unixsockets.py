"""The unix sockets of the host, from /proc: listening sockets, and the processes that have them open."""

import os

from ..model.typed import Collection, Dict, List, Optional, Value
from . import procfs

_LISTENING = 0x10000  # __SO_ACCEPTCON in the Flags column (include/linux/net.h)


class UnixSocket(Value):
    """A unix socket that listens, or receives datagrams."""

    inode: int
    datagram: bool


def listening_sockets(text: str) -> Dict[str, List[UnixSocket]]:
    """Parse /proc/net/unix: the sockets that listen (or receive datagrams), by path.

    Any user can give a socket a name that contains a newline, which is printed unescaped (net/unix/af_unix.c),
    and then text that looks like the line of another socket.  An inode that occurs twice is omitted.
    """
    lines: Dict[str, List[List[str]]] = {}
    for line in text.split("\n")[1:]:
        # Num RefCount Protocol Flags Type St Inode Path
        words = line.split(None, 7)
        if len(words) >= 7:
            lines.setdefault(words[6].lstrip("0"), []).append(words)
    sockets: Dict[str, List[UnixSocket]] = {}
    for words in (same[0] for same in lines.values() if len(same) == 1):
        if len(words) == 8 and words[7].startswith("/"):
            try:
                stream = int(words[4], 16) in (1, 5)
                if not stream or int(words[3], 16) & _LISTENING:
                    sockets.setdefault(words[7], []).append(UnixSocket(int(words[6]), not stream))
            except ValueError:
                continue
    return sockets


def socket_descriptors(pid: int) -> Dict[int, int]:
    """Return the sockets that a process has open: inode to descriptor; empty without permission."""
    directory = "/proc/%d/fd" % pid
    sockets = {}
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
            sockets[int(target[8:-1])] = int(descriptor)
    return sockets


class Listeners:
    """The unix sockets on which a process listens, read once for many paths."""

    def __init__(self, pid: int) -> None:
        self._descriptors = socket_descriptors(pid)
        try:
            # The table of that process: this one may be in another network namespace (PrivateNetwork=).
            with open("/proc/%d/net/unix" % pid, encoding="utf-8", errors="surrogateescape") as table:
                self.sockets = listening_sockets(table.read())
        except OSError:
            self.sockets = {}

    def descriptor(self, path: str) -> Optional[int]:
        """Return the descriptor under which the process listens at this path, or None."""
        for socket in self.sockets.get(path, ()):
            if socket.inode in self._descriptors:
                return self._descriptors[socket.inode]
        return None

    def anybody(self, path: str) -> bool:
        """Return whether any process listens at this path."""
        return path in self.sockets

    def datagram(self, path: str) -> bool:
        """Return whether a socket at this path receives datagrams."""
        return any(socket.datagram for socket in self.sockets.get(path, ()))


class Holder(Value):
    """A process that has a socket open, and its descriptor."""

    pid: int
    descriptor: int


def holders(inodes: Collection[int]) -> List[Holder]:
    """Return the processes that have one of these sockets open, PID 1 first; only root sees those of other users."""
    return [Holder(pid, descriptor) for pid in (procfs.pids() if inodes else ())
            for inode, descriptor in socket_descriptors(pid).items() if inode in inodes]
