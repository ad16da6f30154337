"""The plan of a repair as a value: text, JSON and dry run all print the same.  Pure."""

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

# The commands of the verbs.
REPAIR_COMMAND = PROGRAM + " repair"
UNREGISTER_COMMAND = PROGRAM + " unregister"
RESTART_COMMAND = PROGRAM + " restart"
REEXEC_COMMAND = PROGRAM + " reexec"

INIT = "PID 1"
KERNEL = "kernel"
INTERRUPTED = "an interrupted restart had stopped it"


class Step(Value):
    """One planned step."""

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
    """Return the steps of one transaction in the policy store."""
    steps = []
    for decision in decisions:
        if decision.action in (rules.ADD, rules.MODIFY):
            steps.append(Step(REGISTER, str(decision.rule), decision.reason))
        elif decision.action == rules.REMOVE:
            steps.append(Step(UNREGISTER, str(decision.rule), decision.reason))
    return steps


def start_steps(units: Sequence[str]) -> List[Step]:
    """Return the steps that start the units that an interrupted run had stopped."""
    return [Step(START, unit, INTERRUPTED) for unit in units]


def socket_actions(facts: Facts, cache_stale: bool = False) -> Tuple[List[Action], List[str]]:
    """Return the actions that repair the sockets, and messages for the administrator; see sockets.actions()."""
    actions: List[Action] = []
    by_hand: List[str] = []
    if facts.host.offline:
        return actions, by_hand
    present = [view for view in facts.sockets if view.present]
    for unit in dict.fromkeys(view.unit for view in present):
        views = [view for view in present if view.unit == unit]
        executable = facts.executables.get(unit) if any(view.seen.listening for view in views) else None
        of_unit, unmended = sockets.actions(views, executable, facts.same_type, cache_stale)
        actions += of_unit
        by_hand += unmended
    return actions, by_hand


def socket_steps(actions: Sequence[Action]) -> List[Step]:
    """Return the steps of some actions."""
    return [Step(*action) for action in actions]
