"""The only reader of denials: from the audit log, or, if there is none, from the journal."""

import os
import re
import time

from ..model.errors import CommandFailed
from ..model.typed import Any, List, Optional, Tuple, Value
from .run import Runner

AUDIT_LOG = "/var/log/audit/audit.log"
_RECENT = 24 * 3600.0
_MOST = 5
_LIMIT = 20.0
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


def recent(path: str, runner: Runner) -> Tuple[List[Denial], Optional[str]]:
    """Return the last denials within a day for a socket, oldest first; or the reason why they cannot be read."""
    since = time.time() - _RECENT
    if os.geteuid() != 0:
        return [], "denials in the audit log and the journal may only be read by root"
    lines = _audit_log(since)
    if lines is not None:
        return select(lines, path, since), None
    try:
        # The journal receives them as well, from the kernel log or the audit socket.
        text = runner.check(["/usr/bin/journalctl", "--quiet", "--no-pager", "--boot", "--output=cat",
                             "_TRANSPORT=audit", "+", "_TRANSPORT=kernel"], limit=_LIMIT)
    except CommandFailed as error:
        return [], "the journal cannot be read: %s" % error
    return select(text.split("\n"), path, since), None


def _audit_log(since: float) -> Optional[List[str]]:
    """Return the records of all events with a denial, or None without an audit log or auparse(3)."""
    try:
        import auparse
    except ImportError:
        return None
    if not os.access(AUDIT_LOG, os.R_OK):
        return None
    return records(auparse, auparse.AuParser(auparse.AUSOURCE_LOGS), since)


def records(auparse: Any, parser: Any, since: float) -> List[str]:
    """Return the records that auparse(3) finds in a source."""
    lines = []
    parser.search_add_item("type", "=", "AVC", auparse.AUSEARCH_RULE_CLEAR)
    parser.search_add_timestamp_item(">=", int(since), 0, auparse.AUSEARCH_RULE_AND)
    parser.search_set_stop(auparse.AUSEARCH_STOP_EVENT)
    try:
        while parser.search_next_event():
            lines.append(str(parser.get_record_text()))
            while parser.next_record():
                lines.append(str(parser.get_record_text()))
    except OSError:
        pass  # end of the logs
    return lines


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
