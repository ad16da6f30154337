"""Read the facts from a sos report.  A fact that it does not hold is never guessed: ``unseen`` gives the reason."""

import json
import os
import re
from contextlib import contextmanager

from ..doors import report
from ..doors.profilefiles import ADMIN_DIR, VENDOR_DIR
from ..model import lsof, reportdenials, reporttexts
from ..model.denials import Denial, select
from ..model.errors import Refused
from ..model.labelcache import COMPILED, TEXTS, Written
from ..model.profiles import Profiles, SocketProfile, parse
from ..model.reportfiles import Report
from ..model.reporttexts import SELinuxState
from ..model.typed import Any, Callable, Dict, Iterator, List, Optional, Value
from .reportunits import ReportUnits
from .reportwants import wanted

_PROCESS = "sos_commands/process/"
# The newest name first: sos does not pass -b since 4.1.
_LSOF = ("lsof_M_-n_-l_-c", "lsof_-b_M_-n_-l_-c", "lsof_M_-n_-l", "lsof_-b_M_-n_-l")
_SELINUX = "sos_commands/selinux/"
_PLUGIN = "sos_commands/foreman_selinux_helpers/"
# sos clean replaces the names of users by this in any text, also in the rules for /run/USER.pid.
_OBFUSCATED = b"obfuscateduser"
_PACKAGES = ("systemd", "libselinux", "libselinux1", "selinux-policy", "selinux-policy-targeted",
             "selinux-policy-default", "foreman-selinux", "pulpcore-selinux", "foreman-selinux-helpers")


class Machine(Value):
    """The host of a report; times are in seconds since the epoch.

    ``family``: the family of its distribution.
    """

    hostname: Optional[str]
    family: str
    taken: Optional[float]
    booted: Optional[float]


