"""The remedies for PID 1's label cache, from the mildest to the guarded re-exec."""

from ..doors import attempts, labelfiles, ownership, procfs, systemd
from ..doors.log import Log
from ..doors.run import Runner
from ..model import evidence, guards, labelcache, plan, remedies
from ..model.attempts import Attempts
from ..model.errors import CommandFailed, HelperError, TimedOut
from ..model.facts import Facts
from ..model.guards import Conditions
from ..model.labelcache import STALE
from ..model.plan import DONE, FAILED, NOT_NEEDED, REFUSED, Result, Step
from ..model.refresh import NEVER, ON_POLICY_LOAD
from ..model.typed import Callable, Dict, List, Optional, Sequence
from ..sources import hostkind
from ..sources.host import HostSource
from .trace import tell


class Pid1:
    """PID 1 of this host, for one run."""

    def __init__(self, source: HostSource, runner: Runner, log: Log) -> None:
        self.systemd = source.systemd
        self._host = source.host
        self._source = source
        self._runner = runner
        self._log = log
        self._reexecuted = False
        self.others: Dict[str, str] = {}  # the contexts of other sockets that PID 1 should label, by path

    def read_cache(self, facts: Facts) -> Facts:
        """Return the facts with PID 1's label cache as it is now."""
        return self._source.read_cache(facts, self.others)

    def other_sockets(self) -> Dict[str, str]:
        """Return libselinux's answers for the paths of all sockets, with a profile or without."""
        return {} if self._host.offline else self._source.read_expected(
            [path for paths in self.systemd.listening_paths().values() for path in paths])

    def refresh(self, facts: Facts, steps: Sequence[Step]) -> List[Result]:
        """Take the planned remedies until PID 1 gives every wanted socket the right label; check after each remedy."""
        results: List[Result] = []
        facts = self.read_cache(facts) if steps else facts
        for step in steps:
            if step.step != remedies.DAEMON_REEXEC and facts.cache.harmless:
                results.append(Result(step.step, step.target, NOT_NEEDED, None, guards.why_harmless(facts.cache)))
                continue
            if step.step == remedies.DAEMON_RELOAD and facts.cache.state == labelcache.UNKNOWN \
                    and evidence.refresh(facts) == ON_POLICY_LOAD:
                results.append(Result(step.step, step.target, NOT_NEEDED, None, "this systemd renews its label cache "
                                      "at a policy load, and it cannot be seen now"))
                continue
            helped = any(result.outcome == DONE for result in results)
            result = self.reexec(facts, None, helped) if step.step == remedies.DAEMON_REEXEC else self.take(step, facts)
            facts = self.read_cache(facts)
            if result.outcome == DONE and facts.cache.state != labelcache.UNKNOWN:
                result = result._replace(detail="PID 1's label cache is %s" % facts.cache.state)
            results.append(tell(self._log, result))
        if not facts.cache.harmless:
            self._remember(facts.init.directory, [
                result.step for result in results if result.outcome == DONE and result.step in remedies.MILDER])
        return results + self.once_more(facts)

    def _remember(self, directory: str, tried: Sequence[str]) -> None:
        """Record milder remedies that did not help, so that the next run skips them."""
        recorded = attempts.load(procfs.mapped_at(1))
        former = recorded.done_for(labelfiles.generation(directory))
        record = former._replace(tried=tuple(dict.fromkeys([*former.tried, *tried])))
        if tried and record != recorded:
            try:
                attempts.save(record)
            except OSError as error:
                self._log.warning("remedies that were tried cannot be recorded: %s" % error.strerror)

    def take(self, step: Step, facts: Facts) -> Result:
        """Take a remedy that is milder than a re-exec, and then make systemd renew its cache if it can."""
        act: Dict[str, Callable[[], None]] = {
            remedies.LOOK_A_LABEL_UP: self.systemd.look_a_label_up,
            remedies.LOAD_POLICY: lambda: systemd.load_policy(self._runner),
            remedies.DAEMON_RELOAD: self.systemd.daemon_reload,
        }
        try:
            act[step.step]()
        except CommandFailed as error:
            return Result(step.step, step.target, FAILED, None, str(error))
        if step.step != remedies.LOOK_A_LABEL_UP:
            self.nudge(facts)
        return Result(step.step, step.target, DONE, None, step.reason)

    def nudge(self, facts: Facts) -> None:
        """Make PID 1 look up a label if that may renew its cache; read the cache afterwards to see the effect."""
        if evidence.refresh(facts) == NEVER:
            return
        try:
            self.systemd.look_a_label_up()
        except CommandFailed as error:
            self._log.warning("PID 1 was not made to look a label up: %s" % error)

    def reexec(self, facts: Facts, milder: Optional[str], helped: bool = False, dry_run: bool = False) -> Result:
        """Re-execute PID 1 unless a guard refuses, and compare the active units before and after.

        ``milder``: a milder remedy that is still to be tried; ``helped``: a milder remedy was taken in this run.
        """
        try:
            refusal = self._refusal(facts, milder, helped)
            if refusal is not None:
                return self._refused(refusal)
            if dry_run:
                return Result(remedies.DAEMON_REEXEC, plan.INIT, DONE)
            # If several runs wait for the lock, the first re-executes PID 1.  Each run checks everything again once
            # it has the lock: it may have waited long.
            with ownership.locked(self._host.root, self._runner.deadline):
                refusal = self._refusal(self.read_cache(facts), milder, helped)
                return self._refused(refusal) if refusal else self._reexec_alone(facts)
        except HelperError as error:
            return Result(remedies.DAEMON_REEXEC, plan.INIT, FAILED, None, str(error))

    def once_more(self, facts: Facts) -> List[Result]:
        """Report the refusal of the guard if a re-exec did not help."""
        stale_still = self._reexecuted and facts.cache.state == STALE and not facts.cache.harmless
        return [tell(self._log, self.reexec(facts, None))] if stale_still else []

    def _refusal(self, facts: Facts, milder: Optional[str], helped: bool) -> Optional[guards.Refusal]:
        """Check the guards.  Conditions that matter only if a re-exec is needed are read last: they run programs."""
        if self._host.offline:
            return guards.Refusal(self._host.offline, self._host.why_offline)
        need = guards.Need(facts.cache, evidence.why_current(facts), milder or evidence.proof(facts), helped)
        return guards.needless(need) or guards.refuse(self._conditions(facts.init.directory, milder))

    def _record(self, done: Attempts) -> None:
        try:
            attempts.save(done)
        except OSError as error:
            raise HelperError("the re-exec of PID 1 cannot be recorded: %s" % error.strerror) from error

    def _reexec_alone(self, facts: Facts) -> Result:
        directory = facts.init.directory
        before = set(self.systemd.active_units())
        former = attempts.load(procfs.mapped_at(1))
        intended = Attempts(labelfiles.generation(directory), True, procfs.mapped_at(1), facts.wanted_contexts)
        self._record(intended)  # before the re-exec: after a kill, the next run must not repeat it
        self._reexecuted = True
        try:
            self.systemd.daemon_reexec()
        except TimedOut:
            raise
        except CommandFailed:
            self._record(former)
            raise
        self._record(intended._replace(before=""))
        self.nudge(facts)
        lost = before - set(self.systemd.active_units())
        lost = {unit for unit in lost if unit.endswith((".service", ".socket", ".mount"))}
        if lost:
            self._log.warning("active before the re-exec of PID 1 and not after it: %s" % " ".join(sorted(lost)))
        return Result(remedies.DAEMON_REEXEC, plan.INIT, DONE, None, "PID 1 was re-executed")

    def _refused(self, refusal: guards.Refusal) -> Result:
        detail = refusal.why if refusal.needless else "%s; later: %s" % (refusal.why, plan.REPAIR_COMMAND)
        outcome = NOT_NEEDED if refusal.needless else REFUSED
        return Result(remedies.DAEMON_REEXEC, plan.INIT, outcome, refusal.guard, detail)

    def _conditions(self, directory: str, milder: Optional[str]) -> Conditions:
        manager = self.systemd.manager()
        free, inodes = systemd.state_directory_space()
        try:
            self.systemd.binary_version(self._source.detection.binary())
            failure = None
        except CommandFailed as error:
            failure = "the systemd on disk does not run: %s" % error
        recorded = attempts.load(procfs.mapped_at(1))
        done = self._reexecuted or recorded.done_for(labelfiles.generation(directory)).reexecuted
        return Conditions(milder, hostkind.reexec_switched_off(self._host.root), self.systemd.container(), done,
                     manager.state, manager.target_jobs, free, inodes, failure)
