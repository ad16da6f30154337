"""Remove our rules from every policy that has some."""

from ..doors import ownership, policystore
from ..doors.log import Log
from ..doors.run import Runner
from ..model import plan, rules
from ..model.errors import CommitFailed, HelperError, RulesChanged
from ..model.facts import Host
from ..model.filecontexts import Rule
from ..model.plan import DONE, FAILED, Result
from ..model.record import NOTHING, Owned, Record
from ..model.typed import Callable, List, Optional, Sequence, Tuple
from ..sources import hostkind
from .registration import CHANCES, finish
from .trace import tell

# Returns whether one of our rules in a policy's record is chosen; True: the rule is also in its store.
Choice = Callable[[policystore.Store, Owned, bool], bool]


def unregister(host: Host, chosen: Optional[Choice], runner: Runner, log: Log,
               dry_run: bool) -> Tuple[List[rules.Decision], List[Result]]:
    """Remove the chosen rules of ours (None: all of them) from every policy that has some.

    A failure in one policy does not stop the others; the first one is raised at the end if it is not in the results.
    """
    decisions: List[rules.Decision] = []
    results: List[Result] = []
    failures: List[HelperError] = []
    active = hostkind.store(host)
    policies = list(dict.fromkeys(([active.policy] if active else []) + ownership.policies(host.root)))
    for policy in policies:
        store = policystore.Store(host.root, policy, apart=len(policies) > 1)
        load = policy == host.policy_type and host.offline is None
        try:
            removals, removed = _unregister(store, chosen, load, runner, dry_run)
        except HelperError as error:
            failures.append(error)
            continue
        if policy != host.policy_type:
            removals = [removal._replace(reason="%s, in the policy %s" % (removal.reason, policy))
                        for removal in removals]
        decisions += removals
        results += [tell(log, result) for result in removed]
    for failure in failures[1:]:
        log.error(str(failure))
    if failures:
        raise failures[0]
    return decisions, results


def _unregister(store: policystore.Store, chosen: Optional[Choice], load: bool, runner: Runner,
                dry_run: bool) -> Tuple[List[rules.Decision], List[Result]]:
    """Remove the chosen rules of ours from one policy."""
    record = ownership.load(store.root, store.policy)
    decisions = _removals(store, record, store.local_rules(), chosen) if store.exists else []
    if dry_run or record == NOTHING:
        return decisions, []
    failure: Optional[HelperError] = None
    with ownership.locked(store.root, runner.deadline):
        if not store.exists:
            if chosen is None:
                ownership.save(store.root, store.policy, NOTHING)  # the policy and its rules no longer exist
            return [], []
        for _ in range(CHANCES):
            try:
                finish(store, load, runner)
                decisions = _remove(store, chosen, load, runner)
                failure = None
                break
            except RulesChanged as error:
                failure = error
            except HelperError as error:
                failure = error
                break
    if failure and not decisions:
        raise failure
    return decisions, [Result(plan.UNREGISTER, str(decision.rule), FAILED if failure else DONE, None,
                              str(failure or decision.reason)) for decision in decisions]


def _removals(store: policystore.Store, record: Record, local: Sequence[Rule],
              chosen: Optional[Choice]) -> List[rules.Decision]:
    return [rules.Decision(owned.rule, rules.REMOVE, "added for %s" % owned.unit, owned.unit)
            for owned in record.ours(local).values() if chosen is None or chosen(store, owned, True)]


def _remove(store: policystore.Store, chosen: Optional[Choice], load: bool,
            runner: Runner) -> List[rules.Decision]:
    """Remove the chosen rules from the store and from the record."""
    record = ownership.load(store.root, store.policy)
    local = store.local_rules()
    ours = record.ours(local)
    removals = _removals(store, record, local, chosen)
    # Rules that the administrator changed or removed are forgotten with the other rules of a unit.
    kept = {key: owned for key, owned in record.settled(local).items()
            if chosen is not None and not chosen(store, owned, key in ours)}
    if removals:
        pending = {removal.rule.key: ours[removal.rule.key] for removal in removals}
        ownership.save(store.root, store.policy, Record(kept, pending))
        try:
            store.apply([rules.Change(rules.REMOVE, removal.rule) for removal in removals], load, runner, local)
        except CommitFailed:
            raise
        except HelperError:
            ownership.save(store.root, store.policy, Record(record.settled(local), {}))
            raise
    ownership.save(store.root, store.policy, Record(kept, {}))
    return removals
