"""The documents of every verb, for machines (schema 1) and for people."""

import pytest

from foreman_selinux_helpers.model import causes, plan, remedies, rules
from foreman_selinux_helpers.model.facts import Host
from foreman_selinux_helpers.model.labelcache import FRESH, STALE, UNKNOWN, LabelCache
from foreman_selinux_helpers.model.outcome import Outcome, SocketReport
from foreman_selinux_helpers.model.plan import Result, Step
from foreman_selinux_helpers.model.profiles import BrokenProfile
from foreman_selinux_helpers.model.refresh import ON_POLICY_LOAD, Build, SystemdFacts
from foreman_selinux_helpers.model.sockets import ForeignSocket
from foreman_selinux_helpers.verbs import detect, documents, reexec, register, repair, restart, status, unregister

from ... import schema
from ..model.test_modes import OPEN
from ..model.test_remedies import ADD, HOST, RULE, STALE_CACHE, facts
from ..model.test_sockets import BAD, RIGHT, changed

STEP = Step("register", str(RULE), "no-rule: why")
SOCKET_KEYS = {"unit", "profile", "path", "expected", "path_label", "socket_label", "problem", "remedy"}
COMMON = {"schema", "command", "ok", "changed", "source", "notes", "unseen"}


def observed(cache=STALE_CACHE, host=HOST, **change):
    return facts(cache, (ADD,), host=host, **change)


def outcome(problem=None, results=(), steps=(), **change):
    return Outcome(observed(**change), steps, results, [SocketReport(RIGHT, problem, problem and "do this")], ())


VERBS = {"status": status, "repair": repair, "register": register, "unregister": unregister, "detect": detect,
         "reexec": reexec, "restart": restart}


def outcome_document(command, found):
    made = VERBS[command].document(found)
    schema.check(made)
    return made


def document(command, **options):
    return outcome_document(command, outcome(**options))


def text(made, **options):
    return VERBS[made["command"]].text(made, **options)


def test_status():
    made = document("status", problem="no-rule")
    assert COMMON | {"label_cache", "sockets"} <= set(made)
    assert (made["schema"], made["ok"], made["changed"]) == (1, False, False)
    assert made["label_cache"] == {"state": "stale", "harmless": None, "evidence": ["why"]}
    (socket,) = made["sockets"]
    assert set(socket) >= SOCKET_KEYS
    assert (socket["problem"], socket["remedy"]) == ("no-rule", "do this")
    assert (socket["owner"], socket["group"], socket["mode"]) == (None, None, None)
    shown = text(made)
    assert "WRONG: no-rule" in shown
    assert "do this" in shown


def test_owner_group_and_mode():
    view = changed(RIGHT, wanted_client="httpd_t", reach=OPEN)
    made = outcome_document("status", outcome(sockets=(view,))._replace(sockets=[SocketReport(view, None, None)]))
    assert [made["sockets"][0][key] for key in ("owner", "group", "mode")] == ["root", "foo", "0666"]
    assert [one for one in made["notes"] if "every local user may connect to /run/foo.sock" in one]
    assert "0666 root:foo" in text(made)


def test_repair():
    results = [Result("register", str(RULE), plan.DONE, None, "why"),
               Result("daemon-reexec", plan.INIT, plan.REFUSED, "run-full", "no space")]
    made = document("repair", results=results, steps=[STEP])
    assert COMMON | {"plan", "results", "sockets"} <= set(made)
    assert made["plan"] == [{"step": "register", "target": str(RULE), "reason": "no-rule: why"}]
    assert made["results"][1] == {"step": "daemon-reexec", "target": "PID 1", "outcome": "refused", "guard": "run-full",
                                  "detail": "no space"}
    assert (made["ok"], made["changed"]) == (False, True)
    assert "refused     daemon-reexec PID 1 (run-full)" in text(made)


@pytest.mark.parametrize(("results", "ok", "changed"), [
    ([], True, False),
    ([Result("register", "r", plan.DONE)], True, True),
    ([Result("register", "r", plan.FAILED)], False, False),
    ([Result(remedies.LOOK_A_LABEL_UP, plan.INIT, plan.DONE)], True, False),
    ([Result("daemon-reexec", plan.INIT, plan.NOT_NEEDED, "cache-not-stale")], True, False),
])
def test_ok_and_changed(results, ok, changed):
    made = document("repair", results=results)
    assert (made["ok"], made["changed"]) == (ok, changed)


def test_a_dry_run_shows_its_plan_and_an_empty_one_says_so():
    assert text(document("repair", steps=[STEP]), dry_run=True).startswith("would do:\n  1. register")
    assert text(document("repair"), dry_run=True).startswith("nothing to do\n")


def test_register_and_unregister():
    made = document("register", results=[Result("register", str(RULE), plan.FAILED, None, "refused: bad")])
    assert COMMON | {"rules"} <= set(made)
    assert {"regex", "file_type", "context", "action", "reason"} <= set(made["rules"][0])
    assert made["ok"] is False
    assert "refused: bad" in text(made)
    gone = unregister.document([ADD._replace(action=rules.REMOVE)], [Result("unregister", str(RULE), plan.DONE)], "host")
    assert (gone["ok"], gone["changed"], gone["rules"][0]["action"]) == (True, True, "remove")
    assert text(unregister.document([], [], "host")) == "no rules\n"
    schema.check(gone)


