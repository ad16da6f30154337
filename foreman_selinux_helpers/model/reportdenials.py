"""Convert the denials in a sos report to the form of the kernel's records.  Pure.

A report holds the audit log, the output of ``ausearch -i``, with a date instead of a number (sos 4.10 and later),
and the output of ``journalctl``, where the record of the audit socket has no time.
"""

import re
from calendar import timegm
from time import gmtime, strptime

from .typed import Dict, Iterable, List, Optional

_DENIED = "avc:"
_RAW = r"audit\(\d+\.\d+:\d+\)"
# %x of the C locale; in other locales the year has four digits.
_DATED = r"audit\((\d\d)/(\d\d)/(\d\d(?:\d\d)?) (\d\d:\d\d:\d\d)\.(\d+:\d+)\)"
_JOURNAL = r"([A-Z][a-z]{2}) +(\d{1,2}) (\d\d:\d\d:\d\d) "


def records(lines: Iterable[str], offset: Optional[int], taken: Optional[float]) -> List[str]:
    """Return the lines about denials, each with its time in the kernel's form; other lines are left out.

    ``offset``: the seconds that the host's local time is ahead of UTC (None: unknown, 0 is assumed); ``taken``: when
    the report was made, for times without a year.
    """
    unique: Dict[str, None] = {}
    for line in lines:
        if _DENIED not in line:
            continue
        if re.search(_RAW, line):
            record: Optional[str] = line
        else:
            record = _from_date(line, offset or 0) or _from_journal(line, offset or 0, taken)
        if record:
            unique[record] = None
    return list(unique)


def _from_date(line: str, offset: int) -> Optional[str]:
    dated = re.search(_DATED, line)
    if not dated:
        return None
    month, day, year, clock, serial = dated.groups()
    year = year if len(year) == 4 else "20" + year
    seconds = _seconds("%s-%s-%s %s" % (year, month, day, clock), "%Y-%m-%d %H:%M:%S")
    if seconds is None:
        return None
    return "%saudit(%d.%s)%s" % (line[:dated.start()], seconds - offset, serial, line[dated.end():])


def _from_journal(line: str, offset: int, taken: Optional[float]) -> Optional[str]:
    """Add the time to a line of the journal.  It has no year: take the latest that is not after the report."""
    dated = re.match(_JOURNAL, line)
    if not dated or taken is None:
        return None
    year = gmtime(taken + offset).tm_year
    for candidate in (year, year - 1):
        seconds = _seconds("%d %s" % (candidate, " ".join(dated.groups())), "%Y %b %d %H:%M:%S")
        if seconds is not None and seconds - offset <= taken + 86400:
            return "audit(%d.000:0): %s" % (seconds - offset, line)
    return None


def _seconds(text: str, form: str) -> Optional[int]:
    try:
        return timegm(strptime(text, form))
    except (ValueError, OverflowError):
        return None