class ReportSource:
    """One report, read once; each method parses what it needs.

    ``unseen``: the facts that were needed and are missing, with reasons; ``obfuscated``: sos clean has replaced names.
    """

    def __init__(self, found: Report) -> None:
        self.report = found
        self.unseen: List[str] = []
        self._parsed: Dict[str, Any] = {}
        if found.ignored:
            self._miss("%d files of the archive, such as %r: their names lead out of it" % (len(found.ignored),
                                                                                         found.ignored[0]))
        self.obfuscated = "-obfuscated" in os.path.basename(found.location) or any(
            _OBFUSCATED in file.content for file in found.files.values())
        if self.obfuscated:
            self._miss("names that sos clean has replaced in the report: paths and rules may have changed, and binary "
                       "files such as the policy were removed")
        for path, reason in sorted(found.unreadable.items())[:5]:
            self._miss("%s in the report: %s" % (path, reason))

    @classmethod
    def open(cls, location: str) -> "ReportSource":
        """Read the report in a directory or an archive; raise UsageError if it is not a report."""
        return cls(report.read(location, wanted))

    def _once(self, what: str, parse: Callable[[], Any]) -> Any:
        """Return what a function returns: it is called only the first time, as the texts may be large."""
        if what not in self._parsed:
            self._parsed[what] = parse()
        return self._parsed[what]

    def _miss(self, what: str) -> None:
        if what not in self.unseen:
            self.unseen.append(what)

    def _text(self, what: str, *paths: str) -> Optional[str]:
        """Return the text of the first of these files that exists; if none does, record what is missing."""
        text = self.report.text(*paths)
        if text is None:
            self._miss("%s: the report has no %s" % (what, paths[0]))
        return text

    # -- the host ----------------------------------------------------------------------------

    def machine(self) -> Machine:
        """Return the host of the report, and when the report was made."""
        text = self.report.text
        # The output of lsof shows the state at the time of the call.
        made = [file.modified for name, file in self.report.files.items() if name.startswith("sos_commands/")]
        hostname = text("hostname", "sos_commands/host/hostname", "sos_commands/general/hostname")
        return Machine((hostname or "").strip() or None, reporttexts.os_family(text("etc/os-release",
                                                                                  "usr/lib/os-release") or ""),
                       reporttexts.taken_at(self._clock()) or max(made, default=None),
                       reporttexts.boot_time(text("proc/stat") or ""))

    def _clock(self) -> str:
        return self.report.text("sos_commands/systemd/timedatectl", "sos_commands/date/timedatectl") or ""

    def selinux(self) -> SELinuxState:
        """Return the mode and the policy type; without sestatus, the type is that of the configuration file."""
        config = reporttexts.selinux_config(self.report.text("etc/selinux/config") or "")
        now = reporttexts.sestatus(self.report.text(*self._of_selinux("sestatus", "sestatus_-b", "sestatus_-v")) or "")
        if now.mode is None:
            self._miss("whether SELinux is enforcing: the report has no output of sestatus")
        return SELinuxState(now.mode, now.policy or config.policy)

    def booleans(self) -> Dict[str, bool]:
        """Return the booleans by name."""
        text = self._text("booleans", *self._of_selinux("sestatus_-b", "semanage_boolean_-l"))
        return reporttexts.booleans(text or "")

    def contexts_of_processes(self) -> Dict[int, str]:
        """Return the context of each process, by PID."""
        text = self._text("contexts of processes", *self._of_selinux("ps_auxZww"))
        return reporttexts.contexts_of_processes(text or "")

    def units(self) -> ReportUnits:
        """Return the units."""
        units: ReportUnits = self._once("units", lambda: ReportUnits(self.report))
        return units

    def labels_to_change(self) -> Dict[str, Any]:
        """Return (label, right label) of the paths that foreman-selinux-relabel would relabel."""
        return reporttexts.relabels(self.report.text("sos_commands/foreman/foreman-selinux-relabel_-nv") or "")

    @staticmethod
    def _of_selinux(*names: str) -> List[str]:
        return [place + name for place in (_SELINUX, _PLUGIN) for name in names]

    # -- label databases -----------------------------------------------------------------------

    def label_directory(self) -> Optional[str]:
        """Return the path of the file contexts on the host, or None if the policy type is not known.

        If no program reports the type, it is that of the databases that processes hold, if there is only one.
        """
        policy = self.selinux().policy
        if policy:
            return "/etc/selinux/%s/contexts/files" % policy
        listing = self.label_caches()
        directories = {os.path.dirname(file.path) for holder in listing.holders.values() for file in holder.held} \
            if listing else set()
        # A process may hold the databases of an image.
        directories = {directory for directory in directories
                       if re.match(r"/etc/selinux/[^/]+/contexts/files\Z", directory)}
        return directories.pop() if len(directories) == 1 else None

    def label_caches(self) -> Optional[lsof.Listing]:
        """Return which processes hold which label databases, or None if the report does not show it."""
        listing: Optional[lsof.Listing] = self._once("lsof", self._label_caches)
        return listing

    def _label_caches(self) -> Optional[lsof.Listing]:
        path = next((_PROCESS + name for name in _LSOF if self.report.file(_PROCESS + name)), None)
        file = self.report.file(path) if path else None
        if path is None or file is None:
            self._miss("label caches of processes: the report has no output of lsof")
            return None
        listing = lsof.parse(file.text.split("\n"), file.ended)
        incomplete = self._timed_out() or ("sos has cut it for its size" if self.report.cut(path) or not file.whole
                                           else listing.incomplete)
        if incomplete:
            self._miss("label caches of some processes: the output of lsof is incomplete (%s)" % incomplete)
        return listing._replace(incomplete=incomplete)

    def _timed_out(self) -> Optional[str]:
        """Return a message if lsof timed out under sos, or None: by the manifest (since sos 4.0) or the log."""
        manifest = self._json("sos_reports/manifest.json")
        for command in _members(manifest, "components", "report", "plugins", "process", "commands"):
            if isinstance(command, dict) and command.get("command") == "lsof" and command.get("return_code") == 124:
                return "it timed out"
        log = (self.report.text("sos_logs/sos.log") or "").split("\n")
        return "it timed out" if any("lsof " in line and "timed out" in line for line in log) else None

    def written(self, path: str) -> Optional[Written]:
        """Return when a file of the host was written, for labelcache.Texts; a report does not keep the ctime."""
        file = self.report.file(path)
        return Written(file.modified, file.modified) if file else None

    @contextmanager
    def root(self) -> Iterator[Optional[str]]:
        """Provide a temporary root directory with the policy and its rules, or None if the rules are not complete.

        The compiled databases are left out, so that libselinux reads the text: how it reads compiled ones depends on
        its version, and its reader is not made for files that are not trusted.
        """
        place = (self.label_directory() or "").lstrip("/")
        names = {name: self.report.file("%s/%s" % (place, name)) for name in TEXTS} if place else {}
        broken = [name for name in TEXTS if name in names and not _whole(names[name]) and (
            name == TEXTS[0] or names[name] or self.report.file("%s/%s%s" % (place, name, COMPILED)))]
        if not place or broken:
            self._miss("rules for labels: %s" % ("the report has no %s/%s, or not the whole of it" % (place, broken[0])
                                                 if place else "the policy type is not known"))
            yield None
            return
        paths = [name for name in self.report.files if name.startswith("etc/selinux/")]
        with report.unpacked(self.report, paths) as root:
            yield root

    def policy(self) -> Optional[str]:
        """Return the path of the newest compiled policy in the report, or None if there is none."""
        directory = self.label_directory() or "/etc/selinux/*/contexts/files"
        place = directory[1:-len("contexts/files")] + "policy"
        policies = [name for name, file in self.report.below(place).items() if _whole(file)]
        if not policies:
            self._miss("what the policy allows, and its types: the report has no whole %s/policy.*" % place)
            return None
        return "%s/%s" % (place, max(policies, key=lambda name: int(name.rpartition(".")[2])))

    def profiles(self) -> Profiles:
        """Return the profiles that were installed; one that cannot be read is left out and recorded as unseen."""
        texts: Dict[str, str] = {}
        for place in (VENDOR_DIR, ADMIN_DIR):
            texts.update((name, file.text) for name, file in self.report.below(place).items() if name.endswith(".conf"))
        by_unit: Dict[str, SocketProfile] = {}
        for name, text in sorted(texts.items()):
            try:
                by_unit.update((profile.unit, profile) for profile in parse(text, name[:-len(".conf")]))
            except Refused as refused:
                self._miss("the profile %s of the report: %s" % (name, refused.reason))
        return Profiles(list(by_unit.values()), [])

    # -- versions and denials ------------------------------------------------------------------

    def packages(self) -> Dict[str, str]:
        """Return the versions of the relevant packages, by name; those of RPMs have no epoch."""
        versions: Dict[str, str] = self._once("packages", self._packages)
        return versions

    def _packages(self) -> Dict[str, str]:
        rpms = self.report.text("installed-rpms", *(name for name in sorted(self.report.files) if re.match(
            r"sos_commands/rpm/(?:sh_-c_rpm_.*|package-data)\Z", name)))
        debs = self.report.text("installed-debs", "sos_commands/dpkg/dpkg_-l")
        if rpms is None and debs is None:
            self._miss("versions of packages: the report has neither installed-rpms nor installed-debs")
        return dict(reporttexts.rpm_evrs(rpms or "", _PACKAGES), **reporttexts.deb_versions(debs or "", _PACKAGES))

    def denials(self, path: str) -> List[Denial]:
        """Return the last denials for a socket, the oldest first."""
        for records in self._once("denials", self._denials):
            denied = select(records, path, 0)
            if denied:
                return denied
        return []

    def _denials(self) -> List[List[str]]:
        """Return the records of denials in each file that may have some, the most complete file first."""
        offset, taken = reporttexts.utc_offset(self._clock()), self.machine().taken
        sources = ["var/log/audit/audit.log"] + [
            name for place in ("auditd/ausearch", "logs/journalctl") for name in sorted(self.report.files)
            if name.startswith("sos_commands/" + place)]
        files = [file for file in map(self.report.file, sources) if file]
        if not files:
            self._miss("denials: the report has no audit log, no output of ausearch, and no journal")
        return [reportdenials.records(file.text.split("\n"), offset, taken) for file in files]

    # -- the output of our own plugin ----------------------------------------------------------

    def document(self, verb: str) -> Optional[Dict[str, Any]]:
        """Return the document that a verb (status, stale, detect) printed on the host, or None."""
        document = self._once(verb, lambda: self._json(_PLUGIN + verb + ".json"))
        if not isinstance(document, dict) or "error" in document:
            return None
        return document if (document.get("schema"), document.get("command")) == (1, verb) else None

    def _json(self, path: str) -> Any:
        try:
            return json.loads(self.report.text(path) or "null")
        except (ValueError, RecursionError):
            self._miss("%s in the report: it is not JSON" % path)
            return None


def _whole(file: Any) -> bool:
    return file is not None and file.whole and bool(file.content)


def _members(value: Any, *names: str) -> List[Any]:
    """Return the list that these nested names lead to; it is empty if there is no list."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, list) else []
