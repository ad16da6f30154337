"""Sockets: relabelled in place or restarted, and looked at again."""



from ..doors import labels, restartjournal
from ..doors.log import Log
from ..doors.restartjournal import Journal
from ..doors.run import Runner
from ..model import evidence, labelcache, plan, remedies, sockets
from ..model.errors import HelperError
from ..model.facts import Facts
from ..model.labelcache import STALE
from ..model.plan import DONE, FAILED, NOT_NEEDED, Result, Step
from ..model.refresh import NEVER, ON_DAEMON_RELOAD, UNKNOWN
from ..model.typed import List, Sequence, Set
from ..sources.host import HostSource
from .pid1 import Pid1
from .restarts import Restarts
from .trace import tell

_LEFT = "its path is labelled wrong after the restart"
_RELABELLED = "PID 1 would give it the wrong label again: relabelled in place"


class Sockets:
    """The sockets of some units on one host."""

    def __init__(self, source: HostSource, pid1: Pid1, runner: Runner, log: Log) -> None:
        self._systemd = source.systemd
        self._pid1 = pid1
        self._source = source
        self._log = log
        self._runner = runner

    def mend(self, actions: Sequence[sockets.Action], before: Sequence[Result]) -> List[Result]:
        """Relabel or restart, as planned, what still is wrong once no other run is doing it."""
        if not actions:
            return []
        try:
            with restartjournal.alone(self._runner.deadline) as journal:
                return self._mend_alone(actions, {one.step for one in before if one.outcome == DONE}, journal)
        except HelperError as error:
            return [tell(self._log, Result(one.step, one.target, FAILED, None, str(error))) for one in actions]

    def _mend_alone(self, actions: Sequence[sockets.Action], taken: Set[str], journal: Journal) -> List[Result]:
        facts = self._source.read()
        stale = not facts.cache.harmless and (facts.cache.state == STALE or evidence.outdated(facts) is True)
        due = plan.socket_actions(facts, stale)[0]
        targets = [(one.step, one.target) for one in due]
        results = [Result(one.step, one.target, NOT_NEEDED, None, _RELABELLED if stale else "not needed by now")
                   for one in actions if (one.step, one.target) not in targets]
        mended = [self._take(action, facts, journal) for action in due]
        restarted = {one.target for one in mended if one.step == sockets.RESTART and one.outcome == DONE}
        results += mended
        if restarted:
            try:
                results += self._verify(restarted, taken, journal)
            except HelperError as error:
                self._log.error("what was restarted cannot be looked at: %s" % error)  # as the report says, too
        return results

    def _take(self, action: sockets.Action, facts: Facts, journal: Journal) -> Result:
        import stat

        try:
            if action.step == sockets.RESTART:
                Restarts(self._systemd, journal).restart(facts.units[action.target])
            elif action.step == sockets.RELABEL:
                view = next(one for one in facts.sockets if one.path == action.target)
                labels.relabel(action.target, sockets.new_label(view), stat.S_IFSOCK)
            else:
                executable = next(one for one in facts.executables.values() if one.path == action.target)
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
            with restartjournal.alone(self._runner.deadline) as journal:
                started = Restarts(self._systemd, journal).start([step.target for step in steps])
        except HelperError as error:
            return [tell(self._log, Result(plan.START, step.target, FAILED, None, str(error))) for step in steps]
        return [tell(self._log, Result(plan.START, unit, FAILED if failure else DONE, None,
                                       failure or plan.INTERRUPTED))
                for unit, failure in started]

    def _verify(self, restarted: Set[str], taken: Set[str], journal: Journal) -> List[Result]:
        """Look at the paths of sockets that were just restarted, and relabel in place those that are wrong still.

        systemd up to 234 binds a socket over a file that was left behind without labelling it.  Of a later one
        whose label cache cannot be seen, a wrong label shows that it is outdated.
        """
        facts = self._source.read()
        results: List[Result] = []
        if _wrong_paths(facts, restarted) and facts.cache.state == labelcache.UNKNOWN \
                and evidence.refresh(facts) not in (NEVER, ON_DAEMON_RELOAD):
            results += self._renew_unseen(facts, restarted, taken, journal)
            facts = self._source.read()
        for view in _wrong_paths(facts, restarted):
            results.append(self._take(sockets.relabelling(view, _LEFT), facts, journal))
        return results

    def _renew_unseen(self, facts: Facts, restarted: Set[str], taken: Set[str], journal: Journal) -> List[Result]:
        """Renew a label cache that cannot be seen, since PID 1 has just labelled a new socket wrong.

        A daemon-reload is tried first where this systemd is not known; it takes another restart to see its effect.
        """
        results: List[Result] = []
        if evidence.why_current(facts) == evidence.RENEWED:
            return results  # a re-exec has not helped
        known = evidence.refresh(facts) != UNKNOWN
        for remedy in (remedies.DAEMON_REEXEC,) if known or remedies.DAEMON_RELOAD in taken else (
                remedies.DAEMON_RELOAD, remedies.DAEMON_REEXEC):
            facts = self._source.read()
            if remedy in taken or not _wrong_paths(facts, restarted):
                break
            step = Step(remedy, plan.INIT, "the label of the restarted socket is wrong still")
            results.append(tell(self._log, self._pid1.reexec(facts, None) if remedy == remedies.DAEMON_REEXEC
                                else self._pid1.take(step, facts)))
            if results[-1].outcome != DONE:
                break
            if remedy == remedies.DAEMON_RELOAD:
                wrong = sorted({view.unit for view in _wrong_paths(facts, restarted)})
                results += [self._take(sockets.Action(sockets.RESTART, unit, step.reason), facts, journal)
                            for unit in wrong]
        return results


def _wrong_paths(facts: Facts, units: Set[str]) -> List[sockets.SocketView]:
    return [view for view in facts.sockets
            if view.unit in units and view.path_wrong(facts.same_type) and sockets.labelled(view)]
