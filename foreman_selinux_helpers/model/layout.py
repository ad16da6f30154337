"""Lay out text output: 80 columns, names and values in two columns, colour on request.  Pure."""

import re

from .typed import List, Optional, Sequence

WIDTH = 80
_INDENT = 4
_NAME = 13
_COLOURS = {"good": "\033[32m", "bad": "\033[1;31m", "heading": "\033[1m"}
_PLAIN = "\033[0m"
_CONTROL = "[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]"


def printable(text: str) -> str:
    """Replace control characters in a text; unprivileged users can choose names that contain some."""
    return re.sub(_CONTROL, "?", text)


def wrap(text: str, indent: int = 0, first: Optional[str] = None) -> List[str]:
    """Wrap a text into indented lines; never break a word, as users copy labels and paths from here.

    ``first`` replaces the indentation of the first line.
    """
    import textwrap

    start = " " * indent
    before = start if first is None else first
    return textwrap.wrap(printable(text), WIDTH, initial_indent=before, subsequent_indent=start,
                         break_long_words=False, break_on_hyphens=False) or [before.rstrip()]


def entry(name: str, text: str, indent: int = _INDENT) -> List[str]:
    """Return the lines of a name and its value."""
    return wrap(text, indent + _NAME + 1, "%*s%-*s " % (indent, "", _NAME, name))


def table(rows: Sequence[Sequence[str]]) -> List[str]:
    """Return the lines of a table with aligned columns."""
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))] if rows else []
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]


def paint(text: str, kind: str, colour: bool) -> str:
    """Return the text in the colour for ``kind`` (good, bad, heading), or unchanged."""
    return _COLOURS[kind] + text + _PLAIN if colour else text
