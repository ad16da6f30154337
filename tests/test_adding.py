"""The table of docs/CONTRIBUTING.md, "To add something": the files that it names are enough, and each is needed.

Lint is part of it, so this runs where its tools are: under the system's Python alone.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from . import pages

TOP = Path(__file__).resolve().parent.parent
PACKAGE = "foreman_selinux_helpers"
# What each addition is called where a path of the table has the kind in capitals.
NAME = "lunar"
# What compares the tables with each other, and with what is written about them.
TABLES = ["tests/unit/test_house.py", "tests/unit/test_schema.py", "tests/unit/test_manual.py"]

VERB = '''"""The verb ``lunar``: tells the phase of the moon."""

from ..model.origin import of_root
from . import documents
from .context import Done, Request, Verb
from .documents import Document, Looked


def _run(request: Request) -> Done:
    looked = Looked(of_root(request.root()), ["the moon is full"])
    return Done(documents.envelope("lunar", True, False, looked), text)


def text(document: Document, colour: bool = False) -> str:
    """Return the document as lines for a terminal."""
    return "".join(note + "\\n" for note in document["notes"])


VERB = Verb("tell the phase of the moon", _run)
'''
TEST_OF_VERB = '''import json

from foreman_selinux_helpers import cli


def test_the_phase(tmp_path, capsys):
    assert cli.main(["lunar", "--json", "--root", str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out)["notes"] == ["the moon is full"]
    assert cli.main(["lunar", "--root", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "the moon is full\\n"
'''
DEFINITION = '''"lunar": {
      "type": "object",
      "additionalProperties": false,
      "required": ["schema", "command", "ok", "changed", "source", "notes", "unseen"],
      "properties": {
        "schema": {"const": 1},
        "command": {"const": "lunar"},
        "ok": {"type": "boolean"},
        "changed": {"type": "boolean"},
        "source": {"$ref": "#/definitions/source"},
        "notes": {"$ref": "#/definitions/lines"},
        "unseen": {"$ref": "#/definitions/unseen"}
      }
    },
    '''
# By kind and file: what is put in, and before which text; a new file has no such text.
EDITS = {
    "cause": {
        "model/causes.py": [('LUNAR = "lunar"\n', "\n\nclass Cause("), ('    Cause(LUNAR, "The moon shines on it."),\n', ")\n\n\ndef named(")],
        "model/sockets.py": [("    LUNAR,\n", "    MADE_BEFORE_RULE,\n    NO_LABEL"),
                             ('    if view.path.endswith(".moon"):\n        return LUNAR\n', "    if view.wanted.cause is not None and not view.idle:\n")],
        "docs/schema-1.json": [('"lunar", ', '"no-rule", "wrong-file-type"')],
        "docs/man/foreman-selinux-helpers.7.rst": [("lunar\n    The moon shines on it. Wait for the day.\n\n", "no-rule\n    ")],
        "tests/unit/model/test_sockets.py": [('    ({"path": "/run/a.moon"}, False, causes.LUNAR),\n', "    ({}, True, causes.LABEL_CACHE_STALE),\n")],
    },
    "guard": {
        "model/guards.py": [('LUNAR = "lunar"\n', "\n# Bytes.  systemd refuses below this"),
                            ('    (LUNAR, lambda conditions: "it is night" if "moon.target" in conditions.target_jobs else None),\n',
                             "    (MILDER_REMEDY_WORKS, lambda conditions: conditions.milder),\n")],
        "docs/schema-1.json": [('"lunar", ', '"selinux-disabled", "not-booted')],
        "docs/man/foreman-selinux-helpers.8.rst": [("lunar, ", "selinux-disabled,")],
        "docs/conditions.md": [("| it is night | `lunar` | 4 | `refused (lunar): it is night` |\n", "| its label cache is fresh |")],
        "tests/unit/model/test_guards.py": [('    ({"target_jobs": ("moon.target",)}, guards.LUNAR),\n', '    ({"switched_off": "the file says so"}')],
    },
    "verb": {
        "verbs/lunar.py": [(VERB, None)],
        "verbs/__init__.py": [('"lunar",\n         ', '"lint")')],
        "docs/schema-1.json": [('{"$ref": "#/definitions/lunar"},\n    ', '{"$ref": "#/definitions/failed"}'), (DEFINITION, '"failed": {'),
                               ('"lunar", ', '"detect", "explain", "stale",\n')],
        "docs/man/foreman-selinux-helpers.8.rst": [("**lunar**\n    Tell the phase of the moon.\n\n", "**lint** *FILE.fc*")],
        "README.md": [("| `lunar` | tells the phase of the moon |\n", "| `restart UNIT` |")],
        "completions/foreman-selinux-helpers": [("lunar ", 'lint"\n')],
        "tests/unit/verbs/test_lunar.py": [(TEST_OF_VERB, None)],
    },
}


def files(kind):
    """Return the files that the table names for a kind, in its order."""
    (named,) = [row[1] for row in pages.table("CONTRIBUTING.md", "To add something") if row[0] == kind]
    paths = re.findall(r"`([\w./-]+\.\w+|completions/[\w-]+)`", named)
    return [path.replace(kind.upper(), NAME) for path in paths]


def place(tree, path):
    """Return where a file is in a copy of the tree."""
    return tree / path if (TOP / path.split("/")[0]).exists() else tree / PACKAGE / path


def edit(tree, kind, path):
    file = place(tree, path)
    for added, mark in EDITS[kind][path]:
        text = "" if mark is None else file.read_text(encoding="utf-8")
        assert mark is None or text.count(mark) == 1, (path, mark)
        file.write_text(added if mark is None else text.replace(mark, added + mark), encoding="utf-8")


def run(tree, *command):
    done = subprocess.run(command, cwd=str(tree), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          universal_newlines=True, env=dict(os.environ, PYTHONDONTWRITEBYTECODE="1"))
    return done.returncode, done.stdout


def unit(tree, *tests):
    return run(tree, sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *tests)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Return a copy of the tree in which lint runs as it does here."""
    made = tmp_path_factory.mktemp("adding") / "tree"
    shutil.copytree(str(TOP), str(made), ignore=lambda directory, names: [
        name for name in names if name in (".git", "__pycache__") or (directory == str(TOP) and name == "build")])
    (made / "build").mkdir()
    (made / "build/venv").symlink_to((TOP / "build/venv").resolve())
    if (TOP / "build/mypy").is_dir():
        shutil.copytree(str(TOP / "build/mypy"), str(made / "build/mypy"))  # which makes it quick
    return made


@pytest.mark.parametrize("kind", sorted(EDITS))
def test_the_files_that_the_table_names_are_enough_and_each_is_needed(tree, kind):
    named = files(kind)
    assert sorted(named) == sorted(EDITS[kind])
    before = {path: place(tree, path).read_bytes() if place(tree, path).exists() else None for path in named}
    tests = [path for path in named if path.startswith("tests/")]
    for path in named:
        edit(tree, kind, path)
    after = {path: place(tree, path).read_bytes() for path in named}
    try:
        status, said = run(tree, "tests/lint")
        assert status == 0, said
        status, said = unit(tree, *TABLES, *tests, *["tests/unit/test_cli.py"] * (kind == "verb"))
        assert status == 0, said
        for path in named:
            restore(place(tree, path), before[path])
            status, said = unit(tree, "-k", "not test_sizes", *TABLES, *[test for test in tests if place(tree, test).exists()])
            assert status in (1, 2), "%s can be left out:\n%s" % (path, said)
            restore(place(tree, path), after[path])
    finally:
        for path in named:
            restore(place(tree, path), before[path])


def restore(file, content):
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)
