"""What a transaction has to do about the rules that are wanted, and about ours that no longer are.  Pure."""

from .causes import NO_RULE, NO_SUCH_TYPE, SHADOWED
from .equivalence import Equivalences
from .filecontexts import ALL_FILES, SOCKET, Rule, candidates, context_for, escape, literal, may_overlap, type_of
from .plan import REPAIR_COMMAND, UNREGISTER_COMMAND
from .record import Key, Owned, Record
from .rules import (
    ADD,
    KEEP,
    MODIFY,
    REMOVE,
    SKIP,
    Decision,
    Policy,
    Want,
    canonical_regex,
    equivalence_commands,
    explain_expected,
    literal_directories,
)
from .typed import Callable, Dict, List, Optional, Sequence, Set

# Hardly a file's name anywhere: what the rules say of it they say of any name in its directory.
_ANY_NAME = "a-name-that-no-rule-names"


def decide(wants: Sequence[Want], policy: Policy, record: Record, abandoned: Callable[[str], bool],
           complete: Callable[[str], bool]) -> List[Decision]:
    """Decide for every wanted rule, and for every rule of ours that is wanted no more.

    ``abandoned``: no profile speaks of this unit any more; ``complete``: ``wants`` holds all
    paths of this unit.
    """
    deciding = _Deciding(policy, record)
    for want in sorted(wants, key=lambda want: want.regex is None):
        deciding.wanted(want)
    for key, owned in deciding.ours.items():
        if key not in deciding.decisions:
            if abandoned(owned.unit):
                deciding.remove(owned, "no profile wants it any more")
            elif _is_dead(owned.rule, policy.equivalences):
                deciding.remove(owned, "the equivalence has turned round: it can never match")
            elif complete(owned.unit):
                deciding.remove(owned, "%s does not listen there any more" % owned.unit)
    return list(deciding.decisions.values())


class _Deciding:
    """What was decided so far, by the key of the rule."""

    def __init__(self, policy: Policy, record: Record) -> None:
        self.ours = record.ours(policy.local)
        self.decisions: Dict[Key, Decision] = {}
        self._policy = policy
        self._given_up = set(record.given_up(policy.local))
        self._regexes: List[Decision] = []

    def remove(self, owned: Owned, reason: str) -> None:
        """Decide to remove a rule of ours."""
        self.decisions[owned.rule.key] = Decision(owned.rule, REMOVE, reason, owned.unit)

    def wanted(self, want: Want) -> None:
        """Decide about a wanted rule; the first of several for the same rule counts."""
        policy = self._policy
        path = policy.equivalences.canonical(want.path) if want.path is not None else ""
        regex = escape(path) if want.regex is None else canonical_regex(want.regex, policy.equivalences)
        rule = Rule(regex, ALL_FILES, context_for(policy.primary(want.type) or want.type, policy.mls))
        sockets_alone = rule._replace(file_type=SOCKET)
        if path and rule.key not in self.ours and sockets_alone.key in self.ours:
            rule = sockets_alone
        if rule.key in self.decisions:
            return
        decided = self._decide(want, rule, path)
        if decided.rule.key != rule.key and rule.key in self.ours:
            self.remove(self.ours[rule.key]._replace(unit=want.unit),
                        "it has no effect on this libselinux, as one for another file type has")
        self.decisions[decided.rule.key] = decided
        if not path:
            self._regexes.append(decided)

    def _decide(self, want: Want, rule: Rule, path: str) -> Decision:
        def decision(action: str, reason: str, cause: Optional[str] = None, own_word: Optional[str] = None) -> Decision:
            return Decision(rule, action, reason, want.unit, path, cause, want.path or "", own_word)

        policy, mine = self._policy, self.ours.get(rule.key)
        if policy.primary(want.type) is None:
            # A rule with a type that the policy does not have would make every transaction fail.
            word = None if want.path is None else _own_word(want._replace(named=False), path, policy)
            return decision(REMOVE if mine else SKIP, "the policy has no type %s" % want.type, NO_SUCH_TYPE, word)
        admins = _administrators(rule, path, want.type, policy, self.ours)
        word = _own_word(want, path, policy) if want.path is not None and not admins else None
        if word is not None:
            return decision(REMOVE if mine else SKIP, "the policy itself labels this path %s" % word, own_word=word)
        if mine and not admins and want.path is not None \
                and _same(policy.lookup_without_ours(want.path), want.type, policy):
            return decision(REMOVE, "the policy gives this label without it")
        if mine and (mine.rule.context.count(":") != rule.context.count(":")  # another policy, with or without levels
                     or not policy.same_type(type_of(mine.rule.context), want.type)):
            return decision(MODIFY, "it said %s" % mine.rule.context)
        if mine and admins:
            return decision(REMOVE, "the administrator's rule wins: %s" % str(admins[-1]), SHADOWED)
        if want.path is not None:
            if _same(policy.lookup(want.path), want.type, policy):
                return decision(KEEP, "it is ours and it works") if mine else \
                    decision(SKIP, "the policy already gives this label")
            for earlier in self._regexes:
                if earlier.action == ADD and earlier.rule.context == rule.context and earlier.rule.matches(path):
                    return decision(SKIP, "the regex %s covers it" % earlier.rule.regex)._replace(covered=True)
            if admins:
                return decision(SKIP, "the administrator's rule wins: %s" % str(admins[-1]), SHADOWED)
        else:
            if any(known.key == rule.key and known.context == rule.context and known not in policy.local
                   for known in policy.rules_for(want.type)):
                return decision(REMOVE if mine else SKIP, "the policy has this rule")
            if mine:
                return decision(KEEP, "it is ours")
            if admins:
                return decision(SKIP, "the administrator's rule wins, which may speak of the same paths: %s"
                                % str(admins[-1]), SHADOWED)
            if any(known.key == rule.key for known in policy.local):
                return decision(SKIP, "the administrator has a rule for this regex")
        return self._missing(decision(ADD, ""), want, mine is not None)

    def _missing(self, added: Decision, want: Want, mine: bool) -> Decision:
        """Return the decision to add a rule for a path or a regex that has none, or why not; ``mine``: one of ours."""
        path, key = added.path, added.rule.key
        cause, why = explain_expected(path, want.type, self._policy) if path else (NO_RULE, "no rule has this regex")
        added = added._replace(cause=cause, reason=why)
        if key in self._given_up or (path and added.rule._replace(file_type=SOCKET).key in self._given_up):
            import shlex

            commands = (UNREGISTER_COMMAND, REPAIR_COMMAND)
            return added._replace(
                action=SKIP, reason="the administrator deleted the rule that was added for %s" % want.unit,
                commands=tuple("%s %s" % (command, shlex.quote(want.unit)) for command in commands))
        return _effective(added, mine, self._policy) if path else added


