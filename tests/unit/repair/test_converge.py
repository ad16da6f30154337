"""The flow, with stand-ins for the doors: which remedy is taken when, and in which order."""

import shlex
from contextlib import contextmanager

import pytest

from foreman_selinux_helpers.doors import attempts, labeldatabase, ownership, restartjournal, runfiles
from foreman_selinux_helpers.doors import systemd as door
from foreman_selinux_helpers.doors.deadline import Deadline
from foreman_selinux_helpers.doors.run import Runner
from foreman_selinux_helpers.model import causes, guards, remedies, rules
from foreman_selinux_helpers.model.attempts import Attempts
from foreman_selinux_helpers.model.errors import CommandFailed, DeadlineExceeded, RulesRefused, TimedOut
from foreman_selinux_helpers.model.filecontexts import ALL_FILES, Rule
from foreman_selinux_helpers.model.labelcache import FRESH, STALE, UNKNOWN, LabelCache
from foreman_selinux_helpers.model.refresh import NEVER, ON_DAEMON_RELOAD, ON_POLICY_LOAD
from foreman_selinux_helpers.model.refresh import UNKNOWN as UNSURE
from foreman_selinux_helpers.model.rules import Decision
from foreman_selinux_helpers.model.units import Service
from foreman_selinux_helpers.model.winner import Verdict, contradicted
from foreman_selinux_helpers.repair import registration, socketunits
from foreman_selinux_helpers.repair.pid1 import Pid1

from ..doors.test_restartjournal import left
from ..fakes import World
from ..model.test_guards import CLEAR
from ..model.test_sockets import BAD, RIGHT, changed

ADD = Decision(Rule("/run/foo\\.sock", ALL_FILES, "system_u:object_r:foo_t:s0"), rules.ADD, "no-rule: why",
               "foo.socket", "/run/foo.sock", causes.NO_RULE)


@pytest.fixture(autouse=True)
def notes(monkeypatch, tmp_path):
    monkeypatch.setattr(runfiles, "DIRECTORY", str(tmp_path / "notes"))


def outcomes(outcome):
    return [(one.step, one.outcome, one.guard) for one in outcome.results]


def test_nothing_to_do_touches_nothing(monkeypatch):
    world = World(monkeypatch, state=FRESH)
    outcome = world.flow.repair(False)
    assert (world.done, outcome.plan, outcome.results, outcome.ok, outcome.changed) == ([], [], [], True, False)


@pytest.mark.parametrize(("cure", "due", "expected"), [
    ("look-a-label-up", False, []),
    ("load-policy", True, ["load-policy"]),
    ("daemon-reload", False, ["daemon-reload"]),
    ("daemon-reload", True, ["load-policy", "daemon-reload"]),
    ("daemon-reexec", False, ["daemon-reload", "daemon-reexec"]),
])
def test_remedies_are_taken_mildest_first_until_the_cache_is_fresh(monkeypatch, cure, due, expected):
    world = World(monkeypatch, cure=cure, load_due=due)
    outcome = world.flow.repair(False)
    assert world.acts() == expected
    assert outcome.ok
    assert [one.step for one in outcome.results] == [one.step for one in outcome.plan]
    if cure != "daemon-reexec":
        assert outcomes(outcome)[-1] == ("daemon-reexec", "not-needed", guards.MILDER_REMEDY_WORKS)


def test_a_cure_that_does_not_help_is_tried_once(monkeypatch):
    """Neither again in this run, nor in another before the host boots or the rules change."""
    world = World(monkeypatch, refresh=UNSURE)
    outcome = world.flow.repair(False)
    assert world.acts() == ["daemon-reload", "daemon-reexec"]
    assert (outcome.ok, outcome.sockets[0].problem) == (False, "label-cache-stale")
    assert outcomes(outcome)[-2:] == [("daemon-reexec", "done", None),
                                      ("daemon-reexec", "refused", guards.ALREADY_DONE)]
    world = World(monkeypatch, refresh=NEVER)
    assert outcomes(world.flow.reexec(False)) == [("daemon-reexec", "refused", guards.ALREADY_DONE)]
    assert outcomes(world.flow.repair(False)) == [("daemon-reexec", "refused", guards.ALREADY_DONE)]
    assert world.acts() == []
    world.generation = "rules 2"
    assert outcomes(world.flow.reexec(False)) == [("daemon-reexec", "done", None),
                                                  ("daemon-reexec", "refused", guards.ALREADY_DONE)]


