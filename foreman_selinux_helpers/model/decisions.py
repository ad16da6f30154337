"""Decide what a transaction does with the wanted rules, and with our rules that are no longer wanted.  Pure."""

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
    FileContexts,
    Want,
    canonical_regex,
    equivalence_commands,
    explain_expected,
    literal_directories,
)
from .typed import Callable, Dict, List, Optional, Sequence, Set

# A name that no rule mentions: it gets the label that the rules give to any name in its directory.
_ANY_NAME = "a-name-that-no-rule-names"


def decide(wants: Sequence[Want], contexts: FileContexts, record: Record, abandoned: Callable[[str], bool],
           complete: Callable[[str], bool]) -> List[Decision]:
    """Decide about every wanted rule, and about every rule of ours that is no longer wanted.

    ``abandoned`` returns whether no profile names this unit any more; ``complete`` returns whether ``wants`` contains
    all paths of this unit.
    """
    deciding = _Deciding(contexts, record)
    for want in sorted(wants, key=lambda want: want.regex is None):
        deciding.wanted(want)
    for key, owned in deciding.ours.items():
        if key not in deciding.decisions:
            if abandoned(owned.unit):
                deciding.remove(owned, "no profile wants it any more")
            elif _is_dead(owned.rule, contexts.equivalences):
                deciding.remove(owned, "the equivalence was reversed: it can never match")
            elif complete(owned.unit):
                deciding.remove(owned, "%s does not listen there any more" % owned.unit)
    return list(deciding.decisions.values())


class _Deciding:
    """The decisions so far, by the key of the rule."""

    def __init__(self, contexts: FileContexts, record: Record) -> None:
        self.ours = record.ours(contexts.local)
        self.decisions: Dict[Key, Decision] = {}
        self._contexts = contexts
        self._given_up = set(record.given_up(contexts.local))
        self._regexes: List[Decision] = []

    def remove(self, owned: Owned, reason: str) -> None:
        """Decide to remove a rule of ours."""
        self.decisions[owned.rule.key] = Decision(owned.rule, REMOVE, reason, owned.unit)

    def wanted(self, want: Want) -> None:
        """Decide about a wanted rule; of several wants for the same rule, the first counts."""
        contexts = self._contexts
        path = contexts.equivalences.canonical(want.path) if want.path is not None else ""
        regex = escape(path) if want.regex is None else canonical_regex(want.regex, contexts.equivalences)
        rule = Rule(regex, ALL_FILES, context_for(contexts.primary(want.type) or want.type, contexts.mls))
        sockets_alone = rule._replace(file_type=SOCKET)
        if path and rule.key not in self.ours and sockets_alone.key in self.ours:
            rule = sockets_alone
        if rule.key in self.decisions:
            return
        decided = self._decide(want, rule, path)
        if decided.rule.key != rule.key and rule.key in self.ours:
            self.remove(self.ours[rule.key]._replace(unit=want.unit),
                        "it has no effect on this libselinux; a rule for another file type has")
        self.decisions[decided.rule.key] = decided
        if not path:
            self._regexes.append(decided)

    def _decide(self, want: Want, rule: Rule, path: str) -> Decision:
        def decision(action: str, reason: str, cause: Optional[str] = None, own_word: Optional[str] = None) -> Decision:
            return Decision(rule, action, reason, want.unit, path, cause, want.path or "", own_word)

        contexts, mine = self._contexts, self.ours.get(rule.key)
        if contexts.primary(want.type) is None:
            # A rule with a type that the policy does not have would make every transaction fail.
            word = None if want.path is None else _own_word(want._replace(named=False), path, contexts)
            return decision(REMOVE if mine else SKIP, "the policy has no type %s" % want.type, NO_SUCH_TYPE, word)
        admins = _administrators(rule, path, want.type, contexts, self.ours)
        word = _own_word(want, path, contexts) if want.path is not None and not admins else None
        if word is not None:
            return decision(REMOVE if mine else SKIP, "the policy itself labels this path %s" % word, own_word=word)
        if mine and not admins and want.path is not None \
                and _same(contexts.lookup_without_ours(want.path), want.type, contexts):
            return decision(REMOVE, "the policy gives this label without it")
        if mine and (mine.rule.context.count(":") != rule.context.count(":")  # another policy, with or without levels
                     or not contexts.same_type(type_of(mine.rule.context), want.type)):
            return decision(MODIFY, "it said %s" % mine.rule.context)
        if mine and admins:
            return decision(REMOVE, "the administrator's rule wins: %s" % str(admins[-1]), SHADOWED)
        if want.path is not None:
            if _same(contexts.lookup(want.path), want.type, contexts):
                return decision(KEEP, "it is ours and it works") if mine else \
                    decision(SKIP, "the policy already gives this label")
            for earlier in self._regexes:
                if earlier.action == ADD and earlier.rule.context == rule.context and earlier.rule.matches(path):
                    return decision(SKIP, "the regex %s covers it" % earlier.rule.regex)._replace(covered=True)
            if admins:
                return decision(SKIP, "the administrator's rule wins: %s" % str(admins[-1]), SHADOWED)
        else:
            if any(known.key == rule.key and known.context == rule.context and known not in contexts.local
                   for known in contexts.rules_for(want.type)):
                return decision(REMOVE if mine else SKIP, "the policy has this rule")
            if mine:
                return decision(KEEP, "it is ours")
            if admins:
                return decision(SKIP, "the administrator's rule wins, which may match the same paths: %s"
                                % str(admins[-1]), SHADOWED)
            if any(known.key == rule.key for known in contexts.local):
                return decision(SKIP, "the administrator has a rule for this regex")
        return self._missing(decision(ADD, ""), want, mine is not None)

    def _missing(self, added: Decision, want: Want, mine: bool) -> Decision:
        """Return the decision to add a missing rule, or to skip it; ``mine``: a rule of ours is there."""
        path, key = added.path, added.rule.key
        cause, why = explain_expected(path, want.type, self._contexts) if path else (NO_RULE, "no rule has this regex")
        added = added._replace(cause=cause, reason=why)
        if key in self._given_up or (path and added.rule._replace(file_type=SOCKET).key in self._given_up):
            import shlex

            commands = (UNREGISTER_COMMAND, REPAIR_COMMAND)
            return added._replace(
                action=SKIP, reason="the administrator deleted the rule that was added for %s" % want.unit,
                commands=tuple("%s %s" % (command, shlex.quote(want.unit)) for command in commands))
        return _effective(added, mine, self._contexts) if path else added


