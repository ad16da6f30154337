"""Look at everything that matters on a host, changing nothing."""

import os
import stat
from typing import Callable, Collection, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ..doors import labeldatabase, labelfiles, labels, ownership, procfs, selinuxlib, trust, unixsockets
from ..doors.policydb import CompiledPolicy
from ..doors.policystore import Store
from ..doors.systemd import Systemd
from ..model import labelcache, rules
from ..model.equivalence import Equivalences
from ..model.errors import HelperError
from ..model.facts import Host, Observation
from ..model.filecontexts import ALL_FILES, Rule, type_of
from ..model.labelcache import LabelCache, Wrong
from ..model.profiles import SocketProfile
from ..model.record import Key, Record
from ..model.refresh import ON_POLICY_LOAD, Prediction
from ..model.rules import Decision, Policy, Want
from ..model.sockets import Executable, SocketView
from ..model.units import SocketUnit


class Policies:
    """The file contexts on disk of one host, opened when they are first asked for."""

    def __init__(self, host: Host) -> None:
        self.store = Store(host.root, host.policy or "")
        self.database = labeldatabase.LabelDatabase(host.root, host.policy or "")
        self.compiled = CompiledPolicy(host.root, host.policy or "")
        self._host = host
        self._without: Optional[labeldatabase.LabelDatabase] = None
        self._labels: Dict[str, Optional[str]] = {}
        self._rules: Dict[str, List[Rule]] = {}

    def close(self) -> None:
        """Close what is open."""
        self.database.close()
        if self._without is not None:
            self._without.close()

    def view(self, local: Sequence[Rule], ours: Collection[Key] = ()) -> Policy:
        """Return the policy as the pure code sees it; ``ours``: which of the local rules are ours."""
        return Policy(self.lookup, self.compiled.primary, self.compiled.same, lambda name: self.rules_for(name, local),
                      local, self.database.equivalences(), self.compiled.mls,
                      lambda path: self.lookup_without(ours, path), self.effective)

    def lookup(self, path: str) -> Optional[str]:
        """Return what libselinux answers for a socket; it is asked once."""
        if path not in self._labels:
            self._labels[path] = self.database.lookup(path)
        return self._labels[path]

    def lookup_without(self, gone: Collection[Key], path: str) -> Optional[str]:
        """Return what libselinux would answer for a socket if these local rules were not there."""
        if not gone:
            return self.lookup(path)
        if self._without is None:
            self._without = labeldatabase.LabelDatabase(self._host.root, self._host.policy or "", gone)
        return self._without.lookup(path)

    def effective(self, path: str) -> Tuple[Optional[str], Optional[Rule]]:
        """Return the file type under which a local rule for a canonical path wins; see winner.local_file_type()."""
        from ..doors import behaviour

        try:
            order = behaviour.label_order()
        except HelperError:
            return ALL_FILES, None  # whether it wins is asked again once it is committed
        if order.local_wins:
            return ALL_FILES, None
        from ..model.winner import Library, local_file_type

        return local_file_type(self.database.rules(), path, self.database.file(".local"),
                               Library(behaviour.regex_matches, behaviour.label_order))

    def rules_for(self, type_name: str, local: Sequence[Rule]) -> List[Rule]:
        """Return the policy's own rules, and the local ones, that give a type."""
        if type_name not in self._rules:
            names = {type_name, *self.compiled.names(type_name)}
            self._rules[type_name] = self.database.rules(labeldatabase.POLICY_RULES, names) \
                + [one for one in local if type_of(one.context) in names]
        return self._rules[type_name]


def observe(host: Host, profiles: Sequence[SocketProfile], known_units: Optional[Sequence[str]],
            systemd: Systemd, rules_alone: bool = False) -> Observation:
    """Look at the sockets of these profiles, or, with ``rules_alone``, only at the rules for them.

    ``known_units`` are the units of all profiles of the host, so that rules for others are known
    to be abandoned; None when a profile is broken and that cannot be told.
    """
    nothing = LabelCache(labelcache.UNKNOWN, ["not looked at: PID 1 is not ours here"])
    if host.policy is None:
        return Observation(host, Record({}, {}), (), (), {}, (), {}, nothing, "", False)
    policies = Policies(host)
    try:
        return _observe(host, profiles, known_units, systemd, policies, nothing, rules_alone)
    finally:
        policies.close()


