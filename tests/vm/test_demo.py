"""The demonstration ends well, and README shows what it prints."""

import re

from . import demo

# What differs from one run to another.
_VARYING = re.compile(r"PID [0-9]{2,}|inode [0-9]+|[0-9]{2} [A-Z][a-z]{2} [0-9:]{5}")


def fixed(text: str) -> str:
    """Return a text without what differs, and without its line breaks, which that moves."""
    return " ".join(_VARYING.sub("…", " ".join(text.split())).split())


def test_readme_shows_what_the_demonstration_prints():
    story = demo.tell()
    assert story.well
    shown = demo.blocks(demo.README.read_text(encoding="utf-8"))
    assert {name: fixed(text) for name, text in shown.items()} == {name: fixed(text) for name, text in story.printed.items()}
    assert all(len(line) <= 80 or " " not in line.strip() for text in shown.values() for line in text.split("\n"))
