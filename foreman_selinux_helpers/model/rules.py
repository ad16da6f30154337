"""Which rules are wanted, which are missing, and what a transaction has to do about it.  Pure."""

import re
import shlex
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

from .equivalence import Equivalences
from .filecontexts import (
    ALL_FILES,
    SOCKET,
    Rule,
    candidates,
    context_for,
    escape,
    literal,
    matching,
    may_overlap,
    type_of,
)
from .record import Key, Owned, Record

ADD = "add"
MODIFY = "modify"
REMOVE = "remove"
KEEP = "keep"
SKIP = "skip"

WRONG_FILE_TYPE = "wrong-file-type"
ALIASED_PATH = "aliased-path"
SHADOWED = "shadowed"
NO_RULE = "no-rule"
NO_SUCH_TYPE = "no-such-type"

_UNREGISTER = "foreman-selinux-helpers unregister"
_REPAIR = "foreman-selinux-helpers repair"

# Hardly a file's name anywhere: what the rules say of it they say of any name in its directory.
_ANY_NAME = "a-name-that-no-rule-names"


class Change(NamedTuple):
    """What a transaction does to one local rule."""

    action: str
    rule: Rule


class Want(NamedTuple):
    """A path (in the spelling it was given) or a regex whose sockets must have a type.

    ``named``: the profile names the path; any other is one that its unit listens on.
    """

    unit: str
    profile: str
    type: str
    path: Optional[str] = None
    regex: Optional[str] = None
    named: bool = True


class Decision(NamedTuple):
    """What is done about one rule, and why; ``path`` is canonical and empty for a regex.

    ``given`` is the path as it was given: libselinux is asked for that one, never for ``path``,
    which it might substitute once more.  ``own_word`` is the context that the policy itself gives the path,
    where that counts for more than the profile.  ``commands`` undo the cause, where no repair does; ``no_effect``: no
    local rule for the path has any, and ``reason`` says what works.
    """

    rule: Rule
    action: str
    reason: str
    unit: str
    path: str = ""
    cause: Optional[str] = None
    given: str = ""
    own_word: Optional[str] = None
    commands: Tuple[str, ...] = ()
    no_effect: bool = False


class Policy(NamedTuple):
    """The file contexts of a host, as functions, so that deciding stays pure.

    ``lookup``: what libselinux answers for a path, as it was given, and a socket; ``primary``: the name
    of the type that a name or an alias means, None for no type; ``same_type``: whether two names
    are of one type; ``rules_for``: the rules, the policy's own and the local ones, that give a type; read only
    where a reason is needed; ``lookup_without_ours``: what libselinux would answer if none of our rules were there;
    ``effective``: the file type under which a local rule for a canonical path wins, or None and the rule that beats it.
    """

    lookup: Callable[[str], Optional[str]]
    primary: Callable[[str], Optional[str]]
    same_type: Callable[[str, str], bool]
    rules_for: Callable[[str], Sequence[Rule]]
    local: Sequence[Rule]
    equivalences: Equivalences
    mls: bool
    lookup_without_ours: Callable[[str], Optional[str]]
    effective: Callable[[str], Tuple[Optional[str], Optional[Rule]]] = lambda path: (ALL_FILES, None)


def decide(wants: Sequence[Want], policy: Policy, record: Record, abandoned: Callable[[str], bool],
           complete: Callable[[str], bool]) -> List[Decision]:
    """Decide for every wanted rule, and for every rule of ours that is wanted no more.

    ``abandoned``: no profile speaks of this unit any more; ``complete``: ``wants`` holds all
    paths of this unit.
    """
    ours = record.ours(policy.local)
    given_up = set(record.given_up(policy.local))
    decisions: Dict[Key, Decision] = {}
    regexes: List[Decision] = []
    for want in sorted(wants, key=lambda one: one.regex is None):
        path = policy.equivalences.canonical(want.path) if want.path is not None else ""
        regex = escape(path) if want.regex is None else canonical_regex(want.regex, policy.equivalences)
        rule = Rule(regex, ALL_FILES, context_for(policy.primary(want.type) or want.type, policy.mls))
        sockets_alone = rule._replace(file_type=SOCKET)
        if path and rule.key not in ours and sockets_alone.key in ours:
            rule = sockets_alone
        if rule.key not in decisions:
            decided = _decide_one(want, rule, path, policy, ours, given_up, regexes)
            if decided.rule.key != rule.key and rule.key in ours:
                decisions[rule.key] = Decision(ours[rule.key].rule, REMOVE, "it has no effect on this libselinux, as "
                                               "one for another file type has", want.unit)
            decisions[decided.rule.key] = decided
            if not path:
                regexes.append(decided)
    for key, owned in ours.items():
        if key not in decisions:
            dead = _is_dead(owned.rule, policy.equivalences)
            if abandoned(owned.unit):
                decisions[key] = Decision(owned.rule, REMOVE, "no profile wants it any more", owned.unit)
            elif dead:
                decisions[key] = Decision(owned.rule, REMOVE, "the equivalence has turned round: it can never match",
                                          owned.unit)
            elif complete(owned.unit):
                decisions[key] = Decision(owned.rule, REMOVE, "%s does not listen there any more" % owned.unit,
                                          owned.unit)
    return list(decisions.values())