def _observe(host: Host, profiles: Sequence[SocketProfile], known_units: Optional[Sequence[str]],
             systemd: Systemd, policies: Policies, nothing: LabelCache, rules_alone: bool) -> Observation:
    record = ownership.load(host.root, host.policy or "")
    local = policies.store.local_rules()
    units = systemd.socket_units([one.unit for one in profiles]) if host.own_root and host.booted else {}
    policy = policies.view(local, record.ours(local))
    wants = _wants(profiles, units, record, local, policy.equivalences)
    seen = {name for name, unit in units.items() if unit.load == "loaded"}
    decisions = rules.decide(
        wants, policy, record,
        abandoned=lambda unit: known_units is not None and unit not in known_units,
        complete=lambda unit: unit in seen)
    if rules_alone:
        return Observation(host, record, local, decisions, units, (), {}, nothing, policies.database.directory, False)
    live = host.offline is None  # elsewhere labels mean nothing
    listeners = unixsockets.Listeners(1) if units and live else None
    by_context = {name: _labelled_by_context(unit, systemd) for name, unit in units.items()}
    executables = {name: found for name, found in ((name, _executable(unit, policies)) for name, unit in units.items()
                                                   if by_context[name] is False) if found}
    labels = {name: _expected_socket_label(unit, by_context[name], executables.get(name))
              for name, unit in units.items()}
    changed_at = _rules_in_force_since(policies.database.directory)
    views = [view for one in profiles for view in _views(
        one, units.get(one.unit), decisions, policies, policy, listeners, labels.get(one.unit), changed_at, live)]
    views = [_unless_from_net(view, systemd) for view in views]
    cache = look_at_cache(policies.database.directory, wanted_contexts(views), policy.same_type) if live else nothing
    relevant = live and any(view.rule_cause != rules.NO_SUCH_TYPE for view in views)
    return Observation(host, record, local, decisions, units, views, executables, cache,
                       policies.database.directory, relevant)


def wanted_contexts(views: Sequence[SocketView]) -> Dict[str, str]:
    """Return the contexts that PID 1 should give to sockets, by path."""
    return {view.path: view.wanted for view in views if view.wanted and not view.idle}


def _wants(profiles: Sequence[SocketProfile], units: Dict[str, SocketUnit], record: Record,
           local: Sequence[Rule], equivalences: Equivalences) -> List[Want]:
    wants: List[Want] = []
    unseen = set()
    for one in profiles:
        if not one.type:
            continue  # a unit without a profile: the policy alone says what is right
        wants.extend(Want(one.unit, one.profile, one.type, regex=regex) for regex in one.regexes)
        wants.extend(Want(one.unit, one.profile, one.type, path, named=_names(one, path, equivalences))
                     for path in _paths(one, units.get(one.unit)))
        unit = units.get(one.unit)
        if unit is None or unit.load != "loaded":
            unseen.add(one.unit)
    types = {one.unit: one.type for one in profiles}
    return wants + rules.wants_of_ours(record, local, unseen, types, equivalences)


def _names(profile: SocketProfile, path: str, equivalences: Equivalences) -> bool:
    """Tell whether the profile itself speaks of a path, and not only of the unit that listens there."""
    canonical = equivalences.canonical(path)
    return canonical in map(equivalences.canonical, profile.paths) or any(
        Rule(rules.canonical_regex(regex, equivalences), ALL_FILES, "").matches(canonical) for regex in profile.regexes)


def _paths(profile: SocketProfile, unit: Optional[SocketUnit]) -> List[str]:
    listened = unit.paths if unit and unit.load == "loaded" else ()
    return list(dict.fromkeys(tuple(listened) + profile.paths))


