"""Judge processes that label by outdated rules: what they would label wrongly, and what renews them.  Pure."""

import shlex

from .filecontexts import type_of
from .labelcache import Wrong
from .processfacts import ProcessFacts, Program
from .refresh import ON_DAEMON_RELOAD, ON_POLICY_LOAD
from .remedies import DAEMON_REEXEC, DAEMON_RELOAD, LOAD_POLICY, command
from .typed import Callable, List, Mapping, Optional, Sequence, Tuple, Value


class Process(Value):
    """A process whose label cache is outdated.

    ``held``: the outdated databases.  ``since``: when the database that it does not hold was written, in seconds
    since the epoch.  ``renews_itself``: it renews its cache at its next look-up.  ``renew``: the command that renews
    it now, or None if it must be restarted in the way it was started.

    ``harmless``: it would still label all sockets of this host correctly (None: unknown, and ``unseen`` says why).
    ``wrong``: the sockets that it would label wrongly.  ``assumed``: what was assumed about its copy.
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
    processes = []
    for holder in facts.outdated:
        refresh = facts.build.refresh if facts.build and holder.program.systemd else None
        itself, renew = renewal(holder.program, refresh, facts.policy_load_due)
        process = Process(holder.program.pid, holder.comm, holder.program.unit, holder.cache.state, holder.held,
                          holder.since, itself, renew, holder.cache.evidence, unseen=holder.unasked)
        processes.append(process if holder.answers is None else judged(
            process, holder.answers, facts.expected, same_type)._replace(assumed=holder.assumed))
    return processes


def renewal(program: Program, refresh: Optional[str], policy_load_due: bool) -> Tuple[bool, Optional[str]]:
    """Return whether a process renews its label cache itself, and the command that renews it now.

    ``refresh``: the refresh behaviour of systemd's programs.  ``policy_load_due``: the kernel has not loaded a policy
    since the rules changed, so that these programs have not noticed the change.
    """
    if program.systemd and refresh == ON_POLICY_LOAD and policy_load_due:
        return False, command(LOAD_POLICY)
    itself = program.systemd and refresh == ON_POLICY_LOAD
    if program.pid == 1:
        return itself, command(DAEMON_RELOAD if refresh == ON_DAEMON_RELOAD else DAEMON_REEXEC)
    if program.manager:
        # Only the user can talk to the user's manager (systemctl(1)); -M USER@ exists since 248.
        return itself, "runuser -u %s -- env XDG_RUNTIME_DIR=/run/user/%d systemctl --user daemon-reexec" % (
            shlex.quote(program.user), program.user_id)
    if program.unit and program.unit.endswith(".service") and not program.unit.startswith("user@"):
        return itself, "systemctl restart %s" % shlex.quote(program.unit)
    return itself, None


def judged(process: Process, answers: Mapping[str, Optional[str]], expected: Mapping[str, Optional[str]],
           same_type: Callable[[str, str], bool]) -> Process:
    """Compare the answers of a process's own copy (labels by path) with those of the rules on disk."""
    wrong = [Wrong(path, answers[path], right) for path, right in expected.items()
             if not _same(answers[path], right, same_type)]
    return process._replace(harmless=not wrong, wrong=wrong)


def _same(label: Optional[str], other: Optional[str], same_type: Callable[[str, str], bool]) -> bool:
    """Return whether two labels are the same, aliases of the type resolved."""
    if label == other or label is None or other is None:
        return label == other
    ours, theirs = label.split(":", 3), other.split(":", 3)
    return ours[:2] + ours[3:] == theirs[:2] + theirs[3:] and same_type(type_of(label), type_of(other))
