"""Look, plan, apply, verify: the whole flow.  Doing it again does nothing."""

from ..doors.log import Log
from ..doors.run import Runner
from ..doors.systemd import Systemd
from ..model import plan, sockets
from ..model.errors import HelperError
from ..model.facts import Host, Observation
from ..model.labelcache import STALE
from ..model.outcome import Outcome, SocketReport
from ..model.plan import DONE, FAILED, NOT_NEEDED, Result, Step
from ..model.profiles import SocketProfile
from ..model.typed import TYPE_CHECKING, List, Optional, Sequence
from ..sources import observe
from . import stopped
from .evidence import Evidence
from .judge import Judge

if TYPE_CHECKING:
    from ..sources.detection import Detection
    from .pid1 import Pid1
    from .registration import Registration
    from .socketunits import Sockets


class Converge:
    """One run of the flow on one host, for the sockets of some profiles."""

    def __init__(self, host: Host, profiles: Sequence[SocketProfile], known_units: Optional[Sequence[str]],
                 runner: Runner, log: Log) -> None:
        self._host = host
        self._profiles = profiles
        self._known_units = known_units
        self._runner = runner
        self._log = log
        self.systemd = Systemd(runner)
        self._evidence = Evidence(host, self.systemd, runner)
        self._judge = Judge(host, profiles, self._evidence)
        self._pid1: "Optional[Pid1]" = None

    # What changes something is loaded only when there is something to change.

    @property
    def pid1(self) -> "Pid1":
        """The remedies for PID 1's label cache; one value for all of a run."""
        if self._pid1 is None:
            from .pid1 import Pid1

            self._pid1 = Pid1(self._evidence, self._runner, self._log)
        return self._pid1

    @property
    def _sockets(self) -> "Sockets":
        from .socketunits import Sockets

        return Sockets(self.pid1, lambda: self.look(), self._runner, self._log)

    @property
    def _registration(self) -> "Registration":
        from .registration import Registration

        return Registration(self._host, self._evidence.same, lambda: self.look(rules_alone=True), self._runner,
                            self._log)

    @property
    def detection(self) -> "Detection":
        """Answers about the systemd of this host, needed only where its cache is not fresh."""
        return self._evidence.detection

    def judge_client(self, domain: str, view: sockets.SocketView, seen: Observation) -> SocketReport:
        """Judge whether a domain may connect to a socket with which nothing else is wrong."""
        return self._judge.client(domain, view, seen)

    def status(self) -> Outcome:
        """Look and judge; change nothing."""
        seen = self.look()
        return self._outcome(seen, [], [], ["%s: %s; repair starts it again" % (step.target, step.reason)
                                            for step in self._start_steps()])

    def repair(self, dry_run: bool) -> Outcome:
        """Register, refresh PID 1, restart or relabel, verify."""
        seen = self.look()
        steps = plan.rule_steps(seen.decisions) + self._evidence.steps(seen)
        starts = self._start_steps()
        socket_actions, rest = plan.socket_actions(seen, self._evidence.same)
        steps += starts + plan.socket_steps(socket_actions)
        if dry_run or not (steps or seen.record.pending):
            return self._outcome(seen, steps, [], rest)
        results = self._registration.register(seen)
        if any(one.outcome == FAILED for one in results):
            # With the old rules a refreshed PID 1 or a new socket would be as wrong as before.
            results += [Result(step.step, step.target, NOT_NEEDED, None, "nothing was registered")
                        for step in steps if step.step not in (plan.REGISTER, plan.UNREGISTER, plan.START)]
            results += self._sockets.start(starts)
        else:
            results += self.pid1.refresh(seen, [step for step in steps if step.target in (plan.INIT, "kernel")])
            results += self._sockets.start(starts)
            results += self._sockets.mend(socket_actions, results)
        return self._after(seen, steps, results)

    def register(self, dry_run: bool) -> Outcome:
        """Register the rules alone."""
        seen = self.look(rules_alone=True)
        steps = plan.rule_steps(seen.decisions)
        results = [] if dry_run else self._registration.register(seen)
        return self._outcome(seen, steps, results)

    def reexec(self, dry_run: bool) -> Outcome:
        """Re-execute PID 1 if its label cache is stale and no guard refuses."""
        from .trace import tell

        self.pid1.others = self.pid1.other_sockets()
        seen = self.pid1.look_at_cache(self.look())
        step = Step(plan.DAEMON_REEXEC, plan.INIT, seen.cache.evidence[0] if seen.cache.evidence else "")
        if seen.cache.state == STALE and not dry_run:
            self.pid1.nudge()
            seen = self.pid1.look_at_cache(seen)
        milder = self._evidence.milder(seen)
        results = [self.pid1.reexec(seen, "%s: %s" % milder if milder else None, dry_run=dry_run)]
        if not dry_run:
            tell(self._log, results[0])
            seen = self.pid1.look_at_cache(seen) if results[0].outcome == DONE else seen
            results += self.pid1.once_more(seen)
        if dry_run:
            would = [] if results[0].outcome != DONE else [step]
            return self._outcome(seen._replace(views=()), would, [] if would else results)
        return self._outcome(seen._replace(views=()), [step], results)

    def restart(self) -> Outcome:
        """Take the socket step alone."""
        starts = self._start_steps()
        results = self._sockets.start(starts)
        seen = self.look()
        socket_actions, rest = plan.socket_actions(seen, self._evidence.same)
        if socket_actions and seen.cache.state == STALE:
            self.pid1.nudge()  # it renews its cache now, if it does so by itself
        steps = starts + plan.socket_steps(socket_actions)
        if not socket_actions:
            return self._outcome(seen, steps, results, rest)
        results += self._sockets.mend(socket_actions, [])
        return self._after(seen, steps, results)

    def _start_steps(self) -> List[Step]:
        return plan.start_steps([] if self._host.offline else stopped.units())

    def _after(self, before: Observation, steps: Sequence[Step], results: Sequence[Result]) -> Outcome:
        """Look again at what was done.  A manager that does not answer now does not keep the report away."""
        try:
            after = self.look()
        except HelperError as error:
            self._log.error(str(error))
            return self._outcome(before, steps, results)._replace(error=str(error))
        return self._outcome(after, steps, results, plan.socket_actions(after, self._evidence.same)[1])

    def look(self, rules_alone: bool = False) -> Observation:
        """Look at everything again, or at the rules alone."""
        return observe.observe(self._host, self._profiles, self._known_units, self.systemd, rules_alone)

    def _outcome(self, seen: Observation, steps: Sequence[Step], results: Sequence[Result],
                 rest: Sequence[str] = ()) -> Outcome:
        return Outcome(seen, steps, results, self._judge.reports(seen), rest)
