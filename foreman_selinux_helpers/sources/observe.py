"""Observes a host without changing it: the rules, the sockets, and PID 1's label cache."""

import os
from contextlib import closing

from ..doors import labelfiles, ownership, procfs, selinuxlib, unixsockets
from ..doors.systemd import Systemd
from ..model import causes, decisions, labelcache, rules
from ..model.equivalence import Equivalences
from ..model.facts import Host, Observation
from ..model.filecontexts import ALL_FILES, Rule, type_of
from ..model.labelcache import LabelCache, Wrong
from ..model.profiles import SocketProfile
from ..model.record import Record
from ..model.refresh import ON_POLICY_LOAD, Prediction
from ..model.rules import Policy, Want
from ..model.sockets import SocketView
from ..model.typed import Callable, Dict, List, Mapping, Optional, Sequence, Tuple
from ..model.units import SocketUnit
from . import socketviews
from .policies import Policies


def observe(host: Host, profiles: Sequence[SocketProfile], known_units: Optional[Sequence[str]],
            systemd: Systemd, rules_alone: bool = False) -> Observation:
    """Look at the sockets of these profiles, or, with ``rules_alone``, only at the rules for them.

    ``known_units`` are the units of all profiles of the host, so that rules for others are known
    to be abandoned; None when a profile is broken and that cannot be told.
    """
    if host.policy is None:
        return Observation(host, Record({}, {}), (), (), {}, (), {}, _not_looked_at(), "", False)
    with closing(Policies(host)) as policies:
        seen, policy = _rules(host, profiles, known_units, systemd, policies)
        return seen if rules_alone else _with_sockets(seen, profiles, systemd, policies, policy)


def _not_looked_at() -> LabelCache:
    return LabelCache(labelcache.UNKNOWN, ["not looked at: PID 1 is not ours here"])


def _rules(host: Host, profiles: Sequence[SocketProfile], known_units: Optional[Sequence[str]],
           systemd: Systemd, policies: Policies) -> Tuple[Observation, Policy]:
    """Look at the units and the rules for their sockets."""
    record = ownership.load(host.root, host.policy or "")
    local = policies.store.local_rules()
    units = systemd.socket_units([one.unit for one in profiles]) if host.own_root and host.booted else {}
    policy = policies.view(local, record.ours(local))
    wants = _wants(profiles, units, record, local, policy.equivalences)
    seen = {name for name, unit in units.items() if unit.load == "loaded"}
    decided = decisions.decide(
        wants, policy, record,
        abandoned=lambda unit: known_units is not None and unit not in known_units,
        complete=lambda unit: unit in seen)
    return Observation(host, record, local, decided, units, (), {}, _not_looked_at(), policies.database.directory,
                       False), policy


def _with_sockets(seen: Observation, profiles: Sequence[SocketProfile], systemd: Systemd, policies: Policies,
                  policy: Policy) -> Observation:
    """Look at the sockets as well."""
    live, units = seen.host.offline is None, seen.units  # elsewhere labels mean nothing
    listeners = unixsockets.Listeners(1) if units and live else None
    by_context = {name: socketviews.labelled_by_context(unit, systemd) for name, unit in units.items()}
    programs = {name: socketviews.program_of(unit, policies) for name, unit in units.items()
                if by_context[name] is False}
    executables = {name: found for name, found in programs.items() if found}
    expected = {name: socketviews.expected_socket_label(unit, by_context[name], executables.get(name))
                for name, unit in units.items()}
    looking = socketviews.Looking(policy, seen.decisions, listeners, _rules_in_force_since(seen.cache_directory), live)
    views = [socketviews.unless_from_net(view, systemd) for one in profiles for view in socketviews.views(
        one, units.get(one.unit), expected.get(one.unit), looking)]
    relevant = live and any(view.rule_cause != causes.NO_SUCH_TYPE for view in views)
    if live:
        seen = seen._replace(cache=look_at_cache(seen.cache_directory, wanted_contexts(views), policy.same_type))
    return seen._replace(views=views, executables=executables, relevant=relevant)


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
        names = _names(one, equivalences)
        wants.extend(Want(one.unit, one.profile, one.type, path, named=names(path))
                     for path in socketviews.listened_paths(one, units.get(one.unit)))
        unit = units.get(one.unit)
        if unit is None or unit.load != "loaded":
            unseen.add(one.unit)
    types = {one.unit: one.type for one in profiles}
    return wants + decisions.wants_of_ours(record, local, unseen, types, equivalences)


def _names(profile: SocketProfile, equivalences: Equivalences) -> Callable[[str], bool]:
    """Return what tells whether the profile itself names a path, and not only the unit that listens there."""
    paths = set(map(equivalences.canonical, profile.paths))
    regexes = [Rule(rules.canonical_regex(regex, equivalences), ALL_FILES, "") for regex in profile.regexes]

    def names(path: str) -> bool:
        canonical = equivalences.canonical(path)
        return canonical in paths or any(one.matches(canonical) for one in regexes)
    return names


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
