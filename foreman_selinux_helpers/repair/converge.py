"""Look, plan, apply, verify: the whole flow.  Doing it again does nothing."""

import os
import shlex
from typing import TYPE_CHECKING, Callable, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

from ..doors import labelfiles, ownership, policystore, procfs, selinuxlib, systemd
from ..doors.log import Log
from ..doors.policydb import CompiledPolicy
from ..doors.run import Runner
from ..doors.systemd import Systemd
from ..model import guards, labelcache, plan, rules, sockets
from ..model.errors import CommandFailed, CommitFailed, HelperError, RulesChanged, RulesRefused, TimedOut
from ..model.facts import Host, Observation
from ..model.filecontexts import SOCKET, Rule, type_of
from ..model.guards import Facts
from ..model.labelcache import STALE, LabelCache
from ..model.plan import DONE, FAILED, NOT_NEEDED, REFUSED, Result, Step
from ..model.profiles import SocketProfile
from ..model.record import NOTHING, Owned, Record
from ..model.refresh import NEVER, ON_DAEMON_RELOAD, ON_POLICY_LOAD, UNKNOWN, Prediction
from ..sources import host as hosts
from ..sources import observe
from . import attempts, stopped
from .restarts import Restarts

if TYPE_CHECKING:
    from ..model.winner import Verdict
    from ..sources.detection import Detection

REPAIR_COMMAND = "foreman-selinux-helpers repair"
RESTART_COMMAND = "foreman-selinux-helpers restart"
REEXEC_COMMAND = "foreman-selinux-helpers reexec"
# Which rules of ours are meant, of those in a policy's record and (True) in its store as well.
Choice = Callable[[policystore.Store, Owned, bool], bool]
# How often a transaction is tried while others change the local rules.
_CHANCES = 10
_RENEWED = "PID 1 was re-executed since the rules on disk changed"
_SAME_ANSWERS = "the rules on disk have changed since PID 1 was re-executed, but not for the sockets here"
_NOT_CHANGED = "the rules on disk have not changed since PID 1 started"
_LEFT = "its path is labelled wrong after the restart"
_RELABELLED = "PID 1 would give it the wrong label again: relabelled in place"


class SocketReport(NamedTuple):
    """One socket, judged; ``command`` is the remedy where that is a single command."""

    view: sockets.SocketView
    problem: Optional[str]
    remedy: Optional[str]
    command: Optional[str] = None


class Outcome(NamedTuple):
    """What a verb found and did; ``error``: why what was done could not be looked at."""

    observation: Observation
    plan: Sequence[Step]
    results: Sequence[Result]
    sockets: Sequence[SocketReport]
    rest: Sequence[str]
    error: Optional[str] = None

    @property
    def changed(self) -> bool:
        """Tell whether anything was done (asking PID 1 to look a label up changes nothing)."""
        return any(one.outcome == DONE and one.step != plan.LOOK_A_LABEL_UP for one in self.results)

    @property
    def refused(self) -> bool:
        """Tell whether a guard refused something that is needed."""
        return any(one.outcome == REFUSED for one in self.results)

    @property
    def ok(self) -> bool:
        """Tell whether nothing is wrong any more."""
        return not any(one.problem for one in self.sockets) and not self.rest and self.error is None \
            and not any(one.outcome in (REFUSED, FAILED) for one in self.results if one.step != plan.LOOK_A_LABEL_UP)


class Milder(NamedTuple):
    """A remedy that is milder than a re-exec: why it is enough, and the command."""

    why: str
    command: str