@pytest.mark.parametrize(("refresh", "due", "expected"), [
    (NEVER, False, ["daemon-reexec"]), (NEVER, True, ["load-policy", "daemon-reexec"]),
    (ON_DAEMON_RELOAD, False, ["daemon-reload"]), (ON_DAEMON_RELOAD, True, ["load-policy", "daemon-reload"])])
def test_remedies_that_are_known_to_be_vain_are_not_tried(monkeypatch, refresh, due, expected):
    world = World(monkeypatch, cure=expected[-1], refresh=refresh, load_due=due)
    planned = world.flow.repair(True).plan
    outcome = world.flow.repair(False)
    assert world.acts() == expected
    assert (outcome.plan, outcome.ok) == (planned, True)
    if refresh == NEVER:
        assert world.done == expected, "nor is PID 1 made to look a label up"


@pytest.mark.parametrize("verb", ["repair", "restart"])
def test_where_pid1_stays_stale_an_idle_socket_is_relabelled_in_place(monkeypatch, verb):
    """Made anew it would be wrong again, in every run."""
    world = World(monkeypatch, conditions=CLEAR._replace(manager_state="starting"), view=changed(RIGHT, path_label=BAD))
    outcome = world.flow.repair(False) if verb == "repair" else world.flow.restart()
    assert "restart foo.socket" not in world.done
    assert "relabel /run/foo.sock" in world.done
    assert outcomes(outcome)[-2:] == [("restart", "not-needed", None), ("relabel", "done", None)]


def test_what_another_run_has_mended_meanwhile_is_left_alone(monkeypatch):
    world = World(monkeypatch, state=FRESH, view=changed(RIGHT, path_label=BAD))
    looked = []
    read = world.source.read

    def look():
        world.view = RIGHT if looked else world.view
        looked.append(1)
        return read()
    monkeypatch.setattr(world.source, "read", look)
    outcome = world.flow.repair(False)
    assert world.done == []
    assert outcomes(outcome) == [("restart", "not-needed", None)]
    assert outcome.ok


def test_who_mends_sockets_too_long_is_not_waited_for(monkeypatch):
    world = World(monkeypatch, state=FRESH, view=changed(RIGHT, path_label=BAD))
    world.flow._runner = Runner(Deadline(0.5))
    with restartjournal.alone(Deadline(5)):
        outcome = world.flow.repair(False)
    assert outcomes(outcome) == [("restart", "failed", None)]
    assert "another run of foreman-selinux-helpers is mending sockets" in outcome.results[0].detail


def test_a_refused_reexec_is_named_and_nothing_is_touched(monkeypatch):
    world = World(monkeypatch, conditions=CLEAR._replace(manager_state="starting"))
    outcome = world.flow.repair(False)
    assert "daemon-reexec" not in world.done
    assert outcomes(outcome)[-1] == ("daemon-reexec", "refused", guards.MANAGER_BUSY)
    assert "foreman-selinux-helpers repair" in outcome.results[-1].detail
    assert outcome.refused
    assert not outcome.ok


def test_dry_run_plans_the_same_and_does_nothing(monkeypatch):
    world = World(monkeypatch, cure="daemon-reexec", view=changed(RIGHT, path_label=BAD))
    planned = world.flow.repair(True)
    assert (world.done, planned.results) == ([], [])
    assert world.flow.repair(False).plan == planned.plan


@pytest.mark.parametrize(("service", "orders"), [
    (None, ["restart foo.socket"]),
    (Service("foo.service", True, True, None), ["restart foo.socket"]),
    (Service("foo.service", False, False, None), ["stop foo.socket", "stop foo.service", "start foo.socket"]),
    (Service("foo.service", True, False, None),
     ["stop foo.socket", "stop foo.service", "start foo.socket", "start foo.service"]),
])
def test_restart_in_the_order_that_is_safe(monkeypatch, service, orders):
    world = World(monkeypatch, state=FRESH, view=changed(RIGHT, path_label=BAD), service=service)
    world.flow.restart()
    assert world.done == orders


