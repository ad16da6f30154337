"""Sockets: relabelled in place or restarted, and looked at again."""

from ..doors import labels
from ..doors.log import Log
from ..doors.run import Runner
from ..model import labelcache, plan, sockets
from ..model.errors import HelperError
from ..model.facts import Observation
from ..model.labelcache import STALE
from ..model.plan import DONE, FAILED, NOT_NEEDED, Result, Step
from ..model.refresh import NEVER, ON_DAEMON_RELOAD, UNKNOWN
from ..model.typed import Callable, List, Sequence, Set
from . import stopped
from .evidence import RENEWED
from .pid1 import Pid1
from .restarts import Restarts
from .trace import tell

_LEFT = "its path is labelled wrong after the restart"
_RELABELLED = "PID 1 would give it the wrong label again: relabelled in place"


class Sockets:
    """The sockets of some units; ``look`` observes the host again."""

    def __init__(self, pid1: Pid1, look: Callable[[], Observation], runner: Runner, log: Log) -> None:
        self._systemd = pid1.systemd
        self._pid1 = pid1
        self._look = look
        self._log = log
        self._runner = runner

    def mend(self, actions: Sequence[sockets.Action], before: Sequence[Result]) -> List[Result]:
        """Relabel or restart, as planned, what still is wrong once no other run is doing it."""
        if not actions:
            return []
        try:
            with stopped.alone(self._runner.deadline) as notes:
                return self._mend_alone(actions, {one.step for one in before if one.outcome == DONE}, notes)
        except HelperError as error:
            return [tell(self._log, Result(one.step, one.target, FAILED, None, str(error))) for one in actions]

    def _mend_alone(self, actions: Sequence[sockets.Action], taken: Set[str], notes: stopped.Notes) -> List[Result]:
        seen = self._look()
        stale = not seen.cache.harmless and (seen.cache.state == STALE or self._pid1.evidence.outdated(seen) is True)
        due = plan.socket_actions(seen, self._pid1.evidence.same, stale)[0]
        targets = [(one.step, one.target) for one in due]
        results = [Result(one.step, one.target, NOT_NEEDED, None, _RELABELLED if stale else "not needed by now")
                   for one in actions if (one.step, one.target) not in targets]
        mended = [self._take(action, seen, notes) for action in due]
        restarted = {one.target for one in mended if one.step == sockets.RESTART and one.outcome == DONE}
        results += mended
        if restarted:
            try:
                results += self._verify(restarted, taken, notes)
            except HelperError as error:
                self._log.error("what was restarted cannot be looked at: %s" % error)  # as the report says, too
        return results

    def _take(self, action: sockets.Action, seen: Observation, notes: stopped.Notes) -> Result:
        import stat

        try:
            if action.step == sockets.RESTART:
                Restarts(self._systemd, notes).restart(seen.units[action.target])
            elif action.step == sockets.RELABEL:
                view = next(one for one in seen.views if one.path == action.target)
                labels.relabel(action.target, view.wanted or "", stat.S_IFSOCK)
            else:
                executable = next(one for one in seen.executables.values() if one.path == action.target)
                labels.relabel(action.target, executable.expected or "", stat.S_IFREG)
        except OSError as error:
            return tell(self._log, Result(action.step, action.target, FAILED, None, str(error.strerror)))
        except HelperError as error:
            return tell(self._log, Result(action.step, action.target, FAILED, None, str(error)))
        return tell(self._log, Result(action.step, action.target, DONE, None, action.reason))

    def start(self, steps: Sequence[Step]) -> List[Result]:
        """Start what a run that was killed in the middle of a restart has left down."""
        if not steps:
            return []
        try:
            with stopped.alone(self._runner.deadline) as notes:
                started = Restarts(self._systemd, notes).start([step.target for step in steps])
        except HelperError as error:
            return [tell(self._log, Result(plan.START, step.target, FAILED, None, str(error))) for step in steps]
        return [tell(self._log, Result(plan.START, unit, FAILED if failure else DONE, None, failure or plan.CUT_SHORT))
                for unit, failure in started]

    def _verify(self, restarted: Set[str], taken: Set[str], notes: stopped.Notes) -> List[Result]:
        """Look at the paths of sockets that were just restarted, and relabel in place those that are wrong still.

        systemd up to 234 binds a socket over a file that was left behind without labelling it.  Of a later one
        whose label cache cannot be seen, a wrong label shows that it is outdated.
        """
        seen = self._look()
        results: List[Result] = []
        if self._wrong_paths(seen, restarted) and seen.cache.state == labelcache.UNKNOWN \
                and self._pid1.evidence.prediction().refresh not in (NEVER, ON_DAEMON_RELOAD):
            results += self._renew_unseen(restarted, taken, notes)
            seen = self._look()
        for view in self._wrong_paths(seen, restarted):
            results.append(self._take(sockets.relabelling(view, _LEFT), seen, notes))
        return results

    def _wrong_paths(self, seen: Observation, units: Set[str]) -> List[sockets.SocketView]:
        return [view for view in seen.views
                if view.unit in units and view.path_wrong(self._pid1.evidence.same) and sockets.labelled(view)]

    def _renew_unseen(self, restarted: Set[str], taken: Set[str], notes: stopped.Notes) -> List[Result]:
        """Renew a label cache that cannot be seen, since PID 1 has just labelled a new socket wrong.

        A daemon-reload is tried first where this systemd is not known; it takes another restart to see its effect.
        """
        results: List[Result] = []
        if self._pid1.evidence.why_current(self._look()) == RENEWED:
            return results  # a re-exec has not helped
        known = self._pid1.evidence.prediction().refresh != UNKNOWN
        for remedy in (plan.DAEMON_REEXEC,) if known or plan.DAEMON_RELOAD in taken else (
                plan.DAEMON_RELOAD, plan.DAEMON_REEXEC):
            seen = self._look()
            if remedy in taken or not self._wrong_paths(seen, restarted):
                break
            step = Step(remedy, plan.INIT, "the label of the restarted socket is wrong still")
            results.append(tell(self._log, self._pid1.reexec(seen, None) if remedy == plan.DAEMON_REEXEC
                                else self._pid1.take(step)))
            if results[-1].outcome != DONE:
                break
            if remedy == plan.DAEMON_RELOAD:
                wrong = sorted({view.unit for view in self._wrong_paths(seen, restarted)})
                results += [self._take(sockets.Action(sockets.RESTART, unit, step.reason), seen, notes)
                            for unit in wrong]
        return results