class Converge:
    """One run of the flow on one host, for the sockets of some profiles."""

    def __init__(self, host: Host, profiles: Sequence[SocketProfile], known_units: Optional[Sequence[str]],
                 runner: Runner, log: Log) -> None:
        self.host = host
        self.profiles = profiles
        self.known_units = known_units
        self.runner = runner
        self.log = log
        self.systemd = Systemd(runner)
        self._detection: "Optional[Detection]" = None
        self._reexecuted = False
        self._others: Dict[str, str] = {}  # what else PID 1 should label, where that is asked for
        self._same = CompiledPolicy(host.root, host.policy or "").same

    @property
    def detection(self) -> "Detection":
        """Answers about the systemd of this host, needed only where its cache is not fresh."""
        if self._detection is None:
            from ..sources.detection import Detection

            self._detection = Detection(self.host.root, self.systemd, self.runner)
        return self._detection

    # -- verbs -------------------------------------------------------------------------------

    def status(self) -> Outcome:
        """Look and judge; change nothing."""
        seen = self.look()
        return self._outcome(seen, [], [], ["%s: %s; repair starts it again" % (step.target, step.reason)
                                            for step in self._start_steps()])

    def repair(self, dry_run: bool) -> Outcome:
        """Register, refresh PID 1, restart or relabel, verify."""
        seen = self.look()
        steps = plan.rule_steps(seen.decisions) + self._cache_steps(seen)
        starts = self._start_steps()
        socket_actions, rest = self._socket_actions(seen)
        steps += starts + plan.socket_steps(socket_actions)
        if dry_run or not (steps or seen.record.pending):
            return self._outcome(seen, steps, [], rest)
        results = self._register(seen)
        if any(one.outcome == FAILED for one in results):
            # With the old rules a refreshed PID 1 or a new socket would be as wrong as before.
            results += [Result(step.step, step.target, NOT_NEEDED, None, "nothing was registered")
                        for step in steps if step.step not in (plan.REGISTER, plan.UNREGISTER, plan.START)]
            results += self._start(starts)
        else:
            results += self._refresh(seen, [step for step in steps if step.target in (plan.INIT, "kernel")])
            results += self._start(starts)
            results += self._mend_sockets(socket_actions, results)
        return self._after(seen, steps, results)

    def register(self, dry_run: bool) -> Outcome:
        """Register the rules alone."""
        seen = self.look(rules_alone=True)
        steps = plan.rule_steps(seen.decisions)
        results = [] if dry_run else self._register(seen)
        return self._outcome(seen, steps, results)

    def reexec(self, dry_run: bool) -> Outcome:
        """Re-execute PID 1 if its label cache is stale and no guard refuses."""
        self._others = self._other_sockets()
        seen = self._look_at_cache(self.look())
        step = Step(plan.DAEMON_REEXEC, plan.INIT, seen.cache.evidence[0] if seen.cache.evidence else "")
        if seen.cache.state == STALE and not dry_run:
            self._nudge()
            seen = self._look_at_cache(seen)
        milder = self._milder(seen, seen.cache)
        results = [self._reexec(seen, "%s: %s" % milder if milder else None, dry_run=dry_run)]
        if not dry_run:
            self._tell(results[0])
            seen = self._look_at_cache(seen) if results[0].outcome == DONE else seen
            results += self._once_more(seen)
        if dry_run:
            would = [] if results[0].outcome != DONE else [step]
            return self._outcome(seen._replace(views=()), would, [] if would else results)
        return self._outcome(seen._replace(views=()), [step], results)

    def restart(self) -> Outcome:
        """Take the socket step alone."""
        starts = self._start_steps()
        results = self._start(starts)
        seen = self.look()
        socket_actions, rest = self._socket_actions(seen)
        if socket_actions and seen.cache.state == STALE:
            self._nudge()  # it renews its cache now, if it does so by itself
        steps = starts + plan.socket_steps(socket_actions)
        if not socket_actions:
            return self._outcome(seen, steps, results, rest)
        results += self._mend_sockets(socket_actions, [])
        return self._after(seen, steps, results)

    def _after(self, before: Observation, steps: Sequence[Step], results: Sequence[Result]) -> Outcome:
        """Look again at what was done.  A manager that does not answer now does not keep the report away."""
        try:
            after = self.look()
        except HelperError as error:
            self.log.error(str(error))
            return self._outcome(before, steps, results)._replace(error=str(error))
        return self._outcome(after, steps, results, self._socket_actions(after)[1])

    def look(self, rules_alone: bool = False) -> Observation:
        """Look at everything again, or at the rules alone."""
        return observe.observe(self.host, self.profiles, self.known_units, self.systemd, rules_alone)

    # -- judging -----------------------------------------------------------------------------

    def _outcome(self, seen: Observation, steps: Sequence[Step], results: Sequence[Result],
                 rest: Sequence[str] = ()) -> Outcome:
        outdated = self._outdated(seen) is True
        looks_old = seen.cache.state == STALE or (
            seen.cache.state == labelcache.UNKNOWN and not self.host.offline and os.geteuid() == 0
            and self._why_current(seen) is None)
        wrong = None if seen.cache.wrong is None else [one.path for one in seen.cache.wrong]
        clients = {one.unit: one.client for one in self.profiles if one.client}
        reports = []
        for view in seen.views:
            concerned = wrong is None or view.path in wrong
            cause = sockets.problem(view, outdated and concerned, self._same, looks_old and concerned)
            if cause:
                words, command = self._remedy(view, cause, seen)
                reports.append(SocketReport(view, cause, words or command, command))
            elif view.unit in clients and view.exists and (view.listening or view.foreign):
                reports.append(self.judge_client(clients[view.unit] or "", view, seen))
            else:
                reports.append(SocketReport(view, None, None))
        return Outcome(seen, steps, results, reports, rest)

    def judge_client(self, domain: str, view: sockets.SocketView, seen: Observation) -> SocketReport:
        """Judge whether a domain may connect to a socket with which nothing else is wrong."""
        from ..sources import access

        client = access.context_of(domain)
        denied = access.denied(access.connecting(client, view, lambda path: None)) if client else None
        if client is None or denied is None:
            return SocketReport(view, None, None)  # where there is no such domain, nobody is kept out
        # Only now is it worth to know which label each directory should have.
        database = selinuxlib.LabelDatabase(self.host.root, self.host.policy or "")
        try:
            checks = access.connecting(client, view, database.directory_label)
        finally:
            database.close()
        denied = access.denied(checks) or denied
        if denied.right_allowed is False and view.idle and view.own_word is None:
            return SocketReport(view, rules.NO_SUCH_TYPE, *self._remedy(view, rules.NO_SUCH_TYPE, seen))
        if denied.right_allowed is False:
            refused = access.denied_for_good(checks)
            why = access.policy_denies(domain, refused, access.why_denied(client, refused))
            return SocketReport(view, sockets.POLICY_DENIES, "the policy has to allow %s to %s %s (%s); %s%s" % (
                domain, denied.permission, type_of(denied.label or ""), denied.file_class, why.remedy,
                ": " + why.command if why.command else ""), why.command)
        if denied.target == access.SOCKET_OBJECT:
            words, command = self._remedy(view, sockets.SOCKET_LABEL, seen)
            return SocketReport(view, sockets.SOCKET_LABEL, words or command, command)
        command = "restorecon -vF %s" % shlex.quote(denied.target)
        return SocketReport(view, sockets.MADE_BEFORE_RULE, command, command)

    def _remedy(self, view: sockets.SocketView, cause: str,
                seen: Observation) -> Tuple[Optional[str], Optional[str]]:
        """Return the remedy: words, where a command does not say it all, and the command, where there is one."""
        if cause == rules.NO_SUCH_TYPE:
            return "install the policy module that defines %s" % view.type, None
        unit = shlex.quote(view.unit)
        decided = view.decided
        if decided and decided.commands:
            command = " && ".join(self.host.command(one) for one in decided.commands)
            if decided.no_effect:
                return decided.reason, command
            return "%s; to have it back: %s" % (decided.reason, command), command
        if decided and decided.cause == rules.SHADOWED and decided.action in (rules.SKIP, rules.REMOVE):
            return "%s; change or delete it with semanage fcontext" % decided.reason, None
        if cause == sockets.NO_LABEL_SUPPORT:
            return "the file system of %s keeps no labels: the socket has to be elsewhere" % view.path, None
        if view.restart == "never" and view.socket_wrong(self._same):
            command = "systemctl restart %s" % unit
            return "%s (the profile forbids to do it for you)" % command, command
        if view.profile:
            return None, self.host.command("%s %s" % (REPAIR_COMMAND, unit))
        # No profile, no repair: one step at a time.
        if cause != sockets.LABEL_CACHE_STALE:
            return None, "%s %s" % (RESTART_COMMAND, unit)
        milder = self._milder(seen, seen.cache)
        return None, milder.command if milder else REEXEC_COMMAND

    def _outdated(self, seen: Observation) -> Optional[bool]:
        """Tell whether PID 1 labels by older rules, and will not renew them by itself; None: that is not known."""
        if self.host.offline or seen.cache.harmless:
            return False
        if seen.cache.state == STALE or seen.cache.wrong:
            if observe.renews_by_itself(seen, self._prediction()):
                return False
            told = seen.cache.wrong or self._proof(seen) or observe.policy_load_due(seen.cache_directory)
            return True if told else None
        if os.geteuid() != 0:
            return None
        why = self._why_current(seen)
        return None if why is None and self._prediction().refresh != NEVER else why is None

    def _why_current(self, seen: Observation) -> Optional[str]:
        """Say why PID 1 must have today's rules although its label cache cannot be seen, or None."""
        if seen.cache.state != labelcache.UNKNOWN or seen.cache.wrong:
            return None
        done = attempts.load(procfs.mapped_at(1))
        if done.done_for(labelfiles.generation(seen.cache_directory)).reexecuted:
            return _RENEWED
        wanted = observe.wanted_contexts(seen.views)
        if done.reexecuted and done.answers and wanted.items() <= done.answers.items():
            return _SAME_ANSWERS
        changed, started = labelfiles.changed_at(seen.cache_directory), procfs.booted_at()
        return _NOT_CHANGED if changed is not None and started is not None and changed < started else None

    def _proof(self, seen: Observation) -> Optional[str]:
        """Say what proves that PID 1 labels by older rules, or None: that its cache only looks old proves nothing."""
        for one in seen.cache.wrong or ():
            return observe.would_label(one)
        for view in seen.views:
            if view.made_after_rules and view.held_by_init and view.path_wrong(self._same):
                return "PID 1 made %s after the rules had changed, and labelled it %s" % (
                    view.path, type_of(view.path_label or ""))
        never = seen.cache.wrong is None and self._prediction().refresh == NEVER and self._why_current(seen) is None
        return "this systemd is known never to renew its label cache, and the rules have changed" if never else None

    def _prediction(self) -> Prediction:
        build = self.detection.running(self.host.offline)
        return Prediction(build.refresh, build.evidence)

    # -- planning ----------------------------------------------------------------------------

    def _cache_steps(self, seen: Observation) -> List[Step]:
        if not seen.relevant or (seen.cache.harmless and not plan.rule_steps(seen.decisions)):
            return []
        steps = plan.cache_steps(seen, observe.policy_load_due(seen.cache_directory), self._prediction().refresh,
                                 self._outdated(seen))
        if plan.rule_steps(seen.decisions):
            return steps
        vain = attempts.load(procfs.mapped_at(1)).done_for(labelfiles.generation(seen.cache_directory)).tried
        return [step for step in steps if step.step not in vain]

    def _socket_actions(self, seen: Observation,
                        cache_stale: bool = False) -> Tuple[List[sockets.Action], List[str]]:
        if self.host.offline:
            return [], []
        found: List[sockets.Action] = []
        rest: List[str] = []
        for unit in dict.fromkeys(view.unit for view in seen.views if view.listening or view.foreign):
            views = [view for view in seen.views if view.unit == unit and (view.listening or view.foreign)]
            executable = seen.executables.get(unit) if any(view.listening for view in views) else None
            one, left = sockets.actions(views, executable, self._same, cache_stale)
            found += one
            rest += left
        return found, rest

    # -- rules -------------------------------------------------------------------------------

    def _register(self, seen: Observation) -> List[Result]:
        """Commit all rule changes at once; leave out, and report, what the policy refuses."""
        store = hosts.store(self.host)
        if store is None:
            return [self._rule_result(one, FAILED, "there is no policy store") for one in _due(seen)]
        if not _due(seen) and not seen.record.pending:
            return []
        with ownership.locked(store.root, self.runner.deadline):
            for chances in range(_CHANCES, 0, -1):
                try:
                    _finish(store, self.host.offline is None, self.runner)
                    if (ownership.load(store.root, store.policy), store.local_rules()) != (seen.record, seen.local):
                        seen = self.look(rules_alone=True)  # another run, or somebody else, was faster
                    return self._register_locked(store, seen)
                except RulesChanged as error:
                    if chances == 1:
                        return [self._rule_result(one, FAILED, str(error)) for one in _due(seen)]
                except HelperError as error:
                    return [self._rule_result(one, FAILED, str(error)) for one in _due(seen)]
        return []

    def _register_locked(self, store: policystore.Store, seen: Observation) -> List[Result]:
        due = _due(seen)
        if not due:
            return []
        due, refused = self._commit(store, seen, due)
        results = [self._rule_result(one, FAILED, "the policy does not accept this context or this regex")
                   for one in refused]
        dead = self._drop_dead_rules(store, due)
        results += [self._rule_result(one, FAILED, why) for one, why in dead]
        results += [self._rule_result(one, DONE, "") for one in due if one not in [bad for bad, _ in dead]]
        return results

    def _rule_result(self, one: rules.Decision, outcome: str, detail: str) -> Result:
        step = plan.UNREGISTER if one.action == rules.REMOVE else plan.REGISTER
        result = Result(step, str(one.rule), outcome, None, detail or one.reason)
        self._tell(result)
        return result

    def _commit(self, store: policystore.Store, seen: Observation,
                due: List[rules.Decision]) -> Tuple[List[rules.Decision], List[rules.Decision]]:
        """Make the changes in one transaction; return what was done and what the policy refused."""
        refused: List[rules.Decision] = []
        policy = self.host.policy or ""
        committed = seen.record.settled(seen.local)
        while due:
            # What is to be removed is pending as well: once it is gone, nobody else has taken it away.
            intended = {one.rule.key: Owned(one.rule, one.unit) for one in due}
            removed = {one.rule.key for one in due if one.action == rules.REMOVE}
            others = {key: owned for key, owned in committed.items() if key not in removed}
            ownership.save(self.host.root, policy, Record(others, intended))
            try:
                store.apply([rules.Change(one.action, one.rule) for one in due],
                            self.host.offline is None, self.runner, seen.local)
            except RulesRefused:
                refusable = [one.rule for one in due if one.action != rules.REMOVE]
                keys = {rule.key for rule in store.refused(refusable, self.runner)}
                bad = [one for one in due if one.rule.key in keys]
                if not bad:
                    raise
                refused += bad
                due = [one for one in due if one not in bad]
                continue
            except CommitFailed:
                raise  # what is pending stays so: libsemanage may have done all of it, or half
            except HelperError:
                ownership.save(self.host.root, policy, Record(committed, {}))
                raise
            break
        # As it stands in the store: semanage writes the type for an alias of it.
        stored = {rule.key: rule for rule in store.local_rules()} if due else {}
        for one in due:
            if one.action == rules.REMOVE:
                committed.pop(one.rule.key, None)
            else:
                kept = stored.get(one.rule.key, one.rule)
                committed[one.rule.key] = Owned(one.rule._replace(context=kept.context), one.unit)
        ownership.save(self.host.root, policy, Record(committed, {}))
        return due, refused

    def _drop_dead_rules(self, store: policystore.Store,
                         due: Sequence[rules.Decision]) -> List[Tuple[rules.Decision, str]]:
        """Ask libselinux again after a commit; take back what did not take effect."""
        added = [one for one in due if one.action != rules.REMOVE and one.path]
        if not added:
            return []
        database = selinuxlib.LabelDatabase(store.root, store.policy)
        try:
            dead = []
            for one in added:
                found = database.lookup(one.given)
                if found is None or not self._same(type_of(found), type_of(one.rule.context)):
                    dead.append((one, "it had no effect: libselinux answers %s for %s%s" % (
                        found, one.given, _why(database.verdict(one.given, SOCKET)))))
        finally:
            database.close()
        if dead:
            keys = {one.rule.key for one, _ in dead}
            record = ownership.load(store.root, store.policy)
            kept = {key: owned for key, owned in record.rules.items() if key not in keys}
            going = {key: owned for key, owned in record.rules.items() if key in keys}
            ownership.save(store.root, store.policy, Record(kept, going))
            store.apply([rules.Change(rules.REMOVE, one.rule) for one, _ in dead],
                        self.host.offline is None, self.runner)
            ownership.save(store.root, store.policy, Record(kept, {}))
        return dead

    # -- PID 1's label cache -----------------------------------------------------------------

    def _look_at_cache(self, seen: Observation) -> Observation:
        """Return what was seen, with PID 1's label cache as it is now."""
        if self.host.offline:
            return seen
        wanted = dict(self._others, **observe.wanted_contexts(seen.views))
        return seen._replace(cache=observe.look_at_cache(seen.cache_directory, wanted, self._same))

    def _other_sockets(self) -> Dict[str, str]:
        """Return what libselinux answers for the paths of all sockets, with a profile or without."""
        if self.host.offline or self.host.policy is None:
            return {}
        database = selinuxlib.LabelDatabase(self.host.root, self.host.policy)
        try:
            answers = {path: database.lookup(path) for paths in self.systemd.listening_paths().values()
                       for path in paths}
        finally:
            database.close()
        return {path: context for path, context in answers.items() if context}

    def _refresh(self, seen: Observation, steps: Sequence[Step]) -> List[Result]:
        """Take the planned remedies until PID 1 gives every wanted socket the right label, looking after each."""
        results: List[Result] = []
        seen = self._look_at_cache(seen) if steps else seen
        for step in steps:
            if step.step != plan.DAEMON_REEXEC and seen.cache.harmless:
                results.append(Result(step.step, step.target, NOT_NEEDED, None, guards.said(seen.cache)))
                continue
            if step.step == plan.DAEMON_RELOAD and seen.cache.state == labelcache.UNKNOWN \
                    and self._prediction().refresh == ON_POLICY_LOAD:
                results.append(Result(step.step, step.target, NOT_NEEDED, None, "this systemd renews its label cache "
                                      "at a policy load, and it cannot be seen now"))
                continue
            helped = any(one.outcome == DONE for one in results)
            result = self._reexec(seen, None, helped) if step.step == plan.DAEMON_REEXEC else self._remedy_step(step)
            seen = self._look_at_cache(seen)
            if result.outcome == DONE and seen.cache.state != labelcache.UNKNOWN:
                result = result._replace(detail="PID 1's label cache is %s" % seen.cache.state)
            results.append(self._tell(result))
        if not seen.cache.harmless:
            self._remember(seen.cache_directory, [
                one.step for one in results if one.outcome == DONE and one.step in plan.MILDER])
        return results + self._once_more(seen)

    def _remember(self, directory: str, tried: Sequence[str]) -> None:
        """Record milder remedies that have not helped, so that the next run leaves them out."""
        recorded = attempts.load(procfs.mapped_at(1))
        former = recorded.done_for(labelfiles.generation(directory))
        record = former._replace(tried=tuple(dict.fromkeys([*former.tried, *tried])))
        if tried and record != recorded:
            try:
                attempts.save(record)
            except OSError as error:
                self.log.warning("remedies that were tried cannot be recorded: %s" % error.strerror)

    def _remedy_step(self, step: Step) -> Result:
        """Take a remedy that is milder than a re-exec, and give systemd the occasion to renew its cache after it."""
        act: Dict[str, Callable[[], None]] = {
            plan.LOOK_A_LABEL_UP: self.systemd.look_a_label_up,
            plan.LOAD_POLICY: lambda: systemd.load_policy(self.runner),
            plan.DAEMON_RELOAD: self.systemd.daemon_reload,
        }
        try:
            act[step.step]()
        except CommandFailed as error:
            return Result(step.step, step.target, FAILED, None, str(error))
        if step.step != plan.LOOK_A_LABEL_UP:
            self._nudge()
        return Result(step.step, step.target, DONE, None, step.reason)

    def _nudge(self) -> None:
        """Make PID 1 look a label up, if that may make it renew its cache; what it holds afterwards tells."""
        if self._prediction().refresh == NEVER:
            return
        try:
            self.systemd.look_a_label_up()
        except CommandFailed as error:
            self.log.warning("PID 1 was not made to look a label up: %s" % error)

    def _milder(self, seen: Observation, cache: LabelCache) -> Optional[Milder]:
        """Say which milder remedy is still to be tried before a re-exec, or None."""
        if cache.harmless:
            return None
        refresh, due = self._prediction().refresh, observe.policy_load_due(seen.cache_directory)
        if refresh == ON_POLICY_LOAD and due:
            return Milder("loading the policy is enough for this systemd", "load_policy")
        if refresh == ON_DAEMON_RELOAD and (cache.state == STALE or due or self._proof(seen)):
            return Milder("this systemd renews its label cache at a daemon-reload", "systemctl daemon-reload")
        return None

    def _reexec(self, seen: Observation, milder: Optional[str], helped: bool = False, dry_run: bool = False) -> Result:
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
            with ownership.locked(self.host.root, self.runner.deadline):
                refusal = self._refusal(self._look_at_cache(seen), milder, helped)
                return self._refused(refusal) if refusal else self._reexec_alone(seen)
        except HelperError as error:
            return Result(plan.DAEMON_REEXEC, plan.INIT, FAILED, None, str(error))

    def _once_more(self, seen: Observation) -> List[Result]:
        """Have the guard say so where a re-exec has not helped."""
        stale_still = self._reexecuted and seen.cache.state == STALE and not seen.cache.harmless
        return [self._tell(self._reexec(seen, None))] if stale_still else []

    def _refusal(self, seen: Observation, milder: Optional[str], helped: bool) -> Optional[guards.Refusal]:
        """Ask the guards.  What only matters where a re-exec is needed is asked last: it takes programs."""
        if self.host.offline:
            return guards.Refusal(self.host.offline, self.host.why_offline)
        need = guards.Need(seen.cache, self._why_current(seen), milder or self._proof(seen), helped)
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
        self._nudge()
        lost = before - set(self.systemd.active_units())
        lost = {unit for unit in lost if unit.endswith((".service", ".socket", ".mount"))}
        if lost:
            self.log.warning("active before the re-exec of PID 1 and not after it: %s" % " ".join(sorted(lost)))
        return Result(plan.DAEMON_REEXEC, plan.INIT, DONE, None, "PID 1 was re-executed")

    def _refused(self, refusal: guards.Refusal) -> Result:
        detail = refusal.why if refusal.needless else "%s; later: foreman-selinux-helpers repair" % refusal.why
        return Result(plan.DAEMON_REEXEC, plan.INIT, NOT_NEEDED if refusal.needless else REFUSED, refusal.guard, detail)

    def _facts(self, directory: str, milder: Optional[str]) -> Facts:
        manager = self.systemd.manager()
        free, inodes = systemd.state_directory_space()
        try:
            self.systemd.binary_version(self.detection.binary())
            failure = None
        except CommandFailed as error:
            failure = "the systemd on disk does not run: %s" % error
        recorded = attempts.load(procfs.mapped_at(1))
        done = self._reexecuted or recorded.done_for(labelfiles.generation(directory)).reexecuted
        return Facts(milder, hosts.reexec_switched_off(self.host.root), self.systemd.container(), done,
                     manager.state, manager.target_jobs, free, inodes, failure)

    # -- sockets -----------------------------------------------------------------------------

    def _mend_sockets(self, actions: Sequence[sockets.Action], before: Sequence[Result]) -> List[Result]:
        """Relabel or restart, as planned, what still is wrong once no other run is doing it."""
        if not actions:
            return []
        try:
            with stopped.alone(self.runner.deadline) as notes:
                return self._mend_alone(actions, {one.step for one in before if one.outcome == DONE}, notes)
        except HelperError as error:
            return [self._tell(Result(one.step, one.target, FAILED, None, str(error))) for one in actions]

    def _mend_alone(self, actions: Sequence[sockets.Action], taken: Set[str], notes: stopped.Notes) -> List[Result]:
        seen = self.look()
        stale = not seen.cache.harmless and (seen.cache.state == STALE or self._outdated(seen) is True)
        due = self._socket_actions(seen, stale)[0]
        targets = [(one.step, one.target) for one in due]
        results = [Result(one.step, one.target, NOT_NEEDED, None, _RELABELLED if stale else "not needed by now")
                   for one in actions if (one.step, one.target) not in targets]
        mended = [self._mend(action, seen, notes) for action in due]
        restarted = {one.target for one in mended if one.step == sockets.RESTART and one.outcome == DONE}
        results += mended
        if restarted:
            try:
                results += self._verify(restarted, taken, notes)
            except HelperError as error:
                self.log.error("what was restarted cannot be looked at: %s" % error)  # as the report says, too
        return results

    def _mend(self, action: sockets.Action, seen: Observation, notes: stopped.Notes) -> Result:
        import stat

        try:
            if action.step == sockets.RESTART:
                Restarts(self.systemd, notes).restart(seen.units[action.target])
            elif action.step == sockets.RELABEL:
                view = next(one for one in seen.views if one.path == action.target)
                selinuxlib.relabel(action.target, view.wanted or "", stat.S_IFSOCK)
            else:
                executable = next(one for one in seen.executables.values() if one.path == action.target)
                selinuxlib.relabel(action.target, executable.expected or "", stat.S_IFREG)
        except OSError as error:
            return self._tell(Result(action.step, action.target, FAILED, None, str(error.strerror)))
        except HelperError as error:
            return self._tell(Result(action.step, action.target, FAILED, None, str(error)))
        return self._tell(Result(action.step, action.target, DONE, None, action.reason))

    def _start_steps(self) -> List[Step]:
        return plan.start_steps([] if self.host.offline else stopped.units())

    def _start(self, steps: Sequence[Step]) -> List[Result]:
        """Start what a run that was killed in the middle of a restart has left down."""
        if not steps:
            return []
        try:
            with stopped.alone(self.runner.deadline) as notes:
                started = Restarts(self.systemd, notes).start([step.target for step in steps])
        except HelperError as error:
            return [self._tell(Result(plan.START, step.target, FAILED, None, str(error))) for step in steps]
        return [self._tell(Result(plan.START, unit, FAILED if failure else DONE, None, failure or plan.CUT_SHORT))
                for unit, failure in started]

    def _verify(self, restarted: Set[str], taken: Set[str], notes: stopped.Notes) -> List[Result]:
        """Look at the paths of sockets that were just restarted, and relabel in place those that are wrong still.

        systemd up to 234 binds a socket over a file that was left behind without labelling it.  Of a later one
        whose label cache cannot be seen, a wrong label shows that it is outdated.
        """
        seen = self.look()
        results: List[Result] = []
        if self._wrong_paths(seen, restarted) and seen.cache.state == labelcache.UNKNOWN \
                and self._prediction().refresh not in (NEVER, ON_DAEMON_RELOAD):
            results += self._renew_unseen(restarted, taken, notes)
            seen = self.look()
        for view in self._wrong_paths(seen, restarted):
            results.append(self._mend(sockets.relabelling(view, _LEFT), seen, notes))
        return results

    def _wrong_paths(self, seen: Observation, units: Set[str]) -> List[sockets.SocketView]:
        return [view for view in seen.views
                if view.unit in units and view.path_wrong(self._same) and sockets.labelled(view)]

    def _renew_unseen(self, restarted: Set[str], taken: Set[str], notes: stopped.Notes) -> List[Result]:
        """Renew a label cache that cannot be seen, since PID 1 has just labelled a new socket wrong.

        A daemon-reload is tried first where this systemd is not known; it takes another restart to see its effect.
        """
        results: List[Result] = []
        if self._why_current(self.look()) == _RENEWED:
            return results  # a re-exec has not helped
        known = self._prediction().refresh != UNKNOWN
        for remedy in (plan.DAEMON_REEXEC,) if known or plan.DAEMON_RELOAD in taken else (
                plan.DAEMON_RELOAD, plan.DAEMON_REEXEC):
            seen = self.look()
            if remedy in taken or not self._wrong_paths(seen, restarted):
                break
            step = Step(remedy, plan.INIT, "the label of the restarted socket is wrong still")
            results.append(self._tell(
                self._reexec(seen, None) if remedy == plan.DAEMON_REEXEC else self._remedy_step(step)))
            if results[-1].outcome != DONE:
                break
            if remedy == plan.DAEMON_RELOAD:
                wrong = sorted({view.unit for view in self._wrong_paths(seen, restarted)})
                results += [self._mend(sockets.Action(sockets.RESTART, unit, step.reason), seen, notes)
                            for unit in wrong]
        return results

    def _tell(self, result: Result) -> Result:
        """Leave a trace of a result in the journal."""
        say = {DONE: self.log.info, FAILED: self.log.error, REFUSED: self.log.warning}.get(result.outcome)
        if say is not None:
            guard = " (%s)" % result.guard if result.guard else ""
            say("%s %s: %s%s: %s" % (result.step, result.target, result.outcome, guard, result.detail))
        return result