def test_the_socket_comes_back_when_stopping_the_service_fails(monkeypatch):
    world = World(monkeypatch, state=FRESH, view=changed(RIGHT, path_label=BAD),
                  service=Service("foo.service", True, False, None))
    world.failing = {"stop foo.service"}
    outcome = world.flow.restart()
    assert world.done == ["stop foo.socket", "start foo.socket", "start foo.service"]
    assert outcomes(outcome) == [("restart", "failed", None)]
    assert not outcome.ok
    assert restartjournal.units() == []


def test_the_service_comes_back_when_starting_the_socket_fails(monkeypatch):
    world = World(monkeypatch, state=FRESH, view=changed(RIGHT, path_label=BAD),
                  service=Service("foo.service", True, False, None))
    world.failing = {"start foo.socket"}
    outcome = world.flow.restart()
    assert world.done == ["stop foo.socket", "stop foo.service", "start foo.service"]
    assert not outcome.ok
    assert restartjournal.units() == ["foo.socket"]


@pytest.mark.parametrize("verb", ["repair", "restart"])
def test_what_a_killed_run_had_stopped_is_started(monkeypatch, verb):
    world = World(monkeypatch, state=FRESH)
    left("foo.service", "foo.socket")
    told = world.status()
    assert not told.ok
    assert told.by_hand[0].startswith("foo.socket: an interrupted restart had stopped it; repair")
    if verb == "repair":
        assert outcomes(world.flow.repair(True)) == []
        outcome = world.flow.repair(False)
    else:
        outcome = world.flow.restart()
    assert world.done == ["start foo.socket", "start foo.service"]
    assert outcomes(outcome) == [("start", "done", None)] * 2
    assert [one.target for one in outcome.plan] == ["foo.socket", "foo.service"]
    assert outcome.changed
    assert (restartjournal.units(), world.status().ok) == ([], True)


def test_a_service_that_keeps_the_stopped_socket_from_starting_makes_way(monkeypatch):
    """It was killed before it had stopped the service, or a client has started that since."""
    world = World(monkeypatch, state=FRESH, service=Service("foo.service", True, False, None))
    world.unit = world.unit._replace(active="inactive")
    left("foo.socket")
    outcome = world.flow.repair(False)
    assert world.done == ["stop foo.service", "start foo.socket", "start foo.service"]
    assert outcomes(outcome) == [("start", "done", None)] * 2
    assert restartjournal.units() == []


def test_what_does_not_start_is_tried_again_by_the_next_run(monkeypatch):
    world = World(monkeypatch, state=FRESH)
    left("foo.socket")
    world.failing = {"start foo.socket"}
    outcome = world.flow.repair(False)
    assert outcomes(outcome) == [("start", "failed", None)]
    assert not outcome.ok
    assert restartjournal.units() == ["foo.socket"]
    world.systemd.hopeless = {"foo.socket"}
    assert not world.flow.repair(False).ok
    assert restartjournal.units() == [], "it is masked, gone, or systemd gave it up: not for ever"


@pytest.mark.parametrize(("refresh", "expected"), [
    (UNSURE, ["restart foo.socket", "daemon-reload", "restart foo.socket", "daemon-reexec", "relabel /run/foo.sock"]),
    # What its version predicts is not what it does, and a daemon-reload is known not to help.
    (ON_POLICY_LOAD, ["restart foo.socket", "daemon-reexec", "relabel /run/foo.sock"])])
def test_an_invisible_cache_is_judged_by_the_restarted_socket(monkeypatch, refresh, expected):
    """Nothing is mapped: the restarted socket's label says whether the next remedy is due."""
    world = World(monkeypatch, state=UNKNOWN, view=changed(RIGHT, path_label=BAD, made_after_rules=True),
                  refresh=refresh)
    world.labels_new_sockets = False
    outcome = world.flow.repair(False)
    assert world.acts() == expected
    assert outcome.ok
    assert world.flow.repair(False).plan == []