def _decide_one(want: Want, rule: Rule, path: str, policy: Policy, ours: Dict[Key, Owned], given_up: Set[Key],
                regexes: Sequence[Decision]) -> Decision:
    def decision(action: str, reason: str, cause: Optional[str] = None, own_word: Optional[str] = None) -> Decision:
        return Decision(rule, action, reason, want.unit, path, cause, want.path or "", own_word)

    mine = ours.get(rule.key)
    if policy.primary(want.type) is None:
        # A rule with a type that the policy does not have would make every transaction fail.
        word = None if want.path is None else _own_word(want._replace(named=False), path, policy)
        return decision(REMOVE if mine else SKIP, "the policy has no type %s" % want.type, NO_SUCH_TYPE, own_word=word)
    admins = _administrators(rule, path, want.type, policy, ours)
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
        for one in regexes:
            if one.action == ADD and one.rule.context == rule.context and one.rule.matches(path):
                return decision(SKIP, "the regex %s covers it" % one.rule.regex)
        if admins:
            return decision(SKIP, "the administrator's rule wins: %s" % str(admins[-1]), SHADOWED)
    else:
        if any(one.key == rule.key and one.context == rule.context and one not in policy.local
               for one in policy.rules_for(want.type)):
            return decision(REMOVE if mine else SKIP, "the policy has this rule")
        if mine:
            return decision(KEEP, "it is ours")
        if admins:
            return decision(SKIP, "the administrator's rule wins, which may speak of the same paths: %s"
                            % str(admins[-1]), SHADOWED)
        if any(one.key == rule.key for one in policy.local):
            return decision(SKIP, "the administrator has a rule for this regex")
    cause, why = explain_expected(path, want.type, policy) if path else (NO_RULE, "no rule has this regex")
    if rule.key in given_up or (path and rule._replace(file_type=SOCKET).key in given_up):
        return decision(SKIP, "the administrator deleted the rule that was added for %s" % want.unit, cause)._replace(
            commands=tuple("%s %s" % (command, shlex.quote(want.unit)) for command in (_UNREGISTER, _REPAIR)))
    added = decision(ADD, why, cause)
    return _effective(added, mine is not None, policy) if path else added


def _effective(one: Decision, ours: bool, policy: Policy) -> Decision:
    """Return the decision to add a rule with the file type that makes it win, or one to do without it."""
    file_type, better = policy.effective(one.path)
    if file_type is not None:
        return one._replace(rule=one.rule._replace(file_type=file_type))
    commands = equivalence_commands(one.path, type_of(one.rule.context))
    beaten = ": %s:%d beats it: %s" % (better.file, better.line, better) if better else ""
    return one._replace(
        action=REMOVE if ours else SKIP, cause=SHADOWED, no_effect=True, commands=commands,
        reason="on this libselinux a local rule for %s has no effect%s; an equivalence works: %s" % (
            one.path, beaten, " && ".join(commands)))


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
        exact = any(literal(one.regex) == path and one.covers(SOCKET) and one not in policy.local
                    for one in policy.rules_for(type_of(answer)))
        return answer if exact else None
    directory = policy.lookup_without_ours(given[:given.rindex("/") + 1] + _ANY_NAME)
    return None if _same(directory, type_of(answer), policy) else answer