def _why(verdict: "Verdict") -> str:
    """Say which rule is behind libselinux's answer."""
    if verdict.broken:
        return "; it fails at the regex of %s:%d: %s" % (verdict.broken.file, verdict.broken.line, verdict.broken)
    moved = "".join(", which %s:%d turns into %s" % (one.file, one.line, verdict.path)
                    for one in verdict.substitutions[-1:])
    if verdict.untold:
        return "%s; which rule that comes from could not be told" % moved
    if verdict.rule is None:
        return "%s, for which there is no rule" % moved
    return "%s; the rule of %s:%d wins: %s" % (moved, verdict.rule.file, verdict.rule.line, verdict.rule)


def _due(seen: Observation) -> List[rules.Decision]:
    return [one for one in seen.decisions if one.action in (rules.ADD, rules.MODIFY, rules.REMOVE)]


def _finish(store: policystore.Store, load: bool, runner: Runner) -> None:
    """Make a commit good that was cut short, by death or by power.

    What it was about is in the store, or is installed, or both, or neither.  What is installed is
    ours and is committed again, anything else is taken out: either makes libsemanage install all it has.
    """
    record = ownership.load(store.root, store.policy)
    if not record.pending:
        return
    local = store.local_rules()
    ours, present = record.ours(local), {rule.key for rule in local}
    changes = [rules.Change(rules.MODIFY if key in ours else rules.REMOVE, owned.rule)
               for key, owned in record.pending.items() if key in ours or key not in present]
    try:
        if changes:
            store.apply(changes, load, runner, local)
    except RulesRefused:
        pass  # the policy has changed as well; what is wrong with a rule is said where it is wanted
    ownership.save(store.root, store.policy, Record(record.settled(store.local_rules()), {}))