@pytest.mark.parametrize("state", [FRESH, UNKNOWN])
def test_a_left_behind_file_that_systemd_does_not_label_is_relabelled_in_place(monkeypatch, state):
    """As 219 leaves it after each restart, whatever its label cache: no remedy for that is taken for it."""
    world = World(monkeypatch, state=state, view=changed(RIGHT, path_label=BAD), refresh=NEVER, changed=500.0)
    world.labels_new_sockets = False
    outcome = world.flow.repair(False)
    assert world.done == ["restart foo.socket", "relabel /run/foo.sock"]
    assert outcomes(outcome) == [("restart", "done", None), ("relabel", "done", None)]
    assert outcome.ok
    assert (world.flow.repair(False).plan, len(world.done)) == ([], 2)


def test_a_label_that_cannot_be_changed_is_not_tried_after_a_restart(monkeypatch):
    view = changed(RIGHT, path_label=BAD)
    world = World(monkeypatch, state=FRESH, view=view)
    monkeypatch.setattr(world.systemd, "order", lambda verb, unit, surely=False: (
        world.do("%s %s" % (verb, unit)), setattr(world, "view", changed(view, keeps_labels=False))))
    assert outcomes(world.flow.repair(False)) == [("restart", "done", None)]


def test_a_failed_question_after_the_deeds_does_not_keep_the_report_away(monkeypatch):
    world = World(monkeypatch, cure="daemon-reexec")
    read = world.source.read

    def fails():
        if "daemon-reexec" in world.done:
            raise CommandFailed("systemctl show: exit status 1")
        return read()
    monkeypatch.setattr(world.source, "read", fails)
    outcome = world.flow.repair(False)
    assert ("daemon-reexec", "done", None) in outcomes(outcome)
    assert (outcome.ok, outcome.error) == (False, "systemctl show: exit status 1")
    world = World(monkeypatch, refresh=NEVER)
    monkeypatch.setattr(Pid1, "_conditions", lambda *_: (_ for _ in ()).throw(CommandFailed("no jobs")))
    assert outcomes(world.flow.repair(False)) == [("daemon-reexec", "failed", None)]


def test_pid_1_that_is_not_made_to_look_a_label_up_is_looked_at_all_the_same(monkeypatch):
    world = World(monkeypatch, cure="daemon-reload")
    world.failing = {"look-a-label-up"}
    outcome = world.flow.repair(False)
    assert outcomes(outcome)[:2] == [("look-a-label-up", "failed", None), ("daemon-reload", "done", None)]
    assert outcome.ok


def test_what_the_store_refuses_is_left_out_and_the_rest_is_made(monkeypatch, tmp_path):
    world = World(monkeypatch, state=FRESH, decisions=(ADD, ADD._replace(rule=ADD.rule._replace(
        regex="/run/bad", context="system_u:object_r:bad_t:s0"), path="/run/bad")))
    applied = []

    class Store:
        root, policy = str(tmp_path), "targeted"

        def apply(self, changes, load, runner, seen):
            if any("bad_t" in one.rule.context for one in changes):
                raise RulesRefused("no")
            applied.append(([one.rule.regex for one in changes], load))

        def refused(self, wanted, runner):
            return [one for one in wanted if "bad_t" in one.context]

        def local_rules(self):
            return [ADD.rule] if applied else []

    class Database:
        def __init__(self, root, policy):
            pass

        def lookup(self, path):
            return "system_u:object_r:foo_t:s0"

        def close(self):
            pass

    saved = []
    monkeypatch.setattr(registration.hostkind, "store", lambda host: Store())
    monkeypatch.setattr(labeldatabase, "LabelDatabase", Database)
    monkeypatch.setattr(registration.ownership, "save", lambda root, policy, record: saved.append(record))
    outcome = world.flow.register(False)
    assert applied == [(["/run/foo\\.sock"], True)]
    assert sorted(one.outcome for one in outcome.results) == ["done", "failed"]
    assert list(saved[-1].rules) == [ADD.rule.key]
    assert saved[-1].pending == {}
    assert saved[-2].pending.keys() == {ADD.rule.key}


