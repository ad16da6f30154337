"""Register our rules in the policy store in one transaction, and remove those that have no effect."""

from contextlib import closing

from ..doors import labeldatabase, ownership, policystore
from ..doors.log import Log
from ..doors.run import Runner
from ..model import plan, rules
from ..model.errors import CommitFailed, HelperError, RulesChanged, RulesRefused
from ..model.facts import Facts
from ..model.filecontexts import SOCKET, type_of
from ..model.plan import DONE, FAILED, Result
from ..model.record import Owned, Record
from ..model.typed import TYPE_CHECKING, List, Sequence, Tuple
from ..sources import hostkind
from ..sources.host import HostSource
from .trace import tell

if TYPE_CHECKING:
    from ..model.winner import Verdict

# How often a transaction is tried while other programs change the local rules.
CHANCES = 10


class Registration:
    """The rules for one host's sockets."""

    def __init__(self, source: HostSource, runner: Runner, log: Log) -> None:
        self._host = source.host
        self._source = source
        self._runner = runner
        self._log = log

    def register(self, facts: Facts) -> List[Result]:
        """Commit all changes of rules at once; leave out and report those that the policy refuses."""
        store = hostkind.store(self._host)
        if store is None:
            return [self._rule_result(decision, FAILED, "there is no policy store") for decision in _due(facts)]
        if not _due(facts) and not facts.rules.record.pending:
            return []
        with ownership.locked(store.root, self._runner.deadline):
            for chances in range(CHANCES, 0, -1):
                try:
                    finish(store, self._host.offline is None, self._runner)
                    now = ownership.load(store.root, store.policy), store.local_rules()
                    if now != (facts.rules.record, facts.rules.local):
                        facts = self._source.read_rules()  # another run or program was faster
                    return self._register_locked(store, facts)
                except RulesChanged as error:
                    if chances == 1:
                        return [self._rule_result(decision, FAILED, str(error)) for decision in _due(facts)]
                except HelperError as error:
                    return [self._rule_result(decision, FAILED, str(error)) for decision in _due(facts)]
        return []

    def _register_locked(self, store: policystore.Store, facts: Facts) -> List[Result]:
        due = _due(facts)
        if not due:
            return []
        due, refused = self._commit(store, facts, due)
        results = [self._rule_result(decision, FAILED, "the policy does not accept this context or this regex")
                   for decision in refused]
        dead = self._drop_dead_rules(store, due)
        results += [self._rule_result(decision, FAILED, why) for decision, why in dead]
        results += [self._rule_result(decision, DONE, "") for decision in due
                    if decision not in [bad for bad, _ in dead]]
        return results

    def _rule_result(self, decision: rules.Decision, outcome: str, detail: str) -> Result:
        step = plan.UNREGISTER if decision.action == rules.REMOVE else plan.REGISTER
        result = Result(step, str(decision.rule), outcome, None, detail or decision.reason)
        tell(self._log, result)
        return result

    def _commit(self, store: policystore.Store, facts: Facts,
                due: List[rules.Decision]) -> Tuple[List[rules.Decision], List[rules.Decision]]:
        """Make the changes in one transaction; return those that were made and those that the policy refused."""
        refused: List[rules.Decision] = []
        policy = self._host.policy_type or ""
        committed = facts.rules.record.settled(facts.rules.local)
        while due:
            # Removals are pending too: the record then shows that a missing rule was removed by us.
            intended = {decision.rule.key: Owned(decision.rule, decision.unit) for decision in due}
            removed = {decision.rule.key for decision in due if decision.action == rules.REMOVE}
            others = {key: owned for key, owned in committed.items() if key not in removed}
            ownership.save(self._host.root, policy, Record(others, intended))
            try:
                store.apply([rules.Change(decision.action, decision.rule) for decision in due],
                            self._host.offline is None, self._runner, facts.rules.local)
            except RulesRefused:
                refusable = [decision.rule for decision in due if decision.action != rules.REMOVE]
                keys = {rule.key for rule in store.refused(refusable, self._runner)}
                bad = [decision for decision in due if decision.rule.key in keys]
                if not bad:
                    raise
                refused += bad
                due = [decision for decision in due if decision not in bad]
                continue
            except CommitFailed:
                raise  # the changes stay pending: libsemanage may have made all or some of them
            except HelperError:
                ownership.save(self._host.root, policy, Record(committed, {}))
                raise
            break
        # Record the rules as they are in the store: semanage replaces the alias of a type by its name.
        stored = {rule.key: rule for rule in store.local_rules()} if due else {}
        for decision in due:
            if decision.action == rules.REMOVE:
                committed.pop(decision.rule.key, None)
            else:
                kept = stored.get(decision.rule.key, decision.rule)
                committed[decision.rule.key] = Owned(decision.rule._replace(context=kept.context), decision.unit)
        ownership.save(self._host.root, policy, Record(committed, {}))
        return due, refused

    def _drop_dead_rules(self, store: policystore.Store,
                         due: Sequence[rules.Decision]) -> List[Tuple[rules.Decision, str]]:
        """Look up the paths again after a commit; remove the rules that have no effect."""
        added = [decision for decision in due if decision.action != rules.REMOVE and decision.path]
        if not added:
            return []
        dead = []
        with closing(labeldatabase.LabelDatabase(store.root, store.policy)) as database:
            for decision in added:
                label = database.lookup(decision.given)
                if label is None or not self._source.same_type(type_of(label), type_of(decision.rule.context)):
                    dead.append((decision, "it had no effect: libselinux answers %s for %s%s" % (
                        label, decision.given, _why(database.verdict(decision.given, SOCKET)))))
        if dead:
            keys = {decision.rule.key for decision, _ in dead}
            record = ownership.load(store.root, store.policy)
            kept = {key: owned for key, owned in record.rules.items() if key not in keys}
            going = {key: owned for key, owned in record.rules.items() if key in keys}
            ownership.save(store.root, store.policy, Record(kept, going))
            store.apply([rules.Change(rules.REMOVE, decision.rule) for decision, _ in dead],
                        self._host.offline is None, self._runner)
            ownership.save(store.root, store.policy, Record(kept, {}))
        return dead


def _why(verdict: "Verdict") -> str:
    """Return the rule that libselinux's answer comes from, as a message."""
    if verdict.broken:
        return "; it fails at the regex of %s:%d: %s" % (verdict.broken.file, verdict.broken.line, verdict.broken)
    moved = "".join(", which %s:%d turns into %s" % (substitution.file, substitution.line, verdict.path)
                    for substitution in verdict.substitutions[-1:])
    if verdict.untold:
        return "%s; which rule that comes from could not be told" % moved
    if verdict.rule is None:
        return "%s, for which there is no rule" % moved
    return "%s; the rule of %s:%d wins: %s" % (moved, verdict.rule.file, verdict.rule.line, verdict.rule)


def _due(facts: Facts) -> List[rules.Decision]:
    return [decision for decision in facts.rules.decisions
            if decision.action in (rules.ADD, rules.MODIFY, rules.REMOVE)]


def finish(store: policystore.Store, load: bool, runner: Runner) -> None:
    """Complete a commit that was interrupted by a kill or a power failure.

    A pending rule is in the store, or installed, or both, or neither.  An installed rule is ours and is committed
    again, any other is removed: both make libsemanage install everything that it has.
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
        pass  # the policy has changed too; the registration of a wanted rule reports its fault
    ownership.save(store.root, store.policy, Record(record.settled(store.local_rules()), {}))
