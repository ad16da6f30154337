"""A sos report as the source of facts for status, explain, stale and detect, without access to the host."""

from contextlib import contextmanager

from ..doors import labeldatabase, selinuxlib
from ..doors.ruletexts import RuleTexts
from ..doors.run import Runner
from ..model import labelcache, sosfacts, wants
from ..model.errors import HelperError
from ..model.facts import Dates, Facts, Host
from ..model.labelcache import NONE, LabelCache
from ..model.processfacts import Holder, ProcessFacts, Program
from ..model.profiles import SocketProfile
from ..model.refresh import INSTALLED, RUNNING, UNKNOWN, Build, Known, SystemdFacts, build
from ..model.rules import FileContexts
from ..model.sockets import ForeignSocket, SocketView
from ..model.typed import Dict, Iterator, List, Mapping, Optional, Sequence, Tuple
from ..model.units import SocketUnit
from ..model.winner import Order
from .filecontexts import FileContextsOnDisk
from .host import HostSource
from .report import ReportSource
from .reportunits import ReportUnits
from .sospaths import SosPaths, ask_policy

OURS = "foreman-selinux-helpers"


@contextmanager
def opened(location: str) -> "Iterator[Tuple[Host, ReportSource]]":
    """Open a report, and unpack its policy and rules while it is open; raise UsageError if it is not a report."""
    report = ReportSource.open(location)
    with report.root() as root:
        state = report.selinux()
        directory = report.label_directory()
        # .../TYPE/contexts/files
        policy = directory.split("/")[-3] if root and directory else None
        machine = report.machine()
        notes = ["the report is of %s" % machine.hostname] if machine.hostname else []
        if state.mode == "disabled":
            notes.append("SELinux was disabled on that host")
        if policy and not _binding():
            notes.append("this program worked out which rules win: the Python binding of libselinux is missing here")
        if OURS not in report.packages():
            notes.append("%s is not installed on that host: commands of it take that first" % OURS)
        yield Host(root or "/nonexistent", policy, state.mode != "disabled", True, None, notes, location), report


def _binding() -> bool:
    try:
        selinuxlib.binding()
    except HelperError:
        return False
    return True


class _Units:
    """The units of a report, with the methods of the manager."""

    def __init__(self, units: ReportUnits) -> None:
        self._units = units
        self._loaded = units.socket_units()

    def socket_units(self, names: Sequence[str]) -> Dict[str, SocketUnit]:
        """Return socket units by name; those that are not loaded may or may not exist."""
        return {name: self._loaded.get(name, SocketUnit(name, "not-found", "", (), None)) for name in names}

    def listening_paths(self) -> Dict[str, Tuple[str, ...]]:
        """Return the paths of all loaded socket units, or of all unit files if the loaded units are not known."""
        if self._loaded:
            return {name: unit.paths for name, unit in self._loaded.items()}
        return self._units.listened_by_files()