def _executable(unit: SocketUnit, policies: Policies) -> Optional[Executable]:
    service = unit.service
    if not service or not service.executable or not unit.paths:
        return None
    try:
        path = trust.real_path(service.executable)
        path.encode("utf-8")  # libselinux's Python binding takes no other
        label = labels.path_label(path)
    except (OSError, UnicodeError):
        return None
    expected = policies.database.lookup(path, stat.S_IFREG)
    if label and selinuxlib.is_customizable(label):
        expected = label  # restorecon(8) leaves such a label alone as well
    return Executable(path, label, expected)


def _views(profile: SocketProfile, unit: Optional[SocketUnit], decisions: Sequence[Decision],
           policies: Policies, policy: Policy, listeners: Optional[unixsockets.Listeners],
           expected_socket_label: Optional[str], changed_at: Optional[float], live: bool) -> List[SocketView]:
    loaded = unit is not None and unit.load == "loaded"
    views = []
    for path in _paths(profile, unit):
        canonical = policy.equivalences.canonical(path)
        expected = policy.lookup(path)
        decided = next((one for one in decisions if one.path == canonical), None)
        cause = _rule_cause(profile, expected, decided, canonical, policy)
        idle = cause == rules.NO_SUCH_TYPE
        wanted = decided.rule.context if decided and decided.action in (rules.ADD, rules.MODIFY) else expected
        if decided and decided.action == rules.REMOVE:
            wanted = policy.lookup_without_ours(path)
        if decided and decided.action == rules.SKIP and decided.reason.startswith("the regex"):
            wanted = decided.rule.context
        word = decided.own_word if decided else None
        listening = bool(listeners and loaded and unit and unit.listening and path in unit.paths)
        foreign = bool(listeners and not listening and listeners.anybody(path) and listeners.descriptor(path) is None)
        inode = _look_at(path) if live else _Inode(False)
        made_at, label = inode.made_at, inode.label
        keeps_labels = not label or not wanted or label == wanted or procfs.keeps_labels(os.path.realpath(path))
        held, socket_label = None, None
        if listening and listeners:
            descriptor = listeners.descriptor(path)
            held = descriptor is not None if os.geteuid() == 0 else None
            socket_label = labels.socket_label(1, descriptor) if descriptor is not None else None
        views.append(SocketView(
            profile.unit, profile.profile, path, type_of(word) if word and not idle else profile.type, listening,
            inode.exists, held, expected, wanted, label, socket_label, None if idle else expected_socket_label, cause,
            "never" if idle else profile.restart,
            bool(unit and unit.service and unit.service.active),
            bool(loaded and unit and path in unit.paths),
            made_at is not None and changed_at is not None and made_at > changed_at, foreign, keeps_labels,
            bool(listeners and listeners.datagram(path)), decided))
    return views


def _rule_cause(profile: SocketProfile, expected: Optional[str], decided: Optional[Decision], canonical: str,
                policy: Policy) -> Optional[str]:
    if not profile.type:
        return None
    if decided is not None and decided.action in (rules.REMOVE, rules.SKIP) and decided.cause == rules.NO_SUCH_TYPE:
        return decided.cause
    if decided is not None and decided.own_word:
        agreed = expected is not None and policy.same_type(type_of(expected), type_of(decided.own_word))
        return None if agreed else rules.SHADOWED
    if decided is not None and decided.action == rules.REMOVE:
        return decided.cause
    if expected is not None and policy.same_type(type_of(expected), profile.type):
        return None
    if decided is not None and decided.cause:
        return decided.cause
    if decided is not None and decided.action == rules.MODIFY:
        return rules.SHADOWED
    return rules.explain_expected(canonical, profile.type, policy)[0] if decided is None else rules.NO_RULE


def _labelled_by_context(unit: SocketUnit, systemd: Systemd) -> Optional[bool]:
    """Tell whether SELinuxContext= of the service labels the socket object, and not its program; None: not known."""
    context = unit.service.context if unit.service else ""
    if context == "":
        return False
    from ..doors import packages
    from ..model import refresh

    by_context = refresh.labels_by_context(systemd.version(), packages.evr_comparison())
    return by_context if context or by_context is False else None


