"""What a repair will do, as a value: text, JSON and dry run all print the same.  Pure."""

from .. import PROGRAM
from . import rules, sockets
from .facts import Observation
from .labelcache import STALE, UNKNOWN
from .refresh import NEVER, ON_DAEMON_RELOAD
from .sockets import Action, SameType
from .typed import List, Optional, Sequence, Tuple, Value

REGISTER = "register"
UNREGISTER = "unregister"
LOOK_A_LABEL_UP = "look-a-label-up"
LOAD_POLICY = "load-policy"
DAEMON_RELOAD = "daemon-reload"
DAEMON_REEXEC = "daemon-reexec"
START = "start"
# Everything that can be a step, but for what mends sockets (sockets.ACTIONS).
STEPS = (REGISTER, UNREGISTER, LOOK_A_LABEL_UP, LOAD_POLICY, DAEMON_RELOAD, DAEMON_REEXEC, START)

DONE = "done"
NOT_NEEDED = "not-needed"
REFUSED = "refused"
FAILED = "failed"

# What is typed to have a verb do its work.
REPAIR_COMMAND = PROGRAM + " repair"
UNREGISTER_COMMAND = PROGRAM + " unregister"
RESTART_COMMAND = PROGRAM + " restart"
REEXEC_COMMAND = PROGRAM + " reexec"

# What comes before a re-exec, and is for PID 1 alone.
MILDER = (LOOK_A_LABEL_UP, DAEMON_RELOAD)

INIT = "PID 1"
CUT_SHORT = "a restart that was cut short had stopped it"


class Step(Value):
    """One thing that is going to be done."""

    step: str
    target: str
    reason: str


class Result(Value):
    """How a step ended."""

    step: str
    target: str
    outcome: str
    guard: Optional[str] = None
    detail: str = ""


def rule_steps(decisions: Sequence[rules.Decision]) -> List[Step]:
    """Return the steps of one policy-store transaction."""
    steps = []
    for one in decisions:
        if one.action in (rules.ADD, rules.MODIFY):
            steps.append(Step(REGISTER, str(one.rule), one.reason))
        elif one.action == rules.REMOVE:
            steps.append(Step(UNREGISTER, str(one.rule), one.reason))
    return steps


def cache_steps(observation: Observation, load_due: bool, refresh: str,
                outdated: Optional[bool] = None) -> List[Step]:
    """Return the remedies for PID 1's label cache, mildest first.

    ``refresh``: when this systemd renews its label cache, as far as it is known: a remedy that is known to be
    vain is left out.  ``outdated``: PID 1 is known (True) or known not (False) to label by older rules, where
    its cache cannot be seen.  Each step but the first is taken only while the cache still is stale.
    """
    changing = bool(rule_steps(observation.decisions))
    state = observation.cache.state
    needed = not observation.cache.harmless and (state == STALE or outdated or (load_due and state == UNKNOWN))
    if not observation.relevant or not (changing or needed):
        return []
    steps = []
    if load_due and not changing:
        steps.append(Step(LOAD_POLICY, "kernel", "no policy was loaded since the rules on disk changed"))
    if state == UNKNOWN:
        remedy = {NEVER: DAEMON_REEXEC, ON_DAEMON_RELOAD: DAEMON_RELOAD}.get(refresh) \
            if changing or outdated is not False else None
        why = "its label cache cannot be seen; this systemd is known to need it"
        return steps + ([Step(remedy, INIT, why)] if remedy else [])
    why = "rules on disk change" if changing else observation.cache.evidence[0]
    if refresh == NEVER:
        return [*steps, Step(DAEMON_REEXEC, INIT, "%s; this systemd is known to need it" % why)]
    still = "only if PID 1's label cache is stale after that"
    reexec = Step(DAEMON_REEXEC, INIT, still)
    if refresh == ON_DAEMON_RELOAD:
        return [*steps, Step(DAEMON_RELOAD, INIT, "%s; this systemd is known to need it" % why), reexec]
    look = Step(LOOK_A_LABEL_UP, INIT, "%s; a systemd that renews its label cache lazily does it now" % why)
    return [look, *steps, Step(DAEMON_RELOAD, INIT, still), reexec]


def start_steps(units: Sequence[str]) -> List[Step]:
    """Return the steps that start what a run which was cut short had stopped."""
    return [Step(START, unit, CUT_SHORT) for unit in units]


def socket_actions(seen: Observation, same: SameType, cache_stale: bool = False) -> Tuple[List[Action], List[str]]:
    """Return what mends the sockets that were seen, and what is left for somebody to do; see sockets.actions()."""
    found: List[Action] = []
    rest: List[str] = []
    if seen.host.offline:
        return found, rest
    for unit in dict.fromkeys(view.unit for view in seen.views if view.listening or view.foreign):
        views = [view for view in seen.views if view.unit == unit and (view.listening or view.foreign)]
        executable = seen.executables.get(unit) if any(view.listening for view in views) else None
        actions, left = sockets.actions(views, executable, same, cache_stale)
        found += actions
        rest += left
    return found, rest


def socket_steps(actions: Sequence[Action]) -> List[Step]:
    """Return the steps that mend sockets."""
    return [Step(*action) for action in actions]