def unregister(host: Host, chosen: Optional[Choice], runner: Runner, log: Log,
               dry_run: bool) -> Tuple[List[rules.Decision], List[Result]]:
    """Remove the chosen rules of ours (None: all of them), in every policy that has some.

    One policy's trouble keeps no rule in another; the first is raised at the end, unless it is in the results.
    """
    decisions: List[rules.Decision] = []
    results: List[Result] = []
    failures: List[HelperError] = []
    active = hosts.store(host)
    policies = list(dict.fromkeys(([active.policy] if active else []) + ownership.policies(host.root)))
    for policy in policies:
        store = policystore.Store(host.root, policy, apart=len(policies) > 1)
        load = policy == host.policy and host.offline is None
        try:
            some, done = _unregister(store, chosen, load, runner, log, dry_run)
        except HelperError as error:
            failures.append(error)
            continue
        if policy != host.policy:
            some = [one._replace(reason="%s, in the policy %s" % (one.reason, policy)) for one in some]
        decisions += some
        results += done
    for one in failures[1:]:
        log.error(str(one))
    if failures:
        raise failures[0]
    return decisions, results


def _unregister(store: policystore.Store, chosen: Optional[Choice], load: bool, runner: Runner, log: Log,
                dry_run: bool) -> Tuple[List[rules.Decision], List[Result]]:
    """Remove the rules of ours in one policy."""
    record = ownership.load(store.root, store.policy)
    decisions = _removals(store, record, store.local_rules(), chosen) if store.exists else []
    if dry_run or record == NOTHING:
        return decisions, []
    failure: Optional[HelperError] = None
    with ownership.locked(store.root, runner.deadline):
        if not store.exists:
            if chosen is None:
                ownership.save(store.root, store.policy, NOTHING)  # the policy is gone, its rules with it
            return [], []
        for _ in range(_CHANCES):
            try:
                _finish(store, load, runner)
                decisions = _remove(store, chosen, load, runner)
                failure = None
                break
            except RulesChanged as error:
                failure = error
            except HelperError as error:
                failure = error
                break
    results = []
    for one in decisions:
        result = Result(plan.UNREGISTER, str(one.rule), FAILED if failure else DONE, None, str(failure or one.reason))
        (log.error if failure else log.info)("unregister %s: %s: %s" % (result.target, result.outcome, result.detail))
        results.append(result)
    if failure and not results:
        raise failure
    return decisions, results


