"""Parse the output of lsof(8) with ``+M -n -l`` in a sos report: the label databases that processes hold.  Pure.

The FD column of a mapped file is ``mem``, or ``DEL`` once it was deleted or replaced; the inode is that of the
mapped file.  The size may be missing, and with threads there are two more columns.  If lsof itself finds another
file or none at the path, ``(path inode=…)`` or ``(stat: …)`` follows: the process has another root directory.  A
mere ``(path dev=…)`` is normal on btrfs.
"""

import re

from .labelcache import HeldFile
from .typed import Dict, Iterable, List, Optional, Set, Tuple, Value

_HEAD = "COMMAND"
_DATABASE = "/file_contexts"
_ROW = (r"(?P<command>\S+) +(?P<pid>\d+) +(?:(?P<thread>\d+) +\S+ +)?(?P<user>\S+) +(?P<fd>mem|DEL)[-rwuW]* +REG +"
        r"(?P<device>\S+) +(?:\S+ +)?(?P<inode>\d+) (?P<path>/.*)\Z")
# The remarks that may follow a path.
_REMARKS = (" (path ", " (stat: ")
# Any other row that may name a database: an open file.
_OTHER = r"\S+ +\d+ +(?:\d+ +\S+ +)?\S+ +(?:\d+[-\w]*|[a-z]{3}) +[A-Za-z]\w* "
_DELETED = " (deleted)"
# lsof escapes white space and unprintable bytes of a command like this.
_ESCAPED = r"\\x([0-9a-f]{2})"


class Holder(Value):
    """A process that has label databases mapped; ``user_id``: None if lsof prints a name."""

    pid: int
    comm: str
    user_id: Optional[int]
    held: List[HeldFile]


class Listing(Value):
    """The parsed output: the holders by PID, and the inodes of the databases that were on disk when lsof ran.

    ``elsewhere``: the processes that hold databases of another root directory, as in a container;
    ``incomplete``: why there may be more holders, or None.
    """

    holders: Dict[int, Holder]
    on_disk: Dict[str, int]
    elsewhere: Set[int]
    incomplete: Optional[str]


class _Row(Value):
    """A mapped file; ``other``: another file is at its path."""

    holder: Holder
    device: str
    held: HeldFile
    other: bool


def parse(lines: Iterable[str], ended: bool = True) -> Listing:
    """Parse the heading and the lines that name a label database; ``ended``: the last line is complete.

    A child of systemd that has not executed its own program yet is left out: its name is in parentheses.
    """
    rows: List[_Row] = []
    on_disk: Dict[str, int] = {}
    headed = unread = False
    for line in lines:
        headed = headed or line.startswith(_HEAD)
        match = re.match(_ROW, line)
        if match and not match.group("thread") and _DATABASE in match.group("path") \
                and not match.group("command").startswith("("):
            row, inode = _row(match)
            rows.append(row)
            if inode is not None:
                on_disk.setdefault(row.held.path, inode)
        # sos mixes errors into the output: they may be in the middle of a row.
        unread = unread or (match is None and _DATABASE in line and not re.match(_OTHER, line))
    here = {row.device for row in rows if row.holder.pid == 1} \
        or {row.device for row in rows if not row.other and not row.held.deleted}
    holders: Dict[int, Holder] = {}
    elsewhere = set()
    for row in rows:
        if row.other or (here and row.device not in here):
            elsewhere.add(row.holder.pid)
            continue
        held = holders.setdefault(row.holder.pid, row.holder).held
        if row.held not in held:
            held.append(row.held)
        if not row.held.deleted:
            on_disk[row.held.path] = row.held.inode
    incomplete = "its beginning is missing" if not headed else "its last line is cut off" if not ended else \
        "some of its lines cannot be read" if unread else None
    return Listing(holders, on_disk, elsewhere, incomplete)


def _row(match: "re.Match[str]") -> Tuple[_Row, Optional[int]]:
    """Return a parsed row, and the inode at the path if another file is there."""
    path, deleted, remark = match.group("path"), match.group("fd") == "DEL", ""
    for start in _REMARKS:
        place = path.rfind(start)
        if place > 0 and path.endswith(")"):
            path, remark = path[:place], path[place:]
    if path.endswith(_DELETED):
        path, deleted = path[:-len(_DELETED)], True
    command = re.sub(_ESCAPED, lambda escaped: chr(int(escaped.group(1), 16)), match.group("command"))
    user = match.group("user")
    holder = Holder(int(match.group("pid")), command, int(user) if user.isdigit() else None, [])
    inode = re.search(r"\binode=(\d+)", remark)
    other = not deleted and (inode is not None or remark.startswith(_REMARKS[1]))
    held = HeldFile(path, int(match.group("inode")), deleted)
    return _Row(holder, match.group("device"), held, other), int(inode.group(1)) if inode else None
