"""Facts from a sos report.  What a report does not hold is in ``unseen``, with the reason, and never guessed."""

import json
import os
import re
from contextlib import contextmanager

from ..doors import denials, report
from ..doors.profilefiles import ADMIN_DIR, VENDOR_DIR
from ..model import lsof, reportdenials, reporttexts
from ..model.errors import Refused
from ..model.labelcache import COMPILED, TEXTS, Written
from ..model.profiles import Profiles, SocketProfile, parse
from ..model.reportfiles import Report
from ..model.reporttexts import SELinuxState
from ..model.typed import Any, Dict, Iterator, List, Optional, Value
from .reportwants import wanted

_PROCESS = "sos_commands/process/"
# Newest name first: without -b since sos 4.1.
_LSOF = ("lsof_M_-n_-l_-c", "lsof_-b_M_-n_-l_-c", "lsof_M_-n_-l", "lsof_-b_M_-n_-l")
_SELINUX = "sos_commands/selinux/"
_PLUGIN = "sos_commands/foreman_selinux_helpers/"
# sos clean gives users such names, in whatever text they are: in the rules for /run/USER.pid as well.
_OBFUSCATED = b"obfuscateduser"
_PACKAGES = ("systemd", "libselinux", "libselinux1", "selinux-policy", "selinux-policy-targeted",
             "selinux-policy-default", "foreman-selinux", "pulpcore-selinux", "foreman-selinux-helpers")


class Machine(Value):
    """The host that a report is of; times are in seconds since the epoch.

    ``family``: of its distribution.
    """

    hostname: Optional[str]
    family: str
    taken: Optional[float]
    booted: Optional[float]


