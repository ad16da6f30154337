"""What a repair will do, as a value: text, JSON and dry run all print the same.  Pure."""



from .. import PROGRAM
from . import rules, sockets
from .facts import Facts
from .sockets import Action
from .typed import List, Optional, Sequence, Tuple, Value

# The steps, with those for PID 1 (remedies.py) and for sockets (sockets.py).
REGISTER = "register"
UNREGISTER = "unregister"
START = "start"

DONE = "done"
NOT_NEEDED = "not-needed"
REFUSED = "refused"
FAILED = "failed"

# What is typed to have a verb do its work.
REPAIR_COMMAND = PROGRAM + " repair"
UNREGISTER_COMMAND = PROGRAM + " unregister"
RESTART_COMMAND = PROGRAM + " restart"
REEXEC_COMMAND = PROGRAM + " reexec"

INIT = "PID 1"
KERNEL = "kernel"
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


def start_steps(units: Sequence[str]) -> List[Step]:
    """Return the steps that start what a run which was cut short had stopped."""
    return [Step(START, unit, CUT_SHORT) for unit in units]


def socket_actions(facts: Facts, cache_stale: bool = False) -> Tuple[List[Action], List[str]]:
    """Return what mends the sockets, and what is left for the administrator; see sockets.actions()."""
    found: List[Action] = []
    by_hand: List[str] = []
    if facts.host.offline:
        return found, by_hand
    present = [view for view in facts.sockets if view.present]
    for unit in dict.fromkeys(view.unit for view in present):
        views = [view for view in present if view.unit == unit]
        executable = facts.executables.get(unit) if any(view.seen.listening for view in views) else None
        actions, unmended = sockets.actions(views, executable, facts.same_type, cache_stale)
        found += actions
        by_hand += unmended
    return found, by_hand


def socket_steps(actions: Sequence[Action]) -> List[Step]:
    """Return the steps that mend sockets."""
    return [Step(*action) for action in actions]
