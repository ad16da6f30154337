"""Which remedies for PID 1's label cache are planned, in which order, and which are known to be vain."""

import pytest

from foreman_selinux_helpers.model import causes, remedies, rules
from foreman_selinux_helpers.model.attempts import Attempts
from foreman_selinux_helpers.model.facts import Dates, Facts, Host, InitFacts, RuleFacts
from foreman_selinux_helpers.model.filecontexts import ALL_FILES, Rule
from foreman_selinux_helpers.model.labelcache import FRESH, STALE, UNKNOWN, LabelCache
from foreman_selinux_helpers.model.record import Record
from foreman_selinux_helpers.model.refresh import NEVER, ON_DAEMON_RELOAD, ON_POLICY_LOAD, Build
from foreman_selinux_helpers.model.refresh import UNKNOWN as UNSURE
from foreman_selinux_helpers.model.rules import Decision

from .test_sockets import RIGHT, changed

HOST = Host("/", "targeted", True, True, None)
RULE = Rule("/run/foo\\.sock", ALL_FILES, "system_u:object_r:foo_t:s0")
ADD = Decision(RULE, rules.ADD, "no-rule: why", "foo.socket", "/run/foo.sock", causes.NO_RULE)
STALE_CACHE, FRESH_CACHE, NO_CACHE = (LabelCache(state, ["why"]) for state in (STALE, FRESH, UNKNOWN))
LADDER = ["look-a-label-up", "daemon-reload", "daemon-reexec"]
BOOTED = 1000.0


def facts(cache=STALE_CACHE, decisions=(), load_due=False, refresh=ON_POLICY_LOAD, changed_at=2000.0, **more):
    dates = Dates(changed_at, changed_at - 1 if load_due else changed_at + 1, BOOTED)
    init = InitFacts(cache, "/d", dates, "rules 1", Attempts(), Build("239", None, refresh, ["because"]))
    return Facts(HOST, RuleFacts(Record({}, {}), (), decisions), init, str.__eq__, True, sockets=(RIGHT,))._replace(**more)


def steps(seen):
    return [step.step for step in remedies.planned(seen)]


@pytest.mark.parametrize(("cache", "decisions", "load_due", "refresh", "expected"), [
    (FRESH_CACHE, (), False, ON_POLICY_LOAD, []),
    (STALE_CACHE, (), False, ON_POLICY_LOAD, LADDER),
    (STALE_CACHE, (), True, ON_POLICY_LOAD, [LADDER[0], "load-policy"] + LADDER[1:]),
    (FRESH_CACHE, (ADD,), False, ON_POLICY_LOAD, LADDER),
    (STALE_CACHE, (ADD,), True, ON_POLICY_LOAD, LADDER),  # the commit loads the policy
    (FRESH_CACHE, (ADD._replace(action=rules.KEEP), ADD._replace(action=rules.SKIP)), False, ON_POLICY_LOAD, []),
    (NO_CACHE, (ADD,), False, NEVER, ["daemon-reexec"]),
    (NO_CACHE, (ADD,), False, ON_DAEMON_RELOAD, ["daemon-reload"]),
    (NO_CACHE, (ADD,), False, ON_POLICY_LOAD, []),
    # What is known to be vain is left out.
    (STALE_CACHE, (), False, NEVER, ["daemon-reexec"]),
    (STALE_CACHE, (), True, NEVER, ["load-policy", "daemon-reexec"]),
    (FRESH_CACHE, (ADD,), False, NEVER, ["daemon-reexec"]),
    (STALE_CACHE, (), False, ON_DAEMON_RELOAD, ["daemon-reload", "daemon-reexec"]),
    (STALE_CACHE, (), False, UNSURE, LADDER),
    # Where it cannot be seen, what is known besides counts.
    (NO_CACHE, (), False, NEVER, ["daemon-reexec"]),
    (NO_CACHE, (), True, ON_POLICY_LOAD, ["load-policy"]),
    (NO_CACHE, (), False, UNSURE, []),
])
def test_remedies_that_are_planned(cache, decisions, load_due, refresh, expected):
    seen = facts(cache, decisions, load_due, refresh)
    assert steps(seen) == expected
    idle = changed(RIGHT, wanted_cause=causes.NO_SUCH_TYPE)
    assert steps(seen._replace(sockets=(idle,))) == []


@pytest.mark.parametrize(("load_due", "expected"), [(False, []), (True, ["load-policy"])])
def test_rules_that_are_older_than_pid_1_need_no_reexec(load_due, expected):
    assert steps(facts(NO_CACHE, (), load_due, NEVER, changed_at=BOOTED - 500)) == expected


def test_what_did_not_help_with_these_rules_is_left_out():
    seen = facts(refresh=UNSURE)
    tried = seen._replace(init=seen.init._replace(attempts=Attempts("rules 1", tried=("look-a-label-up", "daemon-reload"))))
    assert steps(tried) == ["daemon-reexec"]
    assert steps(tried._replace(rules=tried.rules._replace(decisions=(ADD,)))) == LADDER
    assert steps(tried._replace(init=tried.init._replace(generation="rules 2"))) == LADDER


def test_every_remedy_is_typed_as_it_says():
    assert remedies.MILDER == ["look-a-label-up", "daemon-reload"]
    assert [remedies.command(step) for step in ("load-policy", "daemon-reload", "daemon-reexec")] == [
        "load_policy", "systemctl daemon-reload", "foreman-selinux-helpers reexec"]
