"""The house stays in order: small modules and functions, and each word in one place."""

import ast
import re
from pathlib import Path

import pytest

from foreman_selinux_helpers import verbs
from foreman_selinux_helpers.lint import codes
from foreman_selinux_helpers.model import causes, guards, plan, profiles, remedies, sockets

from .. import pages

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


def constants(module):
    """Return the words of a table of names, each with the constant that stands for it."""
    return {value: name for name, value in vars(module).items()
            if name.isupper() and isinstance(value, str) and name[0] != "_"}


def has_a_test(word, constant):
    """Tell whether a test names a word, or the constant for it."""
    return '"%s"' % word in TESTS or re.search(r"\b%s\b" % constant, TESTS) is not None


PACKAGE_TEXTS = {name_of(module): module.read_text(encoding="utf-8") for module in MODULES}
TESTS = "".join(file.read_text(encoding="utf-8") for tier in ("unit", "store", "vm")
                for file in (Path(__file__).resolve().parents[1] / tier).glob("**/test_*.py"))


@pytest.mark.parametrize("cause", [cause.name for cause in causes.CAUSES])
def test_a_cause_is_named_in_one_module_and_applies_somewhere(cause):
    assert homes(cause) == {"model/causes.py"} | SHARED.get(cause, set())
    constant = constants(causes)[cause]
    assert any(re.search(r"\b%s\b" % constant, text) for name, text in PACKAGE_TEXTS.items()
               if name.startswith("model/") and name != "model/causes.py")
    assert has_a_test(cause, constant)


@pytest.mark.parametrize("guard", sorted(constants(guards)))
def test_a_guard_is_named_in_one_module_and_refuses_somewhere(guard):
    constant = constants(guards)[guard]
    assert homes(guard) == {"model/guards.py"}
    assert sum(len(re.findall(r"\b%s\b" % constant, text)) for text in PACKAGE_TEXTS.values()) > 1
    assert guard in [row[1].strip("`") for row in pages.table("conditions.md", "PID 1")]
    assert has_a_test(guard, constant)


@pytest.mark.parametrize("code", [code.name for code in codes.CODES])
def test_a_lint_code_is_named_in_one_module_and_applies_somewhere(code):
    constant = constants(codes)[code]
    assert homes(code) == {"lint/codes.py"} | ({"model/causes.py"} if code in SHARED else set())
    assert any(re.search(r"\b%s\b" % constant, text) for name, text in PACKAGE_TEXTS.items()
               if name.startswith("lint/") and name != "lint/codes.py")
    assert has_a_test(code, constant)


@pytest.mark.parametrize(("module", "words"), [
    ("model/plan.py", [plan.REGISTER, plan.UNREGISTER, plan.START]),
    ("model/sockets.py", [sockets.RELABEL, sockets.RESTART, sockets.RELABEL_EXECUTABLE]),
    ("model/remedies.py", [remedy.step for remedy in remedies.REMEDIES])])
def test_a_step_is_defined_in_one_module(module, words):
    """Words such as restart are also arguments of systemctl, and verbs."""
    for word in words:
        assert [name for name, text in PACKAGE_TEXTS.items()
                if re.search(r'^[A-Z_]+ = "%s"$' % word, text, re.M)] == [module]


@pytest.mark.parametrize("remedy", [remedy.step for remedy in remedies.REMEDIES])
def test_a_remedy_can_be_taken(remedy):
    assert "remedies.%s" % constants(remedies)[remedy] in PACKAGE_TEXTS["repair/pid1.py"]
    assert has_a_test(remedy, constants(remedies)[remedy])


@pytest.mark.parametrize("verb", verbs.NAMES)
def test_a_verb_is_a_module(verb):
    assert (PACKAGE / "verbs" / (verb + ".py")).is_file()
    assert verbs.load(verb).help
    assert '"%s' % verb in TESTS


@pytest.mark.parametrize("key", profiles._KEYS)
def test_a_key_of_a_profile_has_a_test(key):
    tests = Path(__file__).resolve().parent / "model/test_profiles.py"
    assert re.search(r"(\b|\\n)%s\s*=" % key, tests.read_text(encoding="utf-8"))
