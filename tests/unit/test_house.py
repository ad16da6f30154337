"""The house stays in order: small modules and functions, and each word in one place."""

import ast
from pathlib import Path

import pytest

from foreman_selinux_helpers import verbs
from foreman_selinux_helpers.model import causes, guards

PACKAGE = Path(verbs.__file__).resolve().parents[1]
MODULES = sorted(PACKAGE.glob("**/*.py"))
# A lint code of the same name is another thing.
SHARED = {"aliased-path": {"lint/codes.py"}}


def name_of(module):
    return str(module.relative_to(PACKAGE))


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_sizes(module):
    text = module.read_text(encoding="utf-8")
    assert text.count("\n") <= 300
    for one in ast.walk(ast.parse(text)):
        if isinstance(one, ast.FunctionDef):
            parameters = [each.arg for each in one.args.args + one.args.kwonlyargs if each.arg not in ("self", "cls")]
            assert len(parameters) <= 5, one.name
            last = max(getattr(each, "lineno", 0) for each in ast.walk(one))
            assert last - one.lineno < 50, one.name


def homes(word):
    """Return the modules that have this word as a string of their own."""
    return {name_of(module) for module in MODULES if '"%s"' % word in module.read_text(encoding="utf-8")}


@pytest.mark.parametrize("cause", [cause.name for cause in causes.CAUSES])
def test_a_cause_is_named_in_one_module(cause):
    assert homes(cause) == {"model/causes.py"} | SHARED.get(cause, set())


@pytest.mark.parametrize("guard", sorted({value for name, value in vars(guards).items()
                                          if name.isupper() and isinstance(value, str) and name[0] != "_"}))
def test_a_guard_is_named_in_one_module(guard):
    assert homes(guard) == {"model/guards.py"}


@pytest.mark.parametrize("verb", verbs.NAMES)
def test_a_verb_is_a_module(verb):
    assert (PACKAGE / "verbs" / (verb + ".py")).is_file()
    assert verbs.load(verb).help
