"""Rules of ours in the policy store: committed in one transaction, and taken back."""

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

# How often a transaction is tried while others change the local rules.
CHANCES = 10


class Registration:
    """The rules for one host's sockets."""

    def __init__(self, source: HostSource, runner: Runner, log: Log) -> None:
        self._host = source.host
        self._source = source
        self._runner = runner
        self._log = log

    def register(self, facts: Facts) -> List[Result]:
        """Commit all rule changes at once; leave out, and report, what the policy refuses."""
        store = hostkind.store(self._host)
        if store is None:
            return [self._rule_result(one, FAILED, "there is no policy store") for one in _due(facts)]
        if not _due(facts) and not facts.rules.record.pending:
            return []
        with ownership.locked(store.root, self._runner.deadline):
            for chances in range(CHANCES, 0, -1):
                try:
                    finish(store, self._host.offline is None, self._runner)
                    now = ownership.load(store.root, store.policy), store.local_rules()
                    if now != (facts.rules.record, facts.rules.local):
                        facts = self._source.read_rules()  # another run, or somebody else, was faster
                    return self._register_locked(store, facts)
                except RulesChanged as error:
                    if chances == 1:
                        return [self._rule_result(one, FAILED, str(error)) for one in _due(facts)]
                except HelperError as error:
                    return [self._rule_result(one, FAILED, str(error)) for one in _due(facts)]
        return []

    def _register_locked(self, store: policystore.Store, facts: Facts) -> List[Result]:
        due = _due(facts)
        if not due:
            return []
        due, refused = self._commit(store, facts, due)
        results = [self._rule_result(one, FAILED, "the policy does not accept this context or this regex")
                   for one in refused]
        dead = self._drop_dead_rules(store, due)
        results += [self._rule_result(one, FAILED, why) for one, why in dead]
        results += [self._rule_result(one, DONE, "") for one in due if one not in [bad for bad, _ in dead]]
        return results

    def _rule_result(self, one: rules.Decision, outcome: str, detail: str) -> Result:
        step = plan.UNREGISTER if one.action == rules.REMOVE else plan.REGISTER
        result = Result(step, str(one.rule), outcome, None, detail or one.reason)
        tell(self._log, result)
        return result

    def _commit(self, store: policystore.Store, facts: Facts,
                due: List[rules.Decision]) -> Tuple[List[rules.Decision], List[rules.Decision]]:
        """Make the changes in one transaction; return what was done and what the policy refused."""
        refused: List[rules.Decision] = []
        policy = self._host.policy_type or ""
        committed = facts.rules.record.settled(facts.rules.local)
        while due:
            # What is to be removed is pending as well: once it is gone, nobody else has taken it away.
            intended = {one.rule.key: Owned(one.rule, one.unit) for one in due}
            removed = {one.rule.key for one in due if one.action == rules.REMOVE}
            others = {key: owned for key, owned in committed.items() if key not in removed}
            ownership.save(self._host.root, policy, Record(others, intended))
            try:
                store.apply([rules.Change(one.action, one.rule) for one in due],
                            self._host.offline is None, self._runner, facts.rules.local)
            except RulesRefused:
                refusable = [one.rule for one in due if one.action != rules.REMOVE]
                keys = {rule.key for rule in store.refused(refusable, self._runner)}
                bad = [one for one in due if one.rule.key in keys]
                if not bad:
                    raise
                refused += bad
                due = [one for one in due if one not in bad]
                continue
            except CommitFailed:
                raise  # what is pending stays so: libsemanage may have done all of it, or half
            except HelperError:
                ownership.save(self._host.root, policy, Record(committed, {}))
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
        ownership.save(self._host.root, policy, Record(committed, {}))
        return due, refused

    def _drop_dead_rules(self, store: policystore.Store,
                         due: Sequence[rules.Decision]) -> List[Tuple[rules.Decision, str]]:
        """Ask libselinux again after a commit; take back what did not take effect."""
        added = [one for one in due if one.action != rules.REMOVE and one.path]
        if not added:
            return []
        dead = []
        with closing(labeldatabase.LabelDatabase(store.root, store.policy)) as database:
            for one in added:
                found = database.lookup(one.given)
                if found is None or not self._source.same_type(type_of(found), type_of(one.rule.context)):
                    dead.append((one, "it had no effect: libselinux answers %s for %s%s" % (
                        found, one.given, _why(database.verdict(one.given, SOCKET)))))
        if dead:
            keys = {one.rule.key for one, _ in dead}
            record = ownership.load(store.root, store.policy)
            kept = {key: owned for key, owned in record.rules.items() if key not in keys}
            going = {key: owned for key, owned in record.rules.items() if key in keys}
            ownership.save(store.root, store.policy, Record(kept, going))
            store.apply([rules.Change(rules.REMOVE, one.rule) for one, _ in dead],
                        self._host.offline is None, self._runner)
            ownership.save(store.root, store.policy, Record(kept, {}))
        return dead


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


def _due(facts: Facts) -> List[rules.Decision]:
    return [one for one in facts.rules.decisions if one.action in (rules.ADD, rules.MODIFY, rules.REMOVE)]


def finish(store: policystore.Store, load: bool, runner: Runner) -> None:
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
