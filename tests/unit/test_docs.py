"""What the documentation claims is there to be claimed."""

import re
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
DOCS = TESTS.parent / "docs"


def test_every_test_that_is_named_exists():
    named = [found for page in DOCS.glob("*.md")
             for found in re.findall(r"`((?:unit|store|rpm|vm)/[\w/]+\.py)::(\w+)", page.read_text(encoding="utf-8"))]
    assert len(named) > 10
    for file, function in named:
        assert "\ndef %s(" % function in (TESTS / file).read_text(encoding="utf-8"), (file, function)