def _expected_socket_label(unit: SocketUnit, by_context: Optional[bool],
                           executable: Optional[Executable]) -> Optional[str]:
    """Return the label that systemd would give a new socket object of this unit, or None where that is not known."""
    if by_context:
        return unit.service.context if unit.service else None
    label = executable.expected or executable.label if executable else None
    creator = procfs.context(1) if label else None
    return selinuxlib.created_socket_label(creator, label) if creator and label else None


def _unless_from_net(view: SocketView, systemd: Systemd) -> SocketView:
    """Return the view of a socket whose unit may have SELinuxContextFromNet=: its object has PID 1's own label then."""
    own = procfs.context(1) if view.socket_wrong(str.__eq__) else None
    if own is None or type_of(own) != type_of(view.socket_label or ""):
        return view
    from_net = systemd.takes_label_from_net(view.unit)
    return view._replace(expected_socket_label=None) if from_net is not False else view


# How long it may take, in seconds, from binding a socket to giving it its owner and mode.
_MAKING = 10.0


class _Inode(NamedTuple):
    """The socket at a path: is there one (None: we may not look), its label, and since when it is as it was made.

    ``made_at`` is None where somebody has changed its label or mode since.
    """

    exists: Optional[bool]
    made_at: Optional[float] = None
    label: Optional[str] = None


def _look_at(path: str) -> _Inode:
    try:
        status = os.lstat(path)
        if not stat.S_ISSOCK(status.st_mode):
            return _Inode(False)
        # Nobody writes to a socket's inode: it was last modified when it was bound.  Who changes its label later, or
        # its mode, changes its ctime: what it says then is not what it was made with.
        untouched = status.st_ctime - status.st_mtime < _MAKING
        return _Inode(True, status.st_mtime if untouched else None, labels.path_label(path))
    except PermissionError:
        return _Inode(None)
    except OSError:
        return _Inode(False)


def look_at_cache(directory: str, wanted: Mapping[str, str], same_type: Callable[[str, str], bool]) -> LabelCache:
    """Look at PID 1's label cache; where it is not fresh, ask its copy for the wanted sockets (contexts by path)."""
    mapped = procfs.held_label_files(1)
    cache = labelfiles.look(1, directory, mapped)
    if cache.state == labelcache.FRESH or not mapped or os.geteuid() != 0:
        return cache
    from ..doors import heldcopy

    held = heldcopy.ask(1, list(wanted), directory)
    if held.unseen:
        return cache._replace(unasked=held.unseen, evidence=[*cache.evidence, "%s" % held.unseen])
    wrong = [Wrong(path, held.answers[path], context) for path, context in wanted.items()
             if not same_type(type_of(held.answers[path] or ""), type_of(context))]
    return cache._replace(answers=held.answers, wrong=wrong, evidence=[
        *(would_label(one) for one in wrong), *cache.evidence, *([held.assumed] if held.assumed else [])])


def would_label(one: Wrong) -> str:
    """Say how PID 1 would label a socket."""
    return "PID 1 would label %s %s, not %s" % (
        one.path, type_of(one.held_answer or "") or "by no rule", type_of(one.expected or ""))


def _rules_in_force_since(directory: str) -> Optional[float]:
    """Return since when a PID 1 that renews its label cache must have had the rules on disk, or None if unknown."""
    changed, loaded = labelfiles.changed_at(directory), selinuxlib.policy_loaded_at()
    return loaded if changed is not None and loaded is not None and loaded >= changed else None


def policy_load_due(directory: str) -> bool:
    """Tell whether the kernel has not loaded a policy since the rules on disk changed."""
    changed, loaded = labelfiles.changed_at(directory), selinuxlib.policy_loaded_at()
    return changed is not None and (loaded is None or loaded < changed)


def renews_by_itself(observation: Observation, prediction: Prediction) -> bool:
    """Tell whether a stale-looking cache will be renewed at PID 1's next label look-up.

    So it is with systemd 246 and later once the kernel has loaded a policy.
    """
    return prediction.refresh == ON_POLICY_LOAD and not policy_load_due(observation.cache_directory)