def _removals(store: policystore.Store, record: Record, local: Sequence[Rule],
              chosen: Optional[Choice]) -> List[rules.Decision]:
    return [rules.Decision(owned.rule, rules.REMOVE, "added for %s" % owned.unit, owned.unit)
            for owned in record.ours(local).values() if chosen is None or chosen(store, owned, True)]


def _remove(store: policystore.Store, chosen: Optional[Choice], load: bool,
            runner: Runner) -> List[rules.Decision]:
    """Take the chosen rules out of the store and of the record."""
    record = ownership.load(store.root, store.policy)
    local = store.local_rules()
    ours = record.ours(local)
    removals = _removals(store, record, local, chosen)
    # What was given up is forgotten with the rest of a unit.
    kept = {key: owned for key, owned in record.settled(local).items()
            if chosen is not None and not chosen(store, owned, key in ours)}
    if removals:
        pending = {one.rule.key: ours[one.rule.key] for one in removals}
        ownership.save(store.root, store.policy, Record(kept, pending))
        try:
            store.apply([rules.Change(rules.REMOVE, one.rule) for one in removals], load, runner, local)
        except CommitFailed:
            raise
        except HelperError:
            ownership.save(store.root, store.policy, Record(record.settled(local), {}))
            raise
    ownership.save(store.root, store.policy, Record(kept, {}))
    return removals