class SosSource(HostSource):
    """One report, and the profiles that facts are read for."""

    def __init__(self, host: Host, report: ReportSource, profiles: Sequence[SocketProfile], runner: Runner) -> None:
        super().__init__(host, profiles, None, runner)
        self.report = report
        self.units = report.units()
        self.systemd = _Units(self.units)  # type: ignore[assignment]
        packages = report.packages()
        self._systemd = packages.get("systemd")
        self._libselinux = packages.get("libselinux") or packages.get("libselinux1")

    def of(self, profiles: Sequence[SocketProfile], known_units: Optional[Sequence[str]] = None) -> HostSource:
        """Return the same report as a source of facts about other profiles' sockets."""
        return SosSource(self.host, self.report, profiles, self._runner)

    def read(self) -> Facts:
        """Read the facts about the sockets; without rules, read only PID 1's label cache."""
        if self.host.policy_type is not None:
            return super().read()
        facts = self._nothing()
        return facts._replace(init=facts.init._replace(cache=self._cache()), hidden=self._hidden())

    def on_disk(self) -> FileContextsOnDisk:
        """Open the file contexts of the report."""
        return FileContextsOnDisk(self.host, labeldatabase.LabelDatabase if _binding() else self._texts)

    def _texts(self, root: str, policy: str, without: Sequence[Tuple[str, str]] = ()) -> labeldatabase.LabelDatabase:
        return RuleTexts(root, policy, self._order, without)

    def _order(self) -> Order:
        """Return how that host's libselinux orders rules: since 3.8 by a tree of directories (winner.Order)."""
        return sosfacts.order(self._libselinux or "")

    def paths(self, on_disk: FileContextsOnDisk) -> SosPaths:
        """Return the source of facts about one path in this report."""
        return SosPaths(self.host, on_disk, self._runner, self.report)

    def read_everything(self) -> Facts:
        """Read the sockets of all loaded units, and other sockets if status on the host listed them."""
        facts = self.read()
        document = self.report.document("status")
        if document and isinstance(document.get("foreign"), list):
            return facts._replace(foreign=[
                ForeignSocket(*map(str, (socket["path"], socket["path_label"], socket["expected"])))
                for socket in document["foreign"]])
        return facts._replace(foreign=[], hidden=[*facts.hidden, "sockets that no unit makes: the report has no list"])

    def running(self) -> Build:
        """Return the systemd that was running."""
        return self._build(self.units.manager_version() or self._systemd, RUNNING)

    def _build(self, version: Optional[str], which: str) -> Build:
        if not version:
            return Build(None, None, UNKNOWN, ["the report does not tell"])
        from ..doors import packages

        known = Known(self.report.machine().family, packages.evr_comparison(), packages.upstream(self._libselinux),
                      self._systemd)
        return build(version, which, known, self._systemd)

    def read_systemd(self, facts: Facts) -> Facts:
        """Return the facts with the systemd that was running, and the one that was installed."""
        return facts._replace(systemd=SystemdFacts(
            self.running(), self._build(self._systemd, INSTALLED), self._libselinux, False, True))

    def read_stopped(self) -> List[str]:
        """Return nothing: a report does not hold the units that an interrupted restart left stopped."""
        return []

    def read_build(self, facts: Facts) -> Facts:
        """Return the facts with the systemd that ran."""
        return facts._replace(init=facts.init._replace(build=self.running()))

    def read_cache(self, facts: Facts, others: Mapping[str, str] = NONE) -> Facts:
        """Return the facts as they are: a report does not change."""
        return facts

    def _nothing(self) -> Facts:
        return super()._nothing()._replace(privileged=True)

    def _hidden(self) -> List[str]:
        return [*self.report.unseen, *([self.units.unseen] if self.units.unseen else [])]

    def _read_sockets(self, facts: Facts, on_disk: FileContextsOnDisk, contexts: FileContexts) -> Facts:
        """Read the facts that the report holds about the sockets, and PID 1's label cache."""
        known = sosfacts.labels(self.report.document("status"), self.report.labels_to_change())
        views = [self._view(profile, path, facts, contexts, known) for profile in self._profiles
                 for path in wants.listened_paths(profile, facts.units.get(profile.unit))]
        facts = facts._replace(sockets=views, init=facts.init._replace(cache=self._cache(), dates=Dates()))
        asked = [(view.wanted.client, view) for view in views if view.wanted.client and view.present]
        clients, fault = ask_policy(asked, self.host, self.report, on_disk)
        return facts._replace(clients=clients, hidden=[*self._hidden(), *([fault] if fault else [])])

    def _view(self, profile: SocketProfile, path: str, facts: Facts, contexts: FileContexts,
              known: sosfacts.Labels) -> SocketView:
        unit = facts.units.get(profile.unit)
        expected = contexts.lookup(path)
        wanted = wants.of_socket(profile, path, expected, facts.rules.decisions, contexts)
        return SocketView(profile.unit, profile.profile, path, expected,
                          sosfacts.seen(path, unit, known, self.report.denials(path)), wanted)

    def _cache(self) -> LabelCache:
        """Return PID 1's label cache: from the output of status on the host, or else from lsof."""
        document = self.report.document("status")
        told = sosfacts.label_cache(document) if document else None
        if told:
            return told
        listing = self.report.label_caches()
        directory = self.report.label_directory()
        if listing is None or directory is None:
            return LabelCache(labelcache.UNKNOWN, ["the report does not tell which label database PID 1 held"])
        holder = listing.holders.get(1)
        if holder is None and listing.incomplete:
            return LabelCache(labelcache.UNKNOWN, ["lsof does not tell of PID 1: %s" % listing.incomplete])
        return labelcache.compare(holder.held if holder else [], listing.on_disk.get, directory)

    def read_processes(self) -> Facts:
        """Return facts only about the processes that label by rules, from lsof."""
        facts = self._nothing()
        listing, directory = self.report.label_caches(), self.report.label_directory()
        if listing is None or directory is None:
            return facts._replace(processes=ProcessFacts(), hidden=self._hidden())
        outdated: List[Holder] = []
        unknown: List[str] = []
        fresh = 0
        units = self.units.process_units()
        for pid, holder in sorted(listing.holders.items()):
            cache = labelcache.compare(holder.held, listing.on_disk.get, directory)
            fresh += cache.state == labelcache.FRESH
            unknown += filter(None, [labelcache.why_unknown(cache, holder.held, directory)])
            if cache.state == labelcache.STALE:
                systemd = pid == 1 or holder.comm.startswith("systemd")
                program = Program(pid, units.get(pid), "root", holder.user_id or 0, systemd, pid == 1)
                outdated.append(Holder(program, holder.comm, cache, [file.path for file in holder.held], None,
                                       unasked="a report does not hold its copy"))
        process_facts = ProcessFacts(outdated, fresh, 0, unknown, build=self.running() if outdated else None)
        return facts._replace(processes=process_facts, hidden=self._hidden())
