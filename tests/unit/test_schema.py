"""docs/schema-1.json describes the documents: it knows every word that the code can say, and refuses what is wrong."""

import copy

import jsonschema
import pytest

from foreman_selinux_helpers import verbs
from foreman_selinux_helpers.lint import codes, targets
from foreman_selinux_helpers.model import (
    causes,
    filecontexts,
    guards,
    labelcache,
    origin,
    plan,
    refresh,
    remedies,
    rules,
    sockets,
)
from foreman_selinux_helpers.model.plan import Result
from foreman_selinux_helpers.verbs import documents

from .. import schema
from .verbs.test_report import STEP, document

DEFINITIONS = schema.loaded()["definitions"]


def test_it_is_a_schema():
    jsonschema.Draft7Validator.check_schema(schema.loaded())


def values(module, *but):
    return {value for name, value in vars(module).items()
            if name.isupper() and isinstance(value, str) and not name.startswith("_") and value not in but}


@pytest.mark.parametrize(("name", "words"), [
    ("cause", {cause.name for cause in causes.CAUSES}),
    ("guard", values(guards)),
    ("outcome", {plan.DONE, plan.NOT_NEEDED, plan.REFUSED, plan.FAILED}),
    ("step", {plan.REGISTER, plan.UNREGISTER, plan.START, sockets.RELABEL, sockets.RESTART, sockets.RELABEL_EXECUTABLE,
              *(remedy.step for remedy in remedies.REMEDIES)}),
    ("state", {labelcache.FRESH, labelcache.STALE, labelcache.UNKNOWN}),
    ("refresh", {refresh.NEVER, refresh.ON_DAEMON_RELOAD, refresh.ON_POLICY_LOAD, refresh.UNKNOWN}),
    ("rule_file_type", set(filecontexts.FILE_TYPES.values())),
    ("file_type", set(filecontexts.FILE_TYPES.values()) - {filecontexts.ALL_FILES}),
    ("severity", {codes.ERROR, codes.WARNING}),
    ("target", set(targets.NAMES)),
    ("source", {origin.HOST, origin.IMAGE, origin.SOS}),
])
def test_it_has_the_words_of_the_code(name, words):
    assert set(DEFINITIONS[name]["enum"]) == words


def test_it_has_every_verb_and_lint_code():
    assert set(DEFINITIONS["failed"]["properties"]["command"]["enum"]) == {None, *verbs.NAMES}
    assert [one["$ref"].split("/")[-1] for one in schema.loaded()["oneOf"]][:-1] == sorted(
        verbs.NAMES, key=list(DEFINITIONS).index)
    assert set(DEFINITIONS["lint"]["properties"]["findings"]["items"]["properties"]["code"]["enum"]) == {
        code.name for code in codes.CODES}
    assert set(DEFINITIONS["decision"]["properties"]["action"]["enum"]) == {
        rules.ADD, rules.MODIFY, rules.REMOVE, rules.KEEP, rules.SKIP}


RESULTS = [Result(remedies.DAEMON_REEXEC, plan.INIT, plan.REFUSED, guards.RUN_FULL, "no space"), Result("register", "r", plan.DONE)]
FAILED = documents.failed("status", False, "host", "why")


def right():
    """Return a document of ``repair`` that is right."""
    return document("repair", problem="no-rule", results=RESULTS, steps=[STEP])


def test_right_documents_are_accepted():
    schema.check(right())
    for command in ("status", "restart", "reexec"):
        schema.check(document(command))
    schema.check(document("register", results=RESULTS[1:]))
    schema.check(dict(right(), error="it cannot be looked at"))
    for command, changed, source in ((None, False, None), ("repair", None, "image"), ("lint", False, "host")):
        schema.check(documents.failed(command, changed, source, "why"))


def places(value, path=()):
    """Return the path of every field of a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [path] if path and isinstance(path[-1], str) else []
    return found + [one for name, content in inner for one in places(content, (*path, name))]


def at(value, path):
    for name in path[:-1]:
        value = value[name]
    return value


@pytest.mark.parametrize("made", [right(), FAILED, document("register", results=RESULTS)], ids=["repair", "failed", "register"])
def test_each_field_is_required_and_of_one_type(made):
    schema.check(made)
    for path in places(made):
        missing, wrong = copy.deepcopy(made), copy.deepcopy(made)
        del at(missing, path)[path[-1]]
        at(wrong, path)[path[-1]] = {"of": "another type"}
        for broken in (missing, wrong):
            with pytest.raises(AssertionError, match="not a document"):
                schema.check(broken)


@pytest.mark.parametrize(("path", "wrong"), [
    (("schema",), 2), (("command",), "mend"), (("command",), "status"), (("source",), "sos report"), (("source",), None),
    (("changed",), None), (("ok",), "yes"), (("extra",), 1), (("sockets", 0, "problem"), "no-idea"), (("sockets", 0, "extra"), 1),
    (("sockets", 0, "path"), "run/foo.sock"), (("sockets", 0, "path_label"), "foo_t"), (("plan", 0, "step"), "reboot"),
    (("results", 0, "outcome"), "perhaps"), (("results", 0, "guard"), "moon-phase"), (("label_cache", "state"), "old"),
    (("label_cache", "harmless"), "no"), (("notes",), [1]), (("unseen",), "nothing"), (("broken_profiles",), [])])
def test_a_wrong_document_is_refused(path, wrong):
    made = right()
    at(made, path)[path[-1]] = wrong
    with pytest.raises(AssertionError, match="not a document"):
        schema.check(made)


@pytest.mark.parametrize("change", [
    {"ok": True}, {"error": ""}, {"error": None}, {"command": "mend"}, {"notes": []}, {"source": "sos report"}])
def test_a_wrong_document_of_a_failed_run_is_refused(change):
    with pytest.raises(AssertionError, match="not a document"):
        schema.check(dict(FAILED, **change))


def test_the_message_names_the_fault():
    made = right()
    made["sockets"][0]["problem"] = "no-idea"
    with pytest.raises(AssertionError, match=r"sockets/0/problem: .*'no-idea'"):
        schema.check(made)


def test_what_is_printed_is_compared(capsys):
    """By conftest.py, in each test."""
    from foreman_selinux_helpers import cli

    with pytest.raises(AssertionError, match="not a document"):
        cli.Output(True).document({"schema": 1})
    assert capsys.readouterr().out == ""
