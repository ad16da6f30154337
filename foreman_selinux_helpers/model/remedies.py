"""The table of remedies for PID 1's label cache, mildest first: when each is planned, and its command.  Pure.

repair/pid1.py takes them.  After each it reads the cache again, and skips the others once the cache is harmless.
"""

from . import evidence, plan
from .facts import Facts
from .labelcache import STALE, UNKNOWN
from .plan import INIT, KERNEL, Step
from .refresh import NEVER, ON_DAEMON_RELOAD, ON_POLICY_LOAD
from .typed import Callable, List, Optional, Sequence, Value

LOOK_A_LABEL_UP = "look-a-label-up"
LOAD_POLICY = "load-policy"
DAEMON_RELOAD = "daemon-reload"
DAEMON_REEXEC = "daemon-reexec"

_STILL = "only if PID 1's label cache is stale after that"
_KNOWN = "this systemd is known to need it"


class Need(Value):
    """What the choice of remedies depends on.

    ``why``: why PID 1's label cache has to be renewed.  ``changing``: rules are registered first, which also loads
    the policy.  ``load_due``: the kernel has not loaded a policy since the rules on disk changed.  ``readable``: the
    label cache can be read.  ``refresh``: when this systemd renews it, or UNKNOWN.
    """

    why: str
    changing: bool
    load_due: bool
    readable: bool
    refresh: str


class Remedy(Value):
    """One remedy; ``planned`` returns the reason to plan it, or None if it is known to have no effect."""

    step: str
    target: str
    command: str
    planned: Callable[[Need], Optional[str]]


def _look_up(need: Need) -> Optional[str]:
    if not need.readable or need.refresh in (NEVER, ON_DAEMON_RELOAD):
        return None
    return "%s; a systemd that renews its label cache lazily does it now" % need.why


def _load(need: Need) -> Optional[str]:
    return "no policy was loaded since the rules on disk changed" if need.load_due and not need.changing else None


def _reload(need: Need) -> Optional[str]:
    if need.refresh == ON_DAEMON_RELOAD:
        return "%s; %s" % (need.why, _KNOWN)
    return _STILL if need.readable and need.refresh != NEVER else None


def _reexec(need: Need) -> Optional[str]:
    if need.refresh == NEVER:
        return "%s; %s" % (need.why, _KNOWN)
    return _STILL if need.readable else None


REMEDIES: Sequence[Remedy] = (
    Remedy(LOOK_A_LABEL_UP, INIT, "", _look_up),
    Remedy(LOAD_POLICY, KERNEL, "load_policy", _load),
    Remedy(DAEMON_RELOAD, INIT, "systemctl daemon-reload", _reload),
    Remedy(DAEMON_REEXEC, INIT, plan.REEXEC_COMMAND, _reexec),
)
# What is for PID 1 alone and comes before a re-exec: recorded if it did not help.
MILDER = [remedy.step for remedy in REMEDIES if remedy.target == INIT and remedy.step != DAEMON_REEXEC]


def planned(facts: Facts) -> List[Step]:
    """Return the remedies to take, without those that were already tried in vain for the rules on disk.

    Each but the first is taken only while the cache still needs it.
    """
    cache, changing = facts.cache, bool(plan.rule_steps(facts.rules.decisions))
    if not facts.relevant or (cache.harmless and not changing):
        return []
    outdated, load_due = evidence.outdated(facts), facts.init.dates.policy_load_due
    readable = cache.state != UNKNOWN
    if not (changing or cache.state == STALE or outdated or (load_due and not readable)):
        return []
    known = changing or outdated is not False
    why = "rules on disk change" if changing else cache.evidence[0]
    if not readable:
        why = "its label cache cannot be seen"
    need = Need(why, changing, load_due, readable, evidence.refresh(facts))
    vain = () if changing else facts.init.attempts.done_for(facts.init.generation).tried
    steps = []
    for remedy in REMEDIES:
        reason = remedy.planned(need) if readable or known or remedy.target == KERNEL else None
        if reason and remedy.step not in vain:
            steps.append(Step(remedy.step, remedy.target, reason))
    return steps


class Milder(Value):
    """A remedy that is milder than a re-exec: why it is enough, and the command."""

    why: str
    command: str


def milder(facts: Facts) -> Optional[Milder]:
    """Return the milder remedy that has to be tried before a re-exec, or None."""
    if facts.cache.harmless:
        return None
    refresh, due = evidence.refresh(facts), facts.init.dates.policy_load_due
    if refresh == ON_POLICY_LOAD and due:
        return Milder("loading the policy is enough for this systemd", command(LOAD_POLICY))
    if refresh == ON_DAEMON_RELOAD and (facts.cache.state == STALE or due or evidence.proof(facts)):
        return Milder("this systemd renews its label cache at a daemon-reload", command(DAEMON_RELOAD))
    return None


def command(step: str) -> str:
    """Return the command of a remedy."""
    return next(remedy.command for remedy in REMEDIES if remedy.step == step)
