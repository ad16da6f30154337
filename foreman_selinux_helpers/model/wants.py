"""Derive what profiles and their units want: rules, and a label for each socket.  Pure."""

from . import causes, decisions, rules
from .equivalence import Equivalences
from .filecontexts import ALL_FILES, Rule, type_of
from .profiles import SocketProfile
from .record import Record
from .rules import Decision, FileContexts, Want
from .sockets import Wanted
from .typed import Callable, List, Mapping, Optional, Sequence
from .units import SocketUnit


def wanted(profiles: Sequence[SocketProfile], units: Mapping[str, SocketUnit], record: Record,
           local: Sequence[Rule], equivalences: Equivalences) -> List[Want]:
    """Return the wanted rules: those of the profiles, and rules of ours whose units cannot be queried now."""
    wants: List[Want] = []
    unseen = set()
    for profile in profiles:
        if not profile.type:
            continue  # a unit without a profile: the policy alone determines its labels
        wants.extend(Want(profile.unit, profile.profile, profile.type, regex=regex) for regex in profile.regexes)
        unit = units.get(profile.unit)
        names = _names(profile, equivalences)
        wants.extend(Want(profile.unit, profile.profile, profile.type, path, named=names(path))
                     for path in listened_paths(profile, unit))
        if unit is None or unit.load != "loaded":
            unseen.add(profile.unit)
    types = {profile.unit: profile.type for profile in profiles}
    return wants + decisions.wants_of_ours(record, local, unseen, types, equivalences)


def listened_paths(profile: SocketProfile, unit: Optional[SocketUnit]) -> List[str]:
    """Return the paths that a unit listens on, then those that its profile names, each once."""
    listened = unit.paths if unit and unit.load == "loaded" else ()
    return list(dict.fromkeys(tuple(listened) + profile.paths))


def _names(profile: SocketProfile, equivalences: Equivalences) -> Callable[[str], bool]:
    """Return a function that returns whether the profile itself names a path."""
    paths = set(map(equivalences.canonical, profile.paths))
    regexes = [Rule(rules.canonical_regex(regex, equivalences), ALL_FILES, "") for regex in profile.regexes]

    def names(path: str) -> bool:
        canonical = equivalences.canonical(path)
        return canonical in paths or any(rule.matches(canonical) for rule in regexes)
    return names


def of_socket(profile: SocketProfile, path: str, expected: Optional[str], decided_rules: Sequence[Decision],
              contexts: FileContexts) -> Wanted:
    """Return what is wanted of the socket at a path, without the label of its socket object.

    ``expected``: what libselinux answers for the path now.
    """
    canonical = contexts.equivalences.canonical(path)
    decided = next((decision for decision in decided_rules if decision.path == canonical), None)
    cause = _rule_cause(profile, expected, decided, canonical, contexts)
    word = decided.own_word if decided else None
    wanted = Wanted(type_of(word) if word else profile.type, _context(path, expected, decided, contexts), None,
                    cause, profile.restart, decided, profile.client, profile.user)
    return wanted._replace(type=profile.type, restart="never") if wanted.idle else wanted


def _context(path: str, expected: Optional[str], decided: Optional[Decision], contexts: FileContexts) -> Optional[str]:
    """Return what libselinux will answer for a path once the decisions are carried out."""
    if decided and (decided.action in (rules.ADD, rules.MODIFY) or decided.covered):
        return decided.rule.context
    return contexts.lookup_without_ours(path) if decided and decided.action == rules.REMOVE else expected


def _rule_cause(profile: SocketProfile, expected: Optional[str], decided: Optional[Decision], canonical: str,
                contexts: FileContexts) -> Optional[str]:
    if not profile.type:
        return None
    if decided is not None and decided.action in (rules.REMOVE, rules.SKIP) and decided.cause == causes.NO_SUCH_TYPE:
        return decided.cause
    if decided is not None and decided.own_word:
        agreed = expected is not None and contexts.same_type(type_of(expected), type_of(decided.own_word))
        return None if agreed else causes.SHADOWED
    if decided is not None and decided.action == rules.REMOVE:
        return decided.cause
    if expected is not None and contexts.same_type(type_of(expected), profile.type):
        return None
    if decided is not None and decided.cause:
        return decided.cause
    if decided is not None and decided.action == rules.MODIFY:
        return causes.SHADOWED
    return rules.explain_expected(canonical, profile.type, contexts)[0] if decided is None else causes.NO_RULE