def _effective(added: Decision, ours: bool, policy: Policy) -> Decision:
    """Return the decision to add a rule with the file type that makes it win, or one to do without it."""
    file_type, better = policy.effective(added.path)
    if file_type is not None:
        return added._replace(rule=added.rule._replace(file_type=file_type))
    commands = equivalence_commands(added.path, type_of(added.rule.context))
    beaten = ": %s:%d beats it: %s" % (better.file, better.line, better) if better else ""
    return added._replace(
        action=REMOVE if ours else SKIP, cause=SHADOWED, no_effect=True, commands=commands,
        reason="on this libselinux a local rule for %s has no effect%s; an equivalence works: %s" % (
            added.path, beaten, " && ".join(commands)))


def _same(context: Optional[str], type_name: str, policy: Policy) -> bool:
    return context is not None and policy.same_type(type_of(context), type_name)


def _own_word(want: Want, path: str, policy: Policy) -> Optional[str]:
    """Return the context that the policy itself gives a path, where that counts for more than the profile's type.

    On a path that the profile names, only a rule for exactly this path does.  On any other, every rule that
    labels the path otherwise than any name in its directory.
    """
    given = want.path or ""
    answer = policy.lookup_without_ours(given)
    if answer is None or policy.same_type(type_of(answer), want.type):
        return None
    if want.named:
        exact = any(literal(rule.regex) == path and rule.covers(SOCKET) and rule not in policy.local
                    for rule in policy.rules_for(type_of(answer)))
        return answer if exact else None
    directory = policy.lookup_without_ours(given[:given.rindex("/") + 1] + _ANY_NAME)
    return None if _same(directory, type_of(answer), policy) else answer


def _administrators(rule: Rule, path: str, type_name: str, policy: Policy, ours: Dict[Key, Owned]) -> List[Rule]:
    """Return the local rules, not ours, that want another type for sockets at the rule's paths, oldest first.

    None of them is to be outranked, which a rule without special characters does wherever it stands.
    """
    theirs = [other for other in policy.local if other.covers(SOCKET) and other.key not in ours
              and not policy.same_type(type_of(other.context), type_name)]
    if not path:
        return [other for other in theirs if may_overlap(other, rule)]
    # What only libselinux could judge counts as theirs.
    return [other for other in candidates(theirs, path) if other.judge(path) is not False]


def _is_dead(rule: Rule, equivalences: Equivalences) -> bool:
    path = literal(rule.regex)
    if path is not None:
        return not equivalences.reaches(path)
    directory = literal_directories(rule.regex)
    return bool(directory) and not equivalences.reaches(directory)


def wants_of_ours(record: Record, local: Sequence[Rule], units: Set[str], types: Dict[str, str],
                  equivalences: Equivalences) -> List[Want]:
    """Return wants for the literal paths of our own rules of these units.

    They keep a rule alive whose unit cannot be asked now, and move it when the equivalence
    turns round.  Where substitutions chain, a rule's own path can lead elsewhere while another
    spelling still leads to it.
    """
    wants = []
    for owned in record.ours(local).values():
        path = literal(owned.rule.regex)
        if owned.unit in units and path is not None:
            leading = [] if equivalences.canonical(path) == path else equivalences.spellings(path)
            wants.append(Want(owned.unit, "", types[owned.unit], leading[0] if leading else path, named=False))
    return wants
