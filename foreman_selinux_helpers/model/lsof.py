"""Which processes hold which label databases, by lsof(8) with ``+M -n -l`` as a sos report has it.  Pure.

A mapped file has ``mem`` in the FD column, and ``DEL`` once it was deleted or replaced; the inode is that of the
file that is mapped.  The size may be missing, and with threads there are two more columns.  Where another file, or
none, is at the path for lsof itself, ``(path inode=…)`` or ``(stat: …)`` follows: the process has another root
directory.  A mere ``(path dev=…)`` is normal on btrfs.
"""

import re

from .labelcache import HeldFile
from .typed import Dict, Iterable, List, Optional, Set, Tuple, Value

_HEAD = "COMMAND"
_DATABASE = "/file_contexts"
_ROW = (r"(?P<command>\S+) +(?P<pid>\d+) +(?:(?P<thread>\d+) +\S+ +)?(?P<user>\S+) +(?P<fd>mem|DEL)[-rwuW]* +REG +"
        r"(?P<device>\S+) +(?:\S+ +)?(?P<inode>\d+) (?P<path>/.*)\Z")
# What may follow a path.
_REMARKS = (" (path ", " (stat: ")
# Any other row that may name one: a file that is open.
_OTHER = r"\S+ +\d+ +(?:\d+ +\S+ +)?\S+ +(?:\d+[-\w]*|[a-z]{3}) +[A-Za-z]\w* "
_DELETED = " (deleted)"
# lsof writes white space and unprintable bytes of a command so.
_ESCAPED = r"\\x([0-9a-f]{2})"


class Holder(Value):
    """A process that has label databases mapped; ``user_id``: None where lsof gives a name."""

    pid: int
    comm: str
    user_id: Optional[int]
    held: List[HeldFile]


class Listing(Value):
    """What lsof tells: the holders by PID, and the inodes of the databases that were on disk when it ran.

    ``elsewhere``: the processes that hold databases of another root directory, as in a container;
    ``incomplete``: why there may be more holders, or None.
    """

    holders: Dict[int, Holder]
    on_disk: Dict[str, int]
    elsewhere: Set[int]
    incomplete: Optional[str]


class _Row(Value):
    """A file that is mapped; ``other``: what is at its path is not that file."""

    holder: Holder
    device: str
    held: HeldFile
    other: bool


def parse(lines: Iterable[str], ended: bool = True) -> Listing:
    """Read the line of headings and those that name a label database; ``ended``: the last line has an end.

    A child that systemd has forked and that has not executed its own program is left out: its name is in parentheses.
    """
    rows: List[_Row] = []
    on_disk: Dict[str, int] = {}
    headed = unread = False
    for line in lines:
        headed = headed or line.startswith(_HEAD)
        found = re.match(_ROW, line)
        if found and not found.group("thread") and _DATABASE in found.group("path") \
                and not found.group("command").startswith("("):
            row, inode = _row(found)
            rows.append(row)
            if inode is not None:
                on_disk.setdefault(row.held.path, inode)
        # sos puts errors between: they may stand in the middle of a row.
        unread = unread or (found is None and _DATABASE in line and not re.match(_OTHER, line))
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


def _row(found: "re.Match[str]") -> Tuple[_Row, Optional[int]]:
    """Return what a row tells, and the inode at the path where that is another file's."""
    path, deleted, remark = found.group("path"), found.group("fd") == "DEL", ""
    for start in _REMARKS:
        place = path.rfind(start)
        if place > 0 and path.endswith(")"):
            path, remark = path[:place], path[place:]
    if path.endswith(_DELETED):
        path, deleted = path[:-len(_DELETED)], True
    command = re.sub(_ESCAPED, lambda escaped: chr(int(escaped.group(1), 16)), found.group("command"))
    user = found.group("user")
    holder = Holder(int(found.group("pid")), command, int(user) if user.isdigit() else None, [])
    inode = re.search(r"\binode=(\d+)", remark)
    other = not deleted and (inode is not None or remark.startswith(_REMARKS[1]))
    held = HeldFile(path, int(found.group("inode")), deleted)
    return _Row(holder, found.group("device"), held, other), int(inode.group(1)) if inode else None