def test_detect():
    build = Build("252.39-1", "252.39-1", ON_POLICY_LOAD, ["because"])
    image = Host("/x", "targeted", False, False, "an image", ("a note",))
    none = Build(None, None, "UNKNOWN", ["none"])
    made = detect.document(observed(LabelCache(FRESH, ["held"]), image, systemd=SystemdFacts(
        build, none, "3.4-1", False, True)))
    assert COMMON | {"running", "installed", "label_cache"} <= set(made)
    assert made["reexec_due"] is False
    assert set(made["running"]) == {"version", "evr", "refresh", "evidence"}
    schema.check(made)
    shown = text(made)
    for part in ("systemd running: 252.39-1\n", "systemd installed: unknown", "because", "fresh", "libselinux: package 3.4-1", "note: a note"):
        assert part in shown
    late = detect.document(observed(systemd=SystemdFacts(build, build, None, True, True)))
    assert late["reexec_due"] is True
    assert "note: the program that PID 1 runs is no longer on disk: systemd was upgraded" in " ".join(text(late).split())


def test_profiles_that_do_less_than_they_say_are_noted():
    decided = ADD._replace(action=rules.SKIP, cause=None, own_word=BAD)
    views = (changed(RIGHT, wanted_cause=causes.NO_SUCH_TYPE), changed(RIGHT, wanted_decided=decided, wanted_type="var_run_t"),
             changed(RIGHT, wanted_cause=causes.NO_SUCH_TYPE, in_use=False), RIGHT)
    made = outcome_document("status", Outcome(observed(sockets=views), (), (), (), ()))
    assert made["notes"][-2:] == [
        "the profile foo does nothing for /run/foo.sock: the policy has no type foo_t",
        "the policy itself labels /run/foo.sock var_run_t, which takes precedence over the profile foo"]


def test_nothing_is_well_while_a_profile_is_refused():
    made = documents.add_broken(document("status"), [BrokenProfile("p", "/p.conf", 3, "why")])
    assert made["ok"] is False
    schema.check(made)
    assert made["broken_profiles"] == [{"name": "p", "file": "/p.conf", "line": 3, "reason": "why"}]


def test_a_host_without_profiles():
    empty = Outcome(observed(sockets=()), (), (), (), ())
    assert "no profiles are installed" in text(outcome_document("status", empty))


def test_where_facts_are_from_and_what_could_not_be_seen():
    assert (document("status")["source"], document("status")["unseen"]) == ("host", [])
    image = HOST._replace(root="/image", elsewhere="/image is an image")
    assert document("repair", host=image)["source"] == "image"
    hidden = (changed(RIGHT, exists=None), changed(RIGHT, exists=None, in_use=False), RIGHT)
    made = document("status", sockets=hidden, cache=LabelCache(UNKNOWN, ["/proc/1/maps may only be read by root"]))
    assert made["unseen"] == ["PID 1's label cache: /proc/1/maps may only be read by root",
                              "/run/foo.sock: permission denied"]
    unasked = LabelCache(STALE, ["inode 1 is held", "no"], unasked="its copy cannot be asked: no")
    assert document("reexec", cache=unasked)["unseen"] == ["PID 1's label cache: its copy cannot be asked: no"]
    # The rules alone are looked at.
    assert document("register", cache=LabelCache(UNKNOWN, ["not looked at"]))["unseen"] == []
    assert document("status", host=image, cache=LabelCache(UNKNOWN, ["PID 1 is not ours"]))["unseen"] == []



def test_a_dry_run_that_a_guard_refuses_says_that_alone():
    refused = Outcome(observed(sockets=()), (), [Result("daemon-reexec", "PID 1", "refused", "run-full", "why")], (), ())
    shown = text(outcome_document("reexec", refused), dry_run=True)
    assert "nothing to do" not in shown
    assert shown.startswith("refused     daemon-reexec PID 1 (run-full)")


def test_rules_are_registered_before_others_are_taken_back():
    steps = plan.rule_steps([ADD, ADD._replace(action=rules.MODIFY), ADD._replace(action=rules.REMOVE),
                             ADD._replace(action=rules.KEEP)])
    assert [one.step for one in steps] == ["register", "register", "unregister"]


def test_labels_that_are_not_there_are_dashes():
    made = outcome_document("status", Outcome(observed(), (), (), [SocketReport(
        changed(RIGHT, expected=None, path_label=None, socket_label=BAD), "no-rule", None)], ()))
    assert "path label    -" in text(made)


def test_the_survey_of_all_sockets():
    """What is wrong comes first; then a summary, and what no unit makes."""
    alone = changed(RIGHT, unit="a.socket", profile="", path="/run/a.sock")
    wrong = changed(RIGHT, unit="z.socket", profile="", path="/run/z.sock", path_label=BAD)
    unseen = changed(RIGHT, unit="b.socket", profile="", path="/run/b.sock", exists=None)
    seen = observed(sockets=(RIGHT, alone, unseen, wrong), foreign=[ForeignSocket("/run/x", BAD, RIGHT.wanted.context)])
    made = outcome_document("status", Outcome(seen, (), (), [
        SocketReport(view, "made-before-rule" if view is wrong else None, None) for view in seen.sockets], ()))
    assert [socket["unit"] for socket in made["sockets"]] == ["z.socket", "a.socket", "b.socket", "foo.socket"]
    assert [socket["profile"] for socket in made["sockets"]] == [None, None, None, "foo"]
    assert made["foreign"] == [{"path": "/run/x", "path_label": BAD, "expected": RIGHT.wanted.context}]
    shown = text(made)
    assert "\n4 sockets: 1 wrong, 2 right, 1 not seen\n" in shown
    assert "/run/x is var_run_t, and the rules say foo_t; no socket unit created it" in shown
    assert "sockets:" not in text(document("status"))