def test_what_is_said_of_the_rule_behind_an_answer():
    rule = Rule("/run/foo.*", ALL_FILES, "u:r:t", "fc", 7)
    verdict = Verdict("/run/foo", [], rule, [], [])
    assert registration._why(verdict) == "; the rule of fc:7 wins: /run/foo.*  u:r:t"
    assert registration._why(verdict._replace(rule=None)) == ", for which there is no rule"
    assert registration._why(contradicted(verdict, "u:r:other")) == "; which rule that comes from could not be told"


def test_labels_of_the_reexec_verb(monkeypatch):
    world = World(monkeypatch, state=FRESH)
    assert outcomes(world.flow.reexec(False)) == [("daemon-reexec", "not-needed", guards.CACHE_NOT_STALE)]
    world = World(monkeypatch, cure="daemon-reexec")
    assert world.flow.reexec(True).plan[0].step == remedies.DAEMON_REEXEC
    assert world.done == []
    assert world.flow.reexec(False).ok
    assert world.acts() == ["daemon-reexec"]
    world = World(monkeypatch, load_due=True)
    assert outcomes(world.flow.reexec(False)) == [("daemon-reexec", "refused", guards.MILDER_REMEDY_WORKS)]


def test_guards_are_asked_again_after_the_wait_for_another_run(monkeypatch):
    """A shutdown has begun meanwhile."""
    world = World(monkeypatch, refresh=NEVER)

    @contextmanager
    def waited(root, deadline):
        world.conditions = world.conditions._replace(manager_state="stopping")
        yield

    monkeypatch.setattr(ownership, "locked", waited)
    assert outcomes(world.flow.reexec(False)) == [("daemon-reexec", "refused", guards.MANAGER_BUSY)]
    assert world.acts() == []


@pytest.mark.parametrize(("refresh", "outcome", "guard"), [
    (UNSURE, "not-needed", guards.NOT_PROVEN), (ON_POLICY_LOAD, "not-needed", guards.NOT_PROVEN),
    (NEVER, "done", None)])
def test_by_hand_a_cache_that_cannot_be_seen_needs_a_systemd_that_is_known(monkeypatch, refresh, outcome, guard):
    world = World(monkeypatch, state=UNKNOWN, refresh=refresh)
    assert outcomes(world.flow.reexec(False)) == [("daemon-reexec", outcome, guard)]
    assert world.done == (["daemon-reexec"] if outcome == "done" else [])


def test_an_unseen_cache_is_current_after_a_reexec_and_where_no_rule_changed_since_the_boot(monkeypatch):
    world = World(monkeypatch, state=UNKNOWN, refresh=NEVER)
    assert world.status().sockets[0].problem == "label-cache-stale"
    assert [one.step for one in world.flow.repair(True).plan] == ["daemon-reexec"]
    assert world.flow.repair(False).ok
    assert world.acts() == ["daemon-reexec"]
    again = world.flow.repair(False)
    assert (again.plan, again.ok, world.acts()) == ([], True, ["daemon-reexec"])
    assert outcomes(world.flow.reexec(False)) == [("daemon-reexec", "not-needed", guards.CACHE_NOT_STALE)]
    # Rules change that are not about the socket: PID 1 gives it what it gave it then.
    world.generation = "rules 2"
    assert (world.status().ok, world.flow.repair(False).plan) == (True, [])
    world.view = changed(RIGHT, wanted_context="system_u:object_r:new_t:s0", path_label="system_u:object_r:new_t:s0")
    assert world.status().sockets[0].problem == "label-cache-stale"
    world = World(monkeypatch, state=UNKNOWN, refresh=NEVER, changed=500.0)
    world.generation = "rules 2"
    assert (world.status().ok, world.flow.repair(False).plan) == (True, [])


