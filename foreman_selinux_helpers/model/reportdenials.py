"""Puts what a sos report has of denials into the form of the kernel's own records.  Pure.

Beside the audit log there are ``ausearch -i``, with a date instead of a number (sos 4.10 and later), and the journal as
``journalctl`` prints it, where the record of the audit socket has none at all.
"""

import re
from calendar import timegm
from time import gmtime, strptime

from .typed import Dict, Iterable, List, Optional

_DENIED = "avc:"
_RAW = r"audit\(\d+\.\d+:\d+\)"
# %x of the C locale; the year has four digits in others.
_DATED = r"audit\((\d\d)/(\d\d)/(\d\d(?:\d\d)?) (\d\d:\d\d:\d\d)\.(\d+:\d+)\)"
_JOURNAL = r"([A-Z][a-z]{2}) +(\d{1,2}) (\d\d:\d\d:\d\d) "


def records(lines: Iterable[str], offset: Optional[int], taken: Optional[float]) -> List[str]:
    """Return the lines about denials, each with its time as the kernel writes it; others are left out.

    ``offset``: seconds that the host's local time is ahead of UTC (None: unknown, taken for 0); ``taken``: when
    the report was made, for what has no year.
    """
    found: Dict[str, None] = {}
    for line in lines:
        if _DENIED not in line:
            continue
        if re.search(_RAW, line):
            record: Optional[str] = line
        else:
            record = _from_date(line, offset or 0) or _from_journal(line, offset or 0, taken)
        if record:
            found[record] = None
    return list(found)


def _from_date(line: str, offset: int) -> Optional[str]:
    dated = re.search(_DATED, line)
    if not dated:
        return None
    month, day, year, clock, rest = dated.groups()
    year = year if len(year) == 4 else "20" + year
    seconds = _seconds("%s-%s-%s %s" % (year, month, day, clock), "%Y-%m-%d %H:%M:%S")
    if seconds is None:
        return None
    return "%saudit(%d.%s)%s" % (line[:dated.start()], seconds - offset, rest, line[dated.end():])


def _from_journal(line: str, offset: int, taken: Optional[float]) -> Optional[str]:
    """Add the time of a journal's line; it has no year: the report is not older than what is in it."""
    dated = re.match(_JOURNAL, line)
    if not dated or taken is None:
        return None
    year = gmtime(taken + offset).tm_year
    for one in (year, year - 1):
        seconds = _seconds("%d %s" % (one, " ".join(dated.groups())), "%Y %b %d %H:%M:%S")
        if seconds is not None and seconds - offset <= taken + 86400:
            return "audit(%d.000:0): %s" % (seconds - offset, line)
    return None


def _seconds(text: str, form: str) -> Optional[int]:
    try:
        return timegm(strptime(text, form))
    except (ValueError, OverflowError):
        return None
