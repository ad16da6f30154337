"""Read the facts from this host or from an image of a host.  Nothing is changed."""

import os
from contextlib import closing

from ..doors import labelfiles, ownership, procfs, restartjournal, selinuxlib, unixsockets
from ..doors.policydb import CompiledPolicy
from ..doors.run import Runner
from ..doors.systemd import Systemd
from ..model import decisions, evidence, labelcache, plan, wants
from ..model.facts import Dates, Facts, Host, InitFacts, RuleFacts
from ..model.filecontexts import type_of
from ..model.labelcache import NONE, LabelCache, Wrong
from ..model.profiles import SocketProfile, unprofiled
from ..model.refresh import Build
from ..model.rules import FileContexts
from ..model.sockets import RELABEL_ONLY, SameType
from ..model.typed import TYPE_CHECKING, Dict, List, Mapping, Optional, Sequence, Tuple
from . import sockets
from .filecontexts import FileContextsOnDisk

if TYPE_CHECKING:
    from ..model.access import ClientFacts
    from .pathfacts import HostPaths
    from .systemdbuild import Detection

_NOT_LOOKED_AT = LabelCache(labelcache.UNKNOWN, ["not looked at: PID 1 is not ours here"])


class HostSource:
    """One host, and the profiles that facts are read for.

    ``known_units``: the units of all profiles of the host; rules for other units are abandoned.  None if a profile is
    broken, so that this is not known.
    """

    def __init__(self, host: Host, profiles: Sequence[SocketProfile], known_units: Optional[Sequence[str]],
                 runner: Runner) -> None:
        self.host = host
        self.systemd = Systemd(runner)
        self._profiles = profiles
        self._known_units = known_units
        self._runner = runner
        self._detection: "Optional[Detection]" = None
        self.same_type = CompiledPolicy(host.root, host.policy_type or "").same

    def everything(self) -> "HostSource":
        """Return the same host as a source of facts about all loaded units, with a profile or without."""
        return self.of([*self._profiles, *self._others()], self._known_units)

    def others(self) -> "HostSource":
        """Return the same host as a source of facts about the units without a profile."""
        return self.of(self._others())

    def _others(self) -> List[SocketProfile]:
        profiled = {profile.unit for profile in self._profiles}
        return [unprofiled(unit, RELABEL_ONLY) for unit, paths in sorted(self.listening_paths().items())
                if paths and unit not in profiled]

    def read_everything(self) -> Facts:
        """Read the sockets of these units, and those in /run that no unit creates."""
        facts = self.read()
        if self.host.offline:
            return facts._replace(hidden=["socket units without a profile: systemd is not asked here"])
        from . import foreign

        with closing(self.on_disk()) as on_disk:
            wrong, unread = foreign.read(on_disk.contexts(facts.rules.local), {view.path for view in facts.sockets})
        return facts._replace(foreign=wrong, hidden=[*facts.hidden, *([unread] if unread else [])])

    def on_disk(self) -> FileContextsOnDisk:
        """Open the file contexts; the caller closes them."""
        return FileContextsOnDisk(self.host)

    def of(self, profiles: Sequence[SocketProfile], known_units: Optional[Sequence[str]] = None) -> "HostSource":
        """Return the same host as a source of facts about other profiles' sockets."""
        return HostSource(self.host, profiles, known_units, self._runner)

    @property
    def detection(self) -> "Detection":
        """The detection of the running and installed systemd; loaded at first use."""
        if self._detection is None:
            from .systemdbuild import Detection

            self._detection = Detection(self.host.root, self.systemd, self._runner)
        return self._detection

    def read(self) -> Facts:
        """Read everything about the sockets of the profiles."""
        facts = self._nothing()
        if self.host.policy_type is not None:
            with closing(self.on_disk()) as on_disk:
                facts, contexts = self._read_rules(on_disk)
                facts = self._read_build(self._read_sockets(facts, on_disk, contexts))
        return facts._replace(stopped=self.read_stopped())

    def read_rules(self) -> Facts:
        """Read only the facts about the rules."""
        if self.host.policy_type is None:
            return self._nothing()
        with closing(self.on_disk()) as on_disk:
            return self._read_rules(on_disk)[0]

    def read_cache(self, facts: Facts, others: Mapping[str, str] = NONE) -> Facts:
        """Return the facts with PID 1's label cache as it is now.

        ``others``: the contexts that PID 1 should give to further sockets, by path.
        """
        if self.host.offline:
            return facts
        directory = facts.init.directory
        wanted = dict(others, **facts.wanted_contexts)
        cache = read_cache(directory, wanted, self.same_type)
        return self._read_build(facts._replace(init=facts.init._replace(cache=cache, dates=_dates(directory))))

    def read_expected(self, paths: Sequence[str]) -> Dict[str, str]:
        """Return libselinux's answers for sockets at these paths; paths without a label are left out."""
        if self.host.policy_type is None or not paths:
            return {}
        with closing(self.on_disk()) as on_disk:
            answers = {path: on_disk.lookup(path) for path in paths}
        return {path: context for path, context in answers.items() if context}

    def read_build(self, facts: Facts) -> Facts:
        """Return the facts with the running systemd, and the remedies that were tried for its label cache."""
        from ..doors import attempts

        init = facts.init
        return facts._replace(init=init._replace(
            build=self.running(), generation=labelfiles.generation(init.directory),
            attempts=attempts.load(procfs.mapped_at(1)), dates=init.dates._replace(booted=procfs.booted_at())))

    def read_systemd(self, facts: Facts) -> Facts:
        """Return the facts with the running and the installed systemd."""
        return facts._replace(systemd=self.detection.facts(self.host.offline))

    def read_processes(self) -> Facts:
        """Return facts about the processes that label by rules, and nothing else."""
        facts = self._nothing()
        if self.host.offline or self.host.policy_type is None:
            return facts
        from . import processes

        directory = selinuxlib.label_directory(self.host.root, self.host.policy_type)
        held = processes.read(directory, processes.Sockets(self.host.root, self.host.policy_type, self._all_paths))
        if held.outdated:
            held = held._replace(policy_load_due=_dates(directory).policy_load_due)
        if any(holder.program.systemd for holder in held.outdated):
            held = held._replace(build=self.running())
        return facts._replace(processes=held)

    def _all_paths(self) -> List[str]:
        listened = [path for paths in self.listening_paths().values() for path in paths]
        return list(dict.fromkeys(listened + [path for profile in self._profiles for path in profile.paths]))

    def listening_paths(self) -> Mapping[str, Sequence[str]]:
        """Return the paths of all loaded socket units, by unit; empty if the manager is not that of this host."""
        return self.systemd.listening_paths() if self.host.own_root and self.host.booted else {}

    def running(self) -> Build:
        """Return the running systemd."""
        return self.detection.running(self.host.offline)

    def paths(self, on_disk: FileContextsOnDisk) -> "HostPaths":
        """Return the source of facts about one path on this host."""
        from .pathfacts import HostPaths

        return HostPaths(self.host, on_disk, self._runner)

    def _read_build(self, facts: Facts) -> Facts:
        """Read systemd's facts if a remedy may be needed: this runs a program and opens the package database."""
        needed = self.host.offline is None and (not facts.cache.harmless or plan.rule_steps(facts.rules.decisions))
        return self.read_build(facts) if needed else facts

    def _nothing(self) -> Facts:
        return Facts(self.host, RuleFacts(), InitFacts(_NOT_LOOKED_AT), self.same_type, os.geteuid() == 0)

    def read_stopped(self) -> List[str]:
        """Return the units that an interrupted restart has left stopped."""
        return [] if self.host.offline else restartjournal.units()

    def _read_rules(self, on_disk: FileContextsOnDisk) -> Tuple[Facts, FileContexts]:
        """Read the units and the rules for their sockets."""
        host = self.host
        record = ownership.load(host.root, host.policy_type or "")
        local = on_disk.store.local_rules()
        units = self.systemd.socket_units([profile.unit for profile in self._profiles]) \
            if host.own_root and host.booted else {}
        contexts = on_disk.contexts(local, record.ours(local))
        wanted = wants.wanted(self._profiles, units, record, local, contexts.equivalences)
        loaded = {name for name, unit in units.items() if unit.load == "loaded"}
        decided = decisions.decide(
            wanted, contexts, record,
            abandoned=lambda unit: self._known_units is not None and unit not in self._known_units,
            complete=lambda unit: unit in loaded)
        return self._nothing()._replace(
            rules=RuleFacts(record, local, decided), units=units,
            init=InitFacts(_NOT_LOOKED_AT, on_disk.database.directory)), contexts

    def _read_sockets(self, facts: Facts, on_disk: FileContextsOnDisk, contexts: FileContexts) -> Facts:
        """Read the sockets and PID 1's label cache."""
        live = self.host.offline is None  # the labels of an image or a chroot mean nothing
        units, directory = facts.units, facts.init.directory
        listeners = unixsockets.Listeners(1) if units and live else None
        by_context = {name: sockets.labelled_by_context(unit, self.systemd) for name, unit in units.items()}
        programs = {name: sockets.program_of(unit, on_disk) for name, unit in units.items()
                    if by_context[name] is False}
        executables = {name: program for name, program in programs.items() if program}
        labels = {name: sockets.expected_socket_label(unit, by_context[name], executables.get(name))
                  for name, unit in units.items()}
        dates = _dates(directory) if live else Dates()
        context = sockets.Context(contexts, facts.rules.decisions, listeners, dates.rules_in_force_since, live)
        views = [sockets.unless_from_net(view, self.systemd) for profile in self._profiles for view in sockets.read(
            profile, units.get(profile.unit), labels.get(profile.unit), context)]
        facts = facts._replace(sockets=views, executables=executables)
        if not live:
            return facts
        cache = read_cache(directory, facts.wanted_contexts, contexts.same_type)
        return facts._replace(clients=self._read_clients(facts, on_disk),
                              init=facts.init._replace(cache=cache, dates=dates))

    def _read_clients(self, facts: Facts, on_disk: FileContextsOnDisk) -> "Dict[str, ClientFacts]":
        """Check whether the policy lets the clients that profiles name connect."""
        clients_by_path = {}
        for view in facts.sockets:
            if view.wanted.client and view.seen.exists and view.present:
                from . import clients

                clients_by_path[view.path] = clients.read(view.wanted.client, view, on_disk.database.directory_label)
        return {path: client for path, client in clients_by_path.items() if client}


def read_cache(directory: str, wanted: Mapping[str, str], same_type: SameType) -> LabelCache:
    """Compare PID 1's label cache with the files on disk; if it is not fresh, look up sockets in it.

    ``wanted``: the contexts that the sockets should have, by path.
    """
    mapped = procfs.held_label_files(1)
    cache = labelfiles.read(1, directory, mapped)
    if cache.state == labelcache.FRESH or not mapped or os.geteuid() != 0:
        return cache
    from ..doors import heldcopy

    held = heldcopy.ask(1, list(wanted), directory)
    if held.unseen:
        return cache._replace(unasked=held.unseen, evidence=[*cache.evidence, "%s" % held.unseen])
    wrong = [Wrong(path, held.answers[path], context) for path, context in wanted.items()
             if not same_type(type_of(held.answers[path] or ""), type_of(context))]
    return cache._replace(answers=held.answers, wrong=wrong, evidence=[
        *map(evidence.would_label, wrong), *cache.evidence, *([held.assumed] if held.assumed else [])])


def _dates(directory: str) -> Dates:
    return Dates(labelfiles.changed_at(directory), selinuxlib.policy_loaded_at())