def test_a_cache_that_only_looks_old_is_no_reason_to_reexecute(monkeypatch):
    """Its copy cannot be asked, or gives the wanted label; PID 1 has made no socket wrong."""
    world = World(monkeypatch)
    world.askable = False
    outcome = world.flow.repair(False)
    assert outcomes(outcome)[-1] == ("daemon-reexec", "not-needed", guards.NOT_PROVEN)
    assert "daemon-reexec" not in world.done
    assert outcomes(world.flow.reexec(False)) == [("daemon-reexec", "not-needed", guards.NOT_PROVEN)]
    # A socket that it made wrong after the rules had changed is proof.
    world.view = changed(RIGHT, path_label=BAD, made_after_rules=True)
    assert outcomes(world.flow.reexec(False))[0] == ("daemon-reexec", "done", None)


def test_a_cache_that_is_old_and_harmless_needs_nothing(monkeypatch):
    world = World(monkeypatch)
    harmless = LabelCache(STALE, ["evidence"], {"/run/foo.sock": RIGHT.wanted.context}, [])
    monkeypatch.setattr(world, "cache", lambda: harmless)
    assert world.status().ok
    outcome = world.flow.repair(False)
    assert (outcome.plan, outcome.ok, world.done) == ([], True, [])
    assert outcomes(world.flow.reexec(False)) == [("daemon-reexec", "not-needed", guards.CACHE_NOT_STALE)]
    # A socket to be made anew is restarted: PID 1 gives it the right label.
    world.view = changed(RIGHT, path_label=BAD)
    assert outcomes(world.flow.repair(False)) == [("restart", "done", None)]


def test_only_the_sockets_that_pid_1_would_label_wrongly_are_said_to_be(monkeypatch):
    other = changed(RIGHT, path="/run/other.sock")
    world = World(monkeypatch, refresh=NEVER)
    world.views = (RIGHT, other)
    assert [one.problem for one in world.status().sockets] == ["label-cache-stale", None]


def test_a_reexec_whose_end_is_not_seen_is_not_done_again(monkeypatch):
    """The time was up, or the run was killed, after the order."""
    world = World(monkeypatch, state=UNKNOWN, refresh=NEVER)

    def sent():
        world.do("daemon-reexec")
        raise TimedOut("systemctl daemon-reexec did not end within 60 s")
    monkeypatch.setattr(world.systemd, "daemon_reexec", sent)
    assert outcomes(world.flow.repair(False)) == [("daemon-reexec", "failed", None)]
    again = World(monkeypatch, state=UNKNOWN, refresh=NEVER)
    again.executed = world.executed
    assert again.flow.repair(False).plan == []