def _administrators(rule: Rule, path: str, type_name: str, policy: Policy, ours: Dict[Key, Owned]) -> List[Rule]:
    """Return the local rules, not ours, that want another type for sockets at the rule's paths, oldest first.

    None of them is to be outranked, which a rule without special characters does wherever it stands.
    """
    theirs = [one for one in policy.local if one.covers(SOCKET) and one.key not in ours
              and not policy.same_type(type_of(one.context), type_name)]
    if not path:
        return [one for one in theirs if may_overlap(one, rule)]
    # What only libselinux could judge counts as theirs.
    return [one for one in candidates(theirs, path) if one.judge(path) is not False]


def equivalence_commands(path: str, type_name: str) -> Tuple[str, str]:
    """Return the commands that give sockets at a canonical path a type where no local rule for it has an effect."""
    other = "%s-local" % path
    return ("semanage fcontext -a -f s -t %s %s" % (type_name, shlex.quote(escape(other))),
            "semanage fcontext -a -e %s %s" % (shlex.quote(other), shlex.quote(path)))


class Reason(NamedTuple):
    """Why a path does not get a type: the cause, the rule that would give it, and the spelling that one is for.

    A rule for another spelling may have a second fault, which no cause is for: it is not for sockets.
    """

    cause: str
    rule: Optional[Rule] = None
    spelling: str = ""

    @property
    def also_wrong_file_type(self) -> bool:
        """Tell whether the rule would not cover a socket in the right spelling either."""
        return self.cause == ALIASED_PATH and self.rule is not None and not self.rule.covers(SOCKET)


def reason_for(path: str, type_name: str, policy: Policy) -> Reason:
    """Return why libselinux does not answer this type for a canonical path."""
    meant = policy.rules_for(type_name)
    right = matching(meant, path)
    for one in right:
        if not one.covers(SOCKET):
            return Reason(WRONG_FILE_TYPE, one)
    for other in policy.equivalences.spellings(path):
        for one in sorted(matching(meant, other), key=lambda rule: not rule.covers(SOCKET)):
            return Reason(ALIASED_PATH, one, other)
    return Reason(SHADOWED, right[0]) if right else Reason(NO_RULE)


def explain_expected(path: str, type_name: str, policy: Policy) -> Tuple[str, str]:
    """Return why libselinux does not answer this type for a canonical path: a cause, and words."""
    reason = reason_for(path, type_name, policy)
    cause, one, other = reason
    if one is None:
        return cause, "%s: no rule gives %s to %s" % (cause, type_name, path)
    where = "%s:%d" % (one.file, one.line)
    return cause, "%s: %s" % (cause, {
        WRONG_FILE_TYPE: "%s is a rule for type %r only: %s" % (where, one.file_type, one),
        ALIASED_PATH: "%s is written for %s, which libselinux turns into %s%s: %s" % (
            where, other, path, ", and for type %r only" % one.file_type if reason.also_wrong_file_type else "", one),
        SHADOWED: "another rule beats %s: %s" % (where, one),
    }[cause])


def canonical_regex(regex: str, equivalences: Equivalences) -> str:
    """Return a regex with its literal leading directories in the canonical spelling."""
    directory = _literal_directories(regex)
    return equivalences.canonical(directory) + regex[len(directory):] if directory else regex


def _literal_directories(regex: str) -> str:
    directory = re.match(r"(?:/[A-Za-z0-9_-]+)*(?=/)", regex)
    return directory.group() if directory else ""


def _is_dead(rule: Rule, equivalences: Equivalences) -> bool:
    path = literal(rule.regex)
    if path is not None:
        return not equivalences.reaches(path)
    directory = _literal_directories(rule.regex)
    return bool(directory) and not equivalences.reaches(directory)


def wants_of_ours(record: Record, local: Sequence[Rule], units: Set[str], types: Dict[str, str],
                  equivalences: Equivalences) -> List[Want]:
    """Return wants for the literal paths of our own rules of these units.

    They keep a rule alive whose unit cannot be asked now, and move it when the equivalence
    turns round.  Where substitutions chain, a rule's own path can lead elsewhere while another
    spelling still leads to it.
    """
    found = []
    for owned in record.ours(local).values():
        path = literal(owned.rule.regex)
        if owned.unit in units and path is not None:
            leading = [] if equivalences.canonical(path) == path else equivalences.spellings(path)
            found.append(Want(owned.unit, "", types[owned.unit], leading[0] if leading else path, named=False))
    return found
