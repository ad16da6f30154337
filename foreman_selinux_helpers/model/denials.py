"""Parse the kernel's records of denied accesses.  Pure."""

import os
import re

from .typed import List, Value

_MOST = 5
_DENIED = re.compile(r"avc: +denied +\{ ([a-z0-9_ ]+) \}")
_STAMP = re.compile(r"audit\((\d+)\.\d+:\d+\)")
# A value in quotes, or an unquoted one, which is hexadecimal if the value contains white space or quotes.
_FIELD = re.compile(r'\b(comm|name|path|scontext|tcontext|tclass|permissive)=(?:"([^"]*)"|(\S+))')


class Denial(Value):
    """A denied access: its time (seconds since the epoch), the process, and the access."""

    time: int
    comm: str
    source: str
    target: str
    file_class: str
    permission: str
    permissive: bool


def select(lines: List[str], path: str, since: float) -> List[Denial]:
    """Parse denials, and return the last ones for a path.

    The kernel logs only the last component of the path of an inode, but the whole path of a socket object.
    """
    denials = []
    for line in lines:
        denied, stamp = _DENIED.search(line), _STAMP.search(line)
        if not denied or not stamp or int(stamp.group(1)) < since:
            continue
        fields = {name: quoted or _plain(name, bare) for name, quoted, bare in _FIELD.findall(line)}
        if path not in (fields.get("path"), os.path.join(os.path.dirname(path), fields.get("name", ""))):
            continue
        if "path" not in fields and fields.get("tclass") != "sock_file":
            continue
        denials.append(Denial(int(stamp.group(1)), fields.get("comm", ""), fields.get("scontext", ""),
                              fields.get("tcontext", ""), fields.get("tclass", ""), denied.group(1),
                              fields.get("permissive") == "1"))
    return denials[-_MOST:]


def _plain(name: str, value: str) -> str:
    if name in ("comm", "name", "path") and re.match(r"(?:[0-9A-F]{2})+\Z", value):
        return bytes.fromhex(value).decode("utf-8", "surrogateescape")
    return value