@pytest.mark.parametrize("heard", [False, True])
def test_a_reexec_that_pid_1_refused_is_tried_by_the_next_run(monkeypatch, heard):
    world = World(monkeypatch, state=UNKNOWN, refresh=NEVER)
    world.failing = {"daemon-reexec"} if heard else set()
    if not heard:  # killed before the order
        monkeypatch.setattr(world.systemd, "daemon_reexec", lambda: (_ for _ in ()).throw(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            world.flow.repair(False)
    else:
        assert outcomes(world.flow.repair(False)) == [("daemon-reexec", "failed", None)]
    world = World(monkeypatch, state=UNKNOWN, refresh=NEVER)
    assert world.flow.repair(False).ok
    assert world.acts() == ["daemon-reexec"]


def test_without_a_record_pid_1_is_not_reexecuted(monkeypatch):
    """Each run would do it again."""
    world = World(monkeypatch, state=UNKNOWN, refresh=NEVER)
    monkeypatch.setattr(attempts, "save", lambda done: (_ for _ in ()).throw(OSError(30, "Read-only file system")))
    outcome = world.flow.repair(False)
    assert outcomes(outcome) == [("daemon-reexec", "failed", None)]
    assert outcome.results[0].detail == "the re-exec of PID 1 cannot be recorded: Read-only file system"
    assert world.acts() == []


@pytest.mark.parametrize("refresh", [ON_POLICY_LOAD, UNSURE, ON_DAEMON_RELOAD])
def test_milder_remedies_that_did_not_help_are_not_taken_by_the_next_run(monkeypatch, refresh):
    world = World(monkeypatch, refresh=refresh, conditions=CLEAR._replace(switched_off="the file says so"))
    assert outcomes(world.flow.repair(False))[-1] == ("daemon-reexec", "refused", guards.SWITCHED_OFF)
    assert "daemon-reload" in world.done
    world.done.clear()
    assert outcomes(world.flow.repair(False)) == [("daemon-reexec", "refused", guards.SWITCHED_OFF)]
    assert world.done == []
    world.generation = "rules 2"
    world.flow.repair(False)
    assert "daemon-reload" in world.done


def test_a_database_that_cannot_be_seen_after_the_policy_load_is_no_reason_for_more(monkeypatch):
    """PID 1 read a text that was written by hand; its systemd renews its cache at a policy load."""
    world = World(monkeypatch, load_due=True)
    do = world.do
    monkeypatch.setattr(world, "do", lambda what: (do(what), setattr(
        world, "state", UNKNOWN if what == "load-policy" else world.state)))
    monkeypatch.setattr(door, "load_policy", lambda runner: world.do("load-policy"))
    outcome = world.flow.repair(False)
    assert world.acts() == ["load-policy"]
    assert outcomes(outcome)[-2:] == [("daemon-reload", "not-needed", None),
                                      ("daemon-reexec", "not-needed", guards.NOT_PROVEN)]


def test_a_restart_is_told_though_nobody_can_look_at_it(monkeypatch):
    world = World(monkeypatch, state=FRESH, view=changed(RIGHT, path_label=BAD))
    read = world.source.read

    def fails():
        if "restart foo.socket" in world.done:
            raise DeadlineExceeded("the time limit is used up")
        return read()
    monkeypatch.setattr(world.source, "read", fails)
    outcome = world.flow.repair(False)
    assert outcomes(outcome) == [("restart", "done", None)]
    assert (outcome.changed, outcome.ok, outcome.error) == (True, False, "the time limit is used up")


def test_only_the_sockets_that_are_wrong_are_restarted_again(monkeypatch):
    other = changed(RIGHT, unit="bar.socket", path="/run/bar.sock")
    world = World(monkeypatch, state=UNKNOWN, refresh=UNSURE)
    views = {"foo.socket": changed(RIGHT, path_label=BAD, made_after_rules=True),
             "bar.socket": changed(other, path_label=BAD)}
    read = world.source.read
    monkeypatch.setattr(world.source, "read", lambda: read()._replace(
        sockets=tuple(views.values()), units=dict.fromkeys(views, world.unit)))

    def order(verb, unit, surely=False):
        world.do("%s %s" % (verb, unit))
    monkeypatch.setattr(world.systemd, "order", order)
    monkeypatch.setattr(socketunits.Restarts, "restart", lambda self, unit: order("restart", "bar.socket") if not world.done
                        and views.update({"bar.socket": other}) is None else order("restart", "foo.socket"))
    world.flow.repair(False)
    assert [one for one in world.acts() if one.startswith("restart")].count("restart bar.socket") == 1


def test_proof_counts_for_more_than_a_reexec_that_was_done(monkeypatch):
    attempts.save(Attempts("rules 1", True, "", {}))
    world = World(monkeypatch, state=UNKNOWN, refresh=UNSURE, view=changed(RIGHT, path_label=BAD, made_after_rules=True))
    assert outcomes(world.flow.reexec(False)) == [("daemon-reexec", "refused", guards.ALREADY_DONE)]


def test_by_hand_a_policy_load_that_is_due_comes_first(monkeypatch):
    world = World(monkeypatch, state=UNKNOWN, load_due=True)
    assert outcomes(world.flow.reexec(False)) == [("daemon-reexec", "refused", guards.MILDER_REMEDY_WORKS)]


def test_a_user_who_may_not_look_is_not_told_that_the_cache_is_stale(monkeypatch):
    world = World(monkeypatch, state=UNKNOWN, refresh=NEVER)
    world.privileged = False
    assert world.status().ok


def test_a_printed_command_survives_the_shell(monkeypatch):
    unit = "my\\x2dapp.socket"
    world = World(monkeypatch, view=changed(RIGHT, unit=unit, path_label=BAD), state=FRESH)
    command = world.status().sockets[0].command
    assert shlex.split(command)[-1] == unit
