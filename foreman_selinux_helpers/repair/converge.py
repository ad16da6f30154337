"""The sequence of a repair: read the facts, judge, plan, apply, verify.  A second run changes nothing."""

from ..doors.log import Log
from ..doors.run import Runner
from ..model import judgement, plan, remedies
from ..model.errors import HelperError
from ..model.facts import Facts
from ..model.labelcache import STALE
from ..model.outcome import Outcome
from ..model.plan import DONE, FAILED, NOT_NEEDED, Result, Step
from ..model.typed import TYPE_CHECKING, List, Optional, Sequence
from ..sources.host import HostSource

if TYPE_CHECKING:
    from .pid1 import Pid1
    from .registration import Registration
    from .socketunits import Sockets


class Converge:
    """One repair of one host, for the sockets of some profiles."""

    def __init__(self, source: HostSource, runner: Runner, log: Log) -> None:
        self._source = source
        self._runner = runner
        self._log = log
        self._pid1: "Optional[Pid1]" = None

    # Modules that change something are loaded only if there is something to change.

    @property
    def pid1(self) -> "Pid1":
        """The remedies for PID 1's label cache; one object for the whole run."""
        if self._pid1 is None:
            from .pid1 import Pid1

            self._pid1 = Pid1(self._source, self._runner, self._log)
        return self._pid1

    @property
    def _sockets(self) -> "Sockets":
        from .socketunits import Sockets

        return Sockets(self._source, self.pid1, self._runner, self._log)

    @property
    def _registration(self) -> "Registration":
        from .registration import Registration

        return Registration(self._source, self._runner, self._log)

    def repair(self, dry_run: bool) -> Outcome:
        """Register, refresh PID 1, restart or relabel, verify."""
        facts = self._source.read()
        cache_steps, starts = remedies.planned(facts), plan.start_steps(facts.stopped)
        actions, by_hand = plan.socket_actions(facts)
        steps = plan.rule_steps(facts.rules.decisions) + cache_steps + starts + plan.socket_steps(actions)
        if dry_run or not (steps or facts.rules.record.pending):
            return _outcome(facts, steps, [], by_hand)
        results = self._registration.register(facts)
        if any(result.outcome == FAILED for result in results):
            # With the old rules, a refreshed PID 1 or a new socket would have the same wrong labels.
            results += [Result(step.step, step.target, NOT_NEEDED, None, "nothing was registered")
                        for step in steps if step.step not in (plan.REGISTER, plan.UNREGISTER, plan.START)]
            results += self._sockets.start(starts)
        else:
            results += self.pid1.refresh(facts, cache_steps)
            results += self._sockets.start(starts)
            results += self._sockets.mend(actions, results)
        return self._verified(facts, steps, results)

    def repair_everything(self, dry_run: bool) -> Outcome:
        """Repair the sockets of profiles, and relabel in place the sockets of units without a profile."""
        from .socketunits import Sockets

        profiled = self.repair(dry_run)
        others = self._source.others()
        actions, _ = plan.socket_actions(others.read())
        results = [] if dry_run else Sockets(others, self.pid1, self._runner, self._log).mend(actions, [])
        facts = self._source.everything().read_everything()
        by_hand = plan.socket_actions(facts)[1]
        return _outcome(facts, [*profiled.plan, *plan.socket_steps(actions)], [*profiled.results, *results],
                        by_hand)._replace(error=profiled.error)

    def register(self, dry_run: bool) -> Outcome:
        """Only register the rules."""
        facts = self._source.read_rules()
        steps = plan.rule_steps(facts.rules.decisions)
        results = [] if dry_run else self._registration.register(facts)
        return _outcome(facts, steps, results)

    def reexec(self, dry_run: bool) -> Outcome:
        """Re-execute PID 1 if its label cache is stale and no guard refuses."""
        from .trace import tell

        self.pid1.others = self.pid1.other_sockets()
        facts = self.pid1.read_cache(self._source.read())
        step = Step(remedies.DAEMON_REEXEC, plan.INIT, facts.cache.evidence[0] if facts.cache.evidence else "")
        if facts.cache.state == STALE and not dry_run:
            self.pid1.nudge(facts)
            facts = self.pid1.read_cache(facts)
        milder = remedies.milder(facts)
        results = [self.pid1.reexec(facts, "%s: %s" % milder if milder else None, dry_run=dry_run)]
        if not dry_run:
            tell(self._log, results[0])
            facts = self.pid1.read_cache(facts) if results[0].outcome == DONE else facts
            results += self.pid1.once_more(facts)
        if dry_run:
            would = [] if results[0].outcome != DONE else [step]
            return _outcome(facts._replace(sockets=()), would, [] if would else results)
        return _outcome(facts._replace(sockets=()), [step], results)

    def restart(self) -> Outcome:
        """Only restart or relabel the sockets."""
        starts = plan.start_steps(self._source.read_stopped())
        results = self._sockets.start(starts)
        facts = self._source.read()
        actions, by_hand = plan.socket_actions(facts)
        if actions and facts.cache.state == STALE:
            self.pid1.nudge(facts)  # some versions of systemd renew their label cache now
        steps = starts + plan.socket_steps(actions)
        if not actions:
            return _outcome(facts, steps, results, by_hand)
        results += self._sockets.mend(actions, [])
        return self._verified(facts, steps, results)

    def _verified(self, before: Facts, steps: Sequence[Step], results: List[Result]) -> Outcome:
        """Read the facts again.  If the manager does not answer, report the facts from before the repair."""
        try:
            after = self._source.read()
        except HelperError as error:
            self._log.error(str(error))
            return _outcome(before, steps, results)._replace(error=str(error))
        return _outcome(after, steps, results, plan.socket_actions(after)[1])


def _outcome(facts: Facts, steps: Sequence[Step], results: Sequence[Result], by_hand: Sequence[str] = ()) -> Outcome:
    return Outcome(facts, steps, results, judgement.reports(facts), by_hand)
