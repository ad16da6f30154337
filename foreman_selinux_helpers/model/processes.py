"""Processes that label by outdated rules: what they would label wrongly, and what renews them.  Pure."""

import shlex

from .filecontexts import type_of
from .labelcache import Wrong
from .processfacts import ProcessFacts, Seen
from .refresh import ON_DAEMON_RELOAD, ON_POLICY_LOAD
from .remedies import DAEMON_REEXEC, DAEMON_RELOAD, LOAD_POLICY, command
from .typed import Callable, List, Mapping, Optional, Sequence, Tuple, Value


class Process(Value):
    """A process whose label cache is outdated.

    ``held``: the outdated databases; ``since``: when the one was put on disk that it does not hold, in
    seconds since the epoch; ``renews_itself``: at its next look-up; ``renew``: the command that renews
    it now, or None where only who started it can.

    ``harmless``: it would label the sockets of this host rightly all the same (None: unknown, and ``unseen``
    says why); ``wrong``: those that it would not; ``assumed``: what was taken for granted of its copy.
    """

    pid: int
    comm: str
    unit: Optional[str]
    state: str
    held: List[str]
    since: Optional[int]
    renews_itself: bool
    renew: Optional[str]
    evidence: List[str]
    harmless: Optional[bool] = None
    wrong: Sequence[Wrong] = ()
    unseen: Optional[str] = None
    assumed: Optional[str] = None


def judge(facts: ProcessFacts, same_type: Callable[[str, str], bool]) -> List[Process]:
    """Judge every outdated process."""
    found = []
    for holder in facts.outdated:
        refresh = facts.build.refresh if facts.build and holder.seen.systemd else None
        itself, renew = renewal(holder.seen, refresh, facts.policy_load_due)
        process = Process(holder.seen.pid, holder.comm, holder.seen.unit, holder.cache.state, holder.held,
                          holder.since, itself, renew, holder.cache.evidence, unseen=holder.unasked)
        found.append(process if holder.answers is None else judged(
            process, holder.answers, facts.expected, same_type)._replace(assumed=holder.assumed))
    return found


def renewal(seen: Seen, refresh: Optional[str], policy_load_due: bool) -> Tuple[bool, Optional[str]]:
    """Tell whether a process renews its label cache itself, and the command that renews it now.

    ``refresh`` is the behaviour of systemd's programs, ``policy_load_due`` that the kernel has not
    loaded a policy since the rules changed, which is what they notice.
    """
    if seen.systemd and refresh == ON_POLICY_LOAD and policy_load_due:
        return False, command(LOAD_POLICY)
    itself = seen.systemd and refresh == ON_POLICY_LOAD
    if seen.pid == 1:
        return itself, command(DAEMON_RELOAD if refresh == ON_DAEMON_RELOAD else DAEMON_REEXEC)
    if seen.manager:
        # A user's own manager is told by the user (systemctl(1)); -M USER@ came with 248.
        return itself, "runuser -u %s -- env XDG_RUNTIME_DIR=/run/user/%d systemctl --user daemon-reexec" % (
            shlex.quote(seen.user), seen.user_id)
    if seen.unit and seen.unit.endswith(".service") and not seen.unit.startswith("user@"):
        return itself, "systemctl restart %s" % shlex.quote(seen.unit)
    return itself, None


def judged(process: Process, answers: Mapping[str, Optional[str]], expected: Mapping[str, Optional[str]],
           same_type: Callable[[str, str], bool]) -> Process:
    """Compare what a process's own copy answers for sockets (labels by path) with what the rules on disk give."""
    wrong = [Wrong(path, answers[path], right) for path, right in expected.items()
             if not _same(answers[path], right, same_type)]
    return process._replace(harmless=not wrong, wrong=wrong)


def _same(one: Optional[str], other: Optional[str], same_type: Callable[[str, str], bool]) -> bool:
    """Tell whether two labels are the same, by whatever name of the type."""
    if one == other or one is None or other is None:
        return one == other
    ours, theirs = one.split(":", 3), other.split(":", 3)
    return ours[:2] + ours[3:] == theirs[:2] + theirs[3:] and same_type(type_of(one), type_of(other))