class ReportSource:
    """One report, read once; what is asked for is parsed when it is asked for.

    ``unseen`` grows with what is asked for; ``obfuscated``: sos clean has replaced names.
    """

    def __init__(self, found: Report) -> None:
        self.report = found
        self.unseen: List[str] = []
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
        """Read the report in a directory or an archive; raise UsageError if it is none."""
        return cls(report.read(location, wanted))

    def _miss(self, what: str) -> None:
        if what not in self.unseen:
            self.unseen.append(what)

    def _text(self, what: str, *paths: str) -> Optional[str]:
        """Return the text of the first of these files; note what cannot be seen without them."""
        found = self.report.text(*paths)
        if found is None:
            self._miss("%s: the report has no %s" % (what, paths[0]))
        return found

    # -- the host ----------------------------------------------------------------------------

    def machine(self) -> Machine:
        """Return which host the report is of, and when it was made."""
        text = self.report.text
        clock = text("sos_commands/systemd/timedatectl", "sos_commands/date/timedatectl") or ""
        # The time of the call of lsof is that of what it shows.
        made = [one.modified for name, one in self.report.files.items() if name.startswith("sos_commands/")]
        hostname = text("hostname", "sos_commands/host/hostname", "sos_commands/general/hostname")
        return Machine((hostname or "").strip() or None, reporttexts.os_family(text("etc/os-release",
                                                                                  "usr/lib/os-release") or ""),
                       reporttexts.taken_at(clock) or max(made, default=None),
                       reporttexts.boot_time(text("proc/stat") or ""))

    def selinux(self) -> SELinuxState:
        """Return the mode and the policy type; without sestatus, what the configuration says of the type."""
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

    def labels_to_change(self) -> Dict[str, Any]:
        """Return (label, right label) of paths that foreman-selinux-relabel would relabel."""
        return reporttexts.relabels(self.report.text("sos_commands/foreman/foreman-selinux-relabel_-nv") or "")

    @staticmethod
    def _of_selinux(*names: str) -> List[str]:
        return [place + name for place in (_SELINUX, _PLUGIN) for name in names]

    # -- label databases -----------------------------------------------------------------------

    def label_directory(self) -> Optional[str]:
        """Return the path of the file contexts on the host, or None where the policy type is not known.

        Where no program tells the type, it is that of the databases that processes hold, if there is but one.
        """
        policy = self.selinux().policy
        if policy:
            return "/etc/selinux/%s/contexts/files" % policy
        listing = self.label_caches()
        found = {os.path.dirname(one.path) for holder in listing.holders.values() for one in holder.held} \
            if listing else set()
        # Somebody may look into the databases of an image.
        found = {one for one in found if re.match(r"/etc/selinux/[^/]+/contexts/files\Z", one)}
        return found.pop() if len(found) == 1 else None

    def label_caches(self) -> Optional[lsof.Listing]:
        """Return which processes hold which label databases, or None where that was not seen."""
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
        """Say that lsof was ended by sos before it had told all, or None: by the manifest (4.0 on), or the log."""
        manifest = self._json("sos_reports/manifest.json")
        for one in _members(manifest, "components", "report", "plugins", "process", "commands"):
            if isinstance(one, dict) and one.get("command") == "lsof" and one.get("return_code") == 124:
                return "it timed out"
        log = (self.report.text("sos_logs/sos.log") or "").split("\n")
        return "it timed out" if any("lsof " in line and "timed out" in line for line in log) else None

    def written(self, path: str) -> Optional[Written]:
        """Return when a file of the host was written, as labelcache.Texts asks: the change of an inode is not kept."""
        file = self.report.file(path)
        return Written(file.modified, file.modified) if file else None

    @contextmanager
    def root(self) -> Iterator[Optional[str]]:
        """Give a temporary root directory with the policy and its rules, or None where the report has no whole rules.

        The compiled databases are left out, so that libselinux reads the text: what it would make of compiled ones
        depends on its own version, and its reader is not made for files of somebody else.
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
        """Return the path in the report of the newest compiled policy, or None if there is none."""
        directory = self.label_directory() or "/etc/selinux/*/contexts/files"
        place = directory[1:-len("contexts/files")] + "policy"
        found = [name for name, file in self.report.below(place).items() if _whole(file)]
        if not found:
            self._miss("what the policy allows, and its types: the report has no whole %s/policy.*" % place)
            return None
        return "%s/%s" % (place, max(found, key=lambda name: int(name.rpartition(".")[2])))

    def profiles(self) -> Profiles:
        """Return the profiles that were installed; one that cannot be read is left out, and noted."""
        texts: Dict[str, str] = {}
        for place in (VENDOR_DIR, ADMIN_DIR):
            texts.update((name, file.text) for name, file in self.report.below(place).items() if name.endswith(".conf"))
        found: Dict[str, SocketProfile] = {}
        for name, text in sorted(texts.items()):
            try:
                found.update((profile.unit, profile) for profile in parse(text, name[:-len(".conf")]))
            except Refused as refused:
                self._miss("the profile %s of the report: %s" % (name, refused.reason))
        return Profiles(list(found.values()), [])

    # -- versions and denials ------------------------------------------------------------------

    def packages(self) -> Dict[str, str]:
        """Return the versions of the packages that matter, by name; those of RPMs have no epoch."""
        rpms = self.report.text("installed-rpms", *(name for name in sorted(self.report.files) if re.match(
            r"sos_commands/rpm/(?:sh_-c_rpm_.*|package-data)\Z", name)))
        debs = self.report.text("installed-debs", "sos_commands/dpkg/dpkg_-l")
        if rpms is None and debs is None:
            self._miss("versions of packages: the report has neither installed-rpms nor installed-debs")
        return dict(reporttexts.rpm_evrs(rpms or "", _PACKAGES), **reporttexts.deb_versions(debs or "", _PACKAGES))

    def denials(self, path: str) -> List[denials.Denial]:
        """Return the last denials about a socket, the oldest first."""
        clock = self.report.text("sos_commands/systemd/timedatectl", "sos_commands/date/timedatectl") or ""
        taken = self.machine().taken
        sources = ["var/log/audit/audit.log"] + [
            name for place in ("auditd/ausearch", "logs/journalctl") for name in sorted(self.report.files)
            if name.startswith("sos_commands/" + place)]
        there = [self.report.file(name) for name in sources]
        if not any(there):
            self._miss("denials: the report has no audit log, no output of ausearch, and no journal")
        for file in there:
            lines = reportdenials.records(file.text.split("\n") if file else (), reporttexts.utc_offset(clock), taken)
            found = denials.select(lines, path, 0)
            if found:
                return found
        return []

    # -- what our own plugin collected ---------------------------------------------------------

    def document(self, verb: str) -> Optional[Dict[str, Any]]:
        """Return the document that a verb (status, stale, detect) printed on the host, if it did."""
        found = self._json(_PLUGIN + verb + ".json")
        if not isinstance(found, dict) or "error" in found:
            return None
        return found if (found.get("schema"), found.get("command")) == (1, verb) else None

    def _json(self, path: str) -> Any:
        try:
            return json.loads(self.report.text(path) or "null")
        except (ValueError, RecursionError):
            self._miss("%s in the report: it is not JSON" % path)
            return None


def _whole(file: Any) -> bool:
    return file is not None and file.whole and bool(file.content)


def _members(value: Any, *names: str) -> List[Any]:
    """Return the list at the end of these names, or nothing where there is something else."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, list) else []