def _effective(added: Decision, ours: bool, contexts: FileContexts) -> Decision:
    """Return the decision with the file type that makes the rule win, or to use no rule if there is none."""
    file_type, better = contexts.effective(added.path)
    if file_type is not None:
        return added._replace(rule=added.rule._replace(file_type=file_type))
    commands = equivalence_commands(added.path, type_of(added.rule.context))
    beaten = ": %s:%d beats it: %s" % (better.file, better.line, better) if better else ""
    return added._replace(
        action=REMOVE if ours else SKIP, cause=SHADOWED, no_effect=True, commands=commands,
        reason="on this libselinux a local rule for %s has no effect%s; an equivalence works: %s" % (
            added.path, beaten, " && ".join(commands)))


def _same(context: Optional[str], type_name: str, contexts: FileContexts) -> bool:
    return context is not None and contexts.same_type(type_of(context), type_name)


def _own_word(want: Want, path: str, contexts: FileContexts) -> Optional[str]:
    """Return the context that the policy itself gives a path, if that takes precedence over the profile's type.

    For a path that the profile names, only a literal rule for this path takes precedence.  For any other path, every
    rule does that labels it differently from other names in its directory.
    """
    given = want.path or ""
    answer = contexts.lookup_without_ours(given)
    if answer is None or contexts.same_type(type_of(answer), want.type):
        return None
    if want.named:
        exact = any(literal(rule.regex) == path and rule.covers(SOCKET) and rule not in contexts.local
                    for rule in contexts.rules_for(type_of(answer)))
        return answer if exact else None
    directory = contexts.lookup_without_ours(given[:given.rindex("/") + 1] + _ANY_NAME)
    return None if _same(directory, type_of(answer), contexts) else answer


def _administrators(rule: Rule, path: str, type_name: str, contexts: FileContexts,
                    ours: Dict[Key, Owned]) -> List[Rule]:
    """Return the administrator's local rules that give sockets at the rule's paths another type, oldest first.

    Our rule must not beat any of these, and a literal rule would, wherever it stands.
    """
    theirs = [other for other in contexts.local if other.covers(SOCKET) and other.key not in ours
              and not contexts.same_type(type_of(other.context), type_name)]
    if not path:
        return [other for other in theirs if may_overlap(other, rule)]
    # A rule that only libselinux can judge counts as one of them.
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

    They keep a rule while its unit cannot be queried, and move it when the equivalence is reversed.  If substitutions
    chain, a rule's own path can be substituted while another spelling still leads to it.
    """
    wants = []
    for owned in record.ours(local).values():
        path = literal(owned.rule.regex)
        if owned.unit in units and path is not None:
            leading = [] if equivalences.canonical(path) == path else equivalences.spellings(path)
            wants.append(Want(owned.unit, "", types[owned.unit], leading[0] if leading else path, named=False))
    return wants
