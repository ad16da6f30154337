"""The remedies for PID 1's label cache, from the mildest to the guarded re-exec."""

from contextlib import closing

from ..doors import labeldatabase, labelfiles, ownership, procfs, systemd
from ..doors.log import Log
from ..doors.run import Runner
from ..model import guards, labelcache, plan
from ..model.errors import CommandFailed, HelperError, TimedOut
from ..model.facts import Observation
from ..model.guards import Facts
from ..model.labelcache import STALE
from ..model.plan import DONE, FAILED, NOT_NEEDED, REFUSED, Result, Step
from ..model.refresh import NEVER, ON_POLICY_LOAD
from ..model.typed import Callable, Dict, List, Optional, Sequence
from ..sources import host as hosts
from ..sources import observe
from . import attempts
from .evidence import Evidence
from .trace import tell


class Pid1:
    """PID 1 of this host, for one run."""

    def __init__(self, evidence: Evidence, runner: Runner, log: Log) -> None:
        self.host = evidence.host
        self.systemd = evidence.systemd
        self.evidence = evidence
        self._runner = runner
        self._log = log
        self._reexecuted = False
        self.others: Dict[str, str] = {}  # what else PID 1 should label, where that is asked for

    def look_at_cache(self, seen: Observation) -> Observation:
        """Return what was seen, with PID 1's label cache as it is now."""
        if self.host.offline:
            return seen
        wanted = dict(self.others, **observe.wanted_contexts(seen.views))
        return seen._replace(cache=observe.look_at_cache(seen.cache_directory, wanted, self.evidence.same))

    def other_sockets(self) -> Dict[str, str]:
        """Return what libselinux answers for the paths of all sockets, with a profile or without."""
        if self.host.offline or self.host.policy is None:
            return {}
        with closing(labeldatabase.LabelDatabase(self.host.root, self.host.policy)) as database:
            answers = {path: database.lookup(path) for paths in self.systemd.listening_paths().values()
                       for path in paths}
        return {path: context for path, context in answers.items() if context}

    def refresh(self, seen: Observation, steps: Sequence[Step]) -> List[Result]:
        """Take the planned remedies until PID 1 gives every wanted socket the right label, looking after each."""
        results: List[Result] = []
        seen = self.look_at_cache(seen) if steps else seen
        for step in steps:
            if step.step != plan.DAEMON_REEXEC and seen.cache.harmless:
                results.append(Result(step.step, step.target, NOT_NEEDED, None, guards.said(seen.cache)))
                continue
            if step.step == plan.DAEMON_RELOAD and seen.cache.state == labelcache.UNKNOWN \
                    and self.evidence.prediction().refresh == ON_POLICY_LOAD:
                results.append(Result(step.step, step.target, NOT_NEEDED, None, "this systemd renews its label cache "
                                      "at a policy load, and it cannot be seen now"))
                continue
            helped = any(one.outcome == DONE for one in results)
            result = self.reexec(seen, None, helped) if step.step == plan.DAEMON_REEXEC else self.take(step)
            seen = self.look_at_cache(seen)
            if result.outcome == DONE and seen.cache.state != labelcache.UNKNOWN:
                result = result._replace(detail="PID 1's label cache is %s" % seen.cache.state)
            results.append(tell(self._log, result))
        if not seen.cache.harmless:
            self._remember(seen.cache_directory, [
                one.step for one in results if one.outcome == DONE and one.step in plan.MILDER])
        return results + self.once_more(seen)

    def _remember(self, directory: str, tried: Sequence[str]) -> None:
        """Record milder remedies that have not helped, so that the next run leaves them out."""
        recorded = attempts.load(procfs.mapped_at(1))
        former = recorded.done_for(labelfiles.generation(directory))
        record = former._replace(tried=tuple(dict.fromkeys([*former.tried, *tried])))
        if tried and record != recorded:
            try:
                attempts.save(record)
            except OSError as error:
                self._log.warning("remedies that were tried cannot be recorded: %s" % error.strerror)

    def take(self, step: Step) -> Result:
        """Take a remedy that is milder than a re-exec, and give systemd the occasion to renew its cache after it."""
        act: Dict[str, Callable[[], None]] = {
            plan.LOOK_A_LABEL_UP: self.systemd.look_a_label_up,
            plan.LOAD_POLICY: lambda: systemd.load_policy(self._runner),
            plan.DAEMON_RELOAD: self.systemd.daemon_reload,
        }
        try:
            act[step.step]()
        except CommandFailed as error:
            return Result(step.step, step.target, FAILED, None, str(error))
        if step.step != plan.LOOK_A_LABEL_UP:
            self.nudge()
        return Result(step.step, step.target, DONE, None, step.reason)

    def nudge(self) -> None:
        """Make PID 1 look a label up, if that may make it renew its cache; what it holds afterwards tells."""
        if self.evidence.prediction().refresh == NEVER:
            return
        try:
            self.systemd.look_a_label_up()
        except CommandFailed as error:
            self._log.warning("PID 1 was not made to look a label up: %s" % error)

    def reexec(self, seen: Observation, milder: Optional[str], helped: bool = False, dry_run: bool = False) -> Result:
        """Re-execute PID 1 unless a guard refuses, and compare the active units before and after.

        ``milder`` is a remedy that is still to be tried; ``helped``: one was taken in this run.
        """
        try:
            refusal = self._refusal(seen, milder, helped)
            if refusal is not None:
                return self._refused(refusal)
            if dry_run:
                return Result(plan.DAEMON_REEXEC, plan.INIT, DONE)
            # Of several runs at once the first does it, and the others find that it is done.  They may have
            # waited long: everything is asked again.
            with ownership.locked(self.host.root, self._runner.deadline):
                refusal = self._refusal(self.look_at_cache(seen), milder, helped)
                return self._refused(refusal) if refusal else self._reexec_alone(seen)
        except HelperError as error:
            return Result(plan.DAEMON_REEXEC, plan.INIT, FAILED, None, str(error))

    def once_more(self, seen: Observation) -> List[Result]:
        """Have the guard say so where a re-exec has not helped."""
        stale_still = self._reexecuted and seen.cache.state == STALE and not seen.cache.harmless
        return [tell(self._log, self.reexec(seen, None))] if stale_still else []

    def _refusal(self, seen: Observation, milder: Optional[str], helped: bool) -> Optional[guards.Refusal]:
        """Ask the guards.  What only matters where a re-exec is needed is asked last: it takes programs."""
        if self.host.offline:
            return guards.Refusal(self.host.offline, self.host.why_offline)
        need = guards.Need(seen.cache, self.evidence.why_current(seen), milder or self.evidence.proof(seen), helped)
        return guards.needless(need) or guards.refuse(self._facts(seen.cache_directory, milder))

    def _record(self, done: attempts.Attempts) -> None:
        try:
            attempts.save(done)
        except OSError as error:
            raise HelperError("the re-exec of PID 1 cannot be recorded: %s" % error.strerror) from error

    def _reexec_alone(self, seen: Observation) -> Result:
        directory = seen.cache_directory
        before = set(self.systemd.active_units())
        former = attempts.load(procfs.mapped_at(1))
        intended = attempts.Attempts(labelfiles.generation(directory), True, procfs.mapped_at(1),
                                     observe.wanted_contexts(seen.views))
        self._record(intended)  # before it: who is killed meanwhile must not do it again
        self._reexecuted = True
        try:
            self.systemd.daemon_reexec()
        except TimedOut:
            raise
        except CommandFailed:
            self._record(former)
            raise
        self._record(intended._replace(before=""))
        self.nudge()
        lost = before - set(self.systemd.active_units())
        lost = {unit for unit in lost if unit.endswith((".service", ".socket", ".mount"))}
        if lost:
            self._log.warning("active before the re-exec of PID 1 and not after it: %s" % " ".join(sorted(lost)))
        return Result(plan.DAEMON_REEXEC, plan.INIT, DONE, None, "PID 1 was re-executed")

    def _refused(self, refusal: guards.Refusal) -> Result:
        detail = refusal.why if refusal.needless else "%s; later: %s" % (refusal.why, plan.REPAIR_COMMAND)
        return Result(plan.DAEMON_REEXEC, plan.INIT, NOT_NEEDED if refusal.needless else REFUSED, refusal.guard, detail)

    def _facts(self, directory: str, milder: Optional[str]) -> Facts:
        manager = self.systemd.manager()
        free, inodes = systemd.state_directory_space()
        try:
            self.systemd.binary_version(self.evidence.detection.binary())
            failure = None
        except CommandFailed as error:
            failure = "the systemd on disk does not run: %s" % error
        recorded = attempts.load(procfs.mapped_at(1))
        done = self._reexecuted or recorded.done_for(labelfiles.generation(directory)).reexecuted
        return Facts(milder, hosts.reexec_switched_off(self.host.root), self.systemd.container(), done,
                     manager.state, manager.target_jobs, free, inodes, failure)
