"""What the tables of docs/ say, for the tests that make it come true."""

import re
from pathlib import Path
from typing import List

DOCS = Path(__file__).resolve().parent.parent / "docs"


def table(page: str, heading: str) -> List[List[str]]:
    """Return the rows of the table below a heading, each a list of cells."""
    text = (DOCS / page).read_text(encoding="utf-8")
    section = text.split("\n## %s\n" % heading, 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.split("\n") if line.startswith("| ")][2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def says(message: str, said: str) -> bool:
    """Tell whether what was said is what a cell has in code quotes; ``…`` stands for anything in a line."""
    return re.search(re.escape(message.strip("`")).replace("…", ".*").replace("\\.*", ".*"), said) is not None
