"""Relabel sockets in place or restart them, and verify the result."""

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
        """Relabel or restart the sockets that are still wrong when no other run is repairing them."""
        if not actions:
            return []
        try:
            with restartjournal.alone(self._runner.deadline) as journal:
                return self._mend_alone(actions, {result.step for result in before if result.outcome == DONE}, journal)
        except HelperError as error:
            return [tell(self._log, Result(action.step, action.target, FAILED, None, str(error))) for action in actions]

    def _mend_alone(self, actions: Sequence[sockets.Action], taken: Set[str], journal: Journal) -> List[Result]:
        facts = self._source.read()
        stale = not facts.cache.harmless and (facts.cache.state == STALE or evidence.outdated(facts) is True)
        due = plan.socket_actions(facts, stale)[0]
        targets = [(action.step, action.target) for action in due]
        results = [Result(action.step, action.target, NOT_NEEDED, None, _RELABELLED if stale else "not needed by now")
                   for action in actions if (action.step, action.target) not in targets]
        mended = [self._take(action, facts, journal) for action in due]
        restarted = {result.target for result in mended if result.step == sockets.RESTART and result.outcome == DONE}
        results += mended
        if restarted:
            try:
                results += self._verify(restarted, taken, journal)
            except HelperError as error:
                self._log.error("what was restarted cannot be looked at: %s" % error)  # the report says so too
        return results

    def _take(self, action: sockets.Action, facts: Facts, journal: Journal) -> Result:
        import stat

        try:
            if action.step == sockets.RESTART:
                Restarts(self._systemd, journal).restart(facts.units[action.target])
            elif action.step == sockets.RELABEL:
                view = next(socket for socket in facts.sockets if socket.path == action.target)
                labels.relabel(action.target, sockets.new_label(view), stat.S_IFSOCK)
            else:
                executable = next(program for program in facts.executables.values() if program.path == action.target)
                labels.relabel(action.target, executable.expected or "", stat.S_IFREG)
        except OSError as error:
            return tell(self._log, Result(action.step, action.target, FAILED, None, str(error.strerror)))
        except HelperError as error:
            return tell(self._log, Result(action.step, action.target, FAILED, None, str(error)))
        return tell(self._log, Result(action.step, action.target, DONE, None, action.reason))

    def start(self, steps: Sequence[Step]) -> List[Result]:
        """Start the units that a run left stopped when it was killed during a restart."""
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
        """Check the paths of sockets that were just restarted, and relabel in place those that are still wrong.

        systemd up to 234 binds a socket over an existing file without labelling it.  With a later systemd whose
        label cache cannot be read, a wrong label shows that the cache is outdated.
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
        """Renew a label cache that cannot be read, because PID 1 has just given a new socket a wrong label.

        If this systemd is not known, a daemon-reload is tried first; only another restart shows its effect.
        """
        results: List[Result] = []
        if evidence.why_current(facts) == evidence.RENEWED:
            return results  # a re-exec did not help
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
