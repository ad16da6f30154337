"""The only reader of denials: from the audit log, or, if there is none, from the journal."""

import os
import time

from ..model.denials import Denial, select
from ..model.errors import CommandFailed
from ..model.typed import Any, List, Optional, Tuple
from .run import Runner

AUDIT_LOG = "/var/log/audit/audit.log"
_RECENT = 24 * 3600.0
_LIMIT = 20.0
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
