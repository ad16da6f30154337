"""The facts about one path.  Pure."""

from .errors import UsageError
from .facts import Host
from .filecontexts import Rule
from .labelcache import LabelCache
from .modes import Permissions
from .rules import Decision
from .sockets import SocketView
from .typed import Optional, Sequence, Value
from .winner import Verdict


class Inode(Value):
    """A file at a path: its file type, label and permissions, and the target of a symbolic link."""

    kind: str
    label: Optional[str]
    target: Optional[str]
    permissions: Optional[Permissions] = None


class Listener(Value):
    """A process that listens at a path, and the label of the socket object it listens with."""

    pid: int
    comm: str
    unit: Optional[str]
    socket_label: Optional[str]

    def __str__(self) -> str:
        return "%s (PID %d%s)" % (self.comm, self.pid, ", " + self.unit if self.unit else "")


class PathFacts(Value):
    """The facts about a path and one file type.

    ``inode``: the file there, of any file type.  ``expected``: what libselinux answers.  ``meant``: a rule for exactly
    this path, but for another file type or in a spelling that cannot match; read if no profile names the path.
    ``customizable``: restorecon(8) leaves the label alone.  ``keeps_labels``: the file system keeps labels.  Both are
    read if no unit and no profile names the path.
    """

    host: Host
    path: str
    file_type: str
    inode: Optional[Inode]
    verdict: Verdict
    expected: Optional[str]
    listeners: Sequence[Listener]
    meant: Optional[Rule] = None
    customizable: bool = False
    keeps_labels: bool = True

    @property
    def live(self) -> bool:
        """Return whether the labels of files are meaningful here."""
        return self.host.offline is None

    @property
    def own(self) -> Optional[Inode]:
        """The file there, if it has the file type in question."""
        return self.inode if self.inode and self.inode.kind == self.file_type else None


class UnitSocket(Value):
    """The socket of a unit that has the path, as ``status`` judges it."""

    view: SocketView
    problem: Optional[str]
    remedy: Optional[str]
    command: Optional[str]
    decisions: Sequence[Decision]
    cache: LabelCache


def plain_path(path: str) -> str:
    """Return the path in its shortest form; raise UsageError if it is not absolute."""
    try:
        path.encode("utf-8")
    except UnicodeError as error:
        raise UsageError("%r: a path that is not UTF-8 cannot be looked up" % path) from error
    if not path.startswith("/") or "\0" in path:
        raise UsageError("%r is not an absolute path" % path)
    if ".." in path.split("/"):
        raise UsageError("%r: write the path without '..'" % path)
    return "/" + "/".join(part for part in path.split("/") if part not in ("", "."))
