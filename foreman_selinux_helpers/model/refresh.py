"""Predict from versions when a systemd build renews its label cache.  Pure.

``labelcache`` judges what PID 1 really holds.  The prediction is for where that cannot be read: image builds,
reports, and a PID 1 that has no database mapped.

Sources: systemd's selinux-util.c and main.c at each release; commits a9dfac21 (245), 61f3e897 and
fd5e402f (246, 247), c46c7688 (249) with its backports 82e9abf6 (248.4) and eb066ec4 (247.8); RHEL 8's
c67be1c7 and 4e486731 (first in 239-44, bug 1888912).  Each row was also measured on a running PID 1.
"""

import re

from .typed import Callable, List, Optional, Tuple, Value

NEVER = "NEVER"
ON_DAEMON_RELOAD = "ON_DAEMON_RELOAD"
ON_POLICY_LOAD = "ON_POLICY_LOAD"
UNKNOWN = "UNKNOWN"

# Epoch, version and release, as rpm.labelCompare() takes them.
EVR = Tuple[str, str, str]
CompareEVR = Callable[[EVR, EVR], int]

# RHEL 8 renews its cache since this build.  Rebuilds such as 239-45.0.1.el8 compare correctly with it.
_RHEL8_BACKPORT = ("0", "239", "44")
# RHEL 8 labels sockets by SELinuxContext= since this build (measured: 239-41 does not, 239-82 does).
_RHEL8_CONTEXT = ("0", "239", "70")
# A package release that contains this is from RHEL 8 or a rebuild of it, whatever os-release says.
_RHEL8 = ".el8"
# The bug number in the changelog of a package that has the backport.
BACKPORT_BUG = "1888912"
# These major versions miss policy loads with libselinux 3.2 and later.  Fixed in the release given here.
_FIXED = {247: "247.8", 248: "248.4"}
RUNNING = "running"
INSTALLED = "installed"


class Prediction(Value):
    """When a systemd build renews its label cache, and the evidence."""

    refresh: str
    evidence: List[str]


class Build(Value):
    """One systemd: the version that it reports, the EVR of its package (None: unknown), its refresh behaviour."""

    version: Optional[str]
    evr: Optional[str]
    refresh: str
    evidence: List[str]


class SystemdFacts(Value):
    """The running systemd and the installed one.

    ``libselinux``: the EVR of its package, or None.  ``replaced``: the program that PID 1 runs is no longer on disk.
    ``own``: PID 1 belongs to this host.
    """

    running: Build
    installed: Build
    libselinux: Optional[str]
    replaced: bool
    own: bool


def build(version: str, which: str, known: "Known", installed: Optional[str]) -> Build:
    """Return what is known of a systemd; ``installed``: the EVR of its package on disk, or None."""
    prediction, parsed = predict(version, known, which), parse_version(version)
    package = parsed.package if parsed else None
    # 219 does not report its release, and the installed package may not be the one that runs.
    evr = package if which == RUNNING else installed or package
    return Build(version, evr, prediction.refresh, prediction.evidence)


_NOT_READ = Build(None, None, UNKNOWN, ["not read"])
NOT_READ = SystemdFacts(_NOT_READ, _NOT_READ, None, False, False)


def reexec_due(systemd: SystemdFacts) -> Optional[str]:
    """Return why the running PID 1 is not the installed systemd, or None if it is, or if that is unknown."""
    if not systemd.own:
        return None
    if systemd.replaced:
        return "the program that PID 1 runs is no longer on disk"
    running, installed = systemd.running, systemd.installed
    ours, theirs = parse_version(running.version or ""), parse_version(installed.version or "")
    if ours is None or theirs is None:
        return None
    same = ours.package == theirs.package if ours.package and theirs.package else ours.number == theirs.number
    return None if same else "PID 1 is systemd %s, and %s is on disk" % (running.version, installed.version)


class SystemdVersion(Value):
    """A version as systemd reports it: the upstream version and, if it is given, the package version."""

    upstream: str
    package: Optional[str]

    @property
    def major(self) -> int:
        """The major version (EL 8's ``packaging`` has no ``Version.release``)."""
        return int(self.upstream[:3])

    @property
    def number(self) -> str:
        """The upstream version, with its minor number if only the package version has that."""
        return self.package.split("-")[0] if self.package else self.upstream

    @property
    def of_rhel8(self) -> bool:
        """Return whether the package version says that it is from RHEL 8."""
        return self.package is not None and _RHEL8 in self.package


def parse_version(text: str) -> Optional[SystemdVersion]:
    """Parse the Version property of the manager, or what ``systemctl --version`` prints after "systemd".

    Known forms: ``219``, ``239 (239-82.el8_10.2)``, ``252-32.el9_4``, ``v246.6-3.fc33``,
    ``252.39-1~deb12u1``, ``257~rc1-1``.  Returns None for anything else.
    """
    match = re.match(r"v?(\d{3}(?:\.\d+)*)(~rc\d+|-rc\d+)?(\S*)(?: \(v?([^\s)]+)\))?\s*\Z", text.strip())
    if not match:
        return None
    number, candidate, suffix, package = match.groups()
    if suffix and suffix[0] not in "-+.~^":
        return None
    upstream = number + (candidate[1:] if candidate else "")
    if package is None and suffix.startswith("-"):
        package = number + (candidate or "") + suffix
    return SystemdVersion(upstream, package)


class Known(Value):
    """What a prediction takes from a host.

    ``family``: the family of distributions whose backports apply (``rhel``, ``fedora``, ``debian`` or another).
    ``libselinux``: its upstream version, for the releases where it matters.  ``installed_evr``: the EVR of the
    installed package, for a version text without a release.  ``changelog``: the entry of the package's changelog
    that names BACKPORT_BUG, if there is one.
    """

    family: str = ""
    compare: Optional[CompareEVR] = None
    libselinux: Optional[str] = None
    installed_evr: Optional[str] = None
    changelog: Optional[str] = None


def predict(version: str, known: Known, which: str = RUNNING) -> Prediction:
    """Predict the refresh behaviour of a systemd; ``which``: whether the version is RUNNING or INSTALLED."""
    parsed = parse_version(version)
    if parsed is None:
        return Prediction(UNKNOWN, ["%r is not a known systemd version" % version])
    from packaging.version import Version

    if needs_changelog(parsed, known.family):
        return _rhel8(parsed, known, which)
    if parsed.major < 245:
        return Prediction(NEVER, ["systemd %s is older than 245: only a re-exec renews its label cache"
                                  % parsed.upstream])
    if parsed.major == 245:
        return Prediction(ON_DAEMON_RELOAD, ["systemd %s renews its label cache at daemon-reload (a9dfac21),"
                                             " and only then" % parsed.upstream])
    fixed = _FIXED.get(parsed.major)
    if fixed and Version(parsed.upstream) < Version(fixed):
        return _libselinux_window(parsed.upstream, fixed, known.libselinux)
    return Prediction(ON_POLICY_LOAD, ["systemd %s renews its label cache at the next look-up after"
                                       " a policy load (since 246)" % parsed.upstream])


def needs_changelog(parsed: Optional[SystemdVersion], family: str) -> bool:
    """Return whether the changelog of the installed package matters for this version."""
    return parsed is not None and parsed.major == 239 and (family in ("rhel", "fedora") or parsed.of_rhel8)


def depends_on_libselinux(parsed: Optional[SystemdVersion]) -> bool:
    """Return whether libselinux's version determines when this systemd renews its label cache."""
    return parsed is not None and parsed.major in _FIXED


def labels_by_context(version: str, compare: Optional[CompareEVR]) -> Optional[bool]:
    """Return whether this systemd labels a socket by SELinuxContext= of its service; None: unknown.

    Upstream does since 252 (socket_determine_selinux_label() in src/core/socket.c), RHEL 8 since 239-70.
    """
    parsed = parse_version(version)
    if parsed is None:
        return None
    if parsed.major != 239 or not parsed.of_rhel8:
        return parsed.major >= 252
    if compare is None or parsed.package is None or "-" not in parsed.package:
        return None
    number, release = parsed.package.split("-", 1)
    return compare(("0", number, release), _RHEL8_CONTEXT) >= 0


def _rhel8(parsed: SystemdVersion, known: Known, which: str) -> Prediction:
    compare, installed = known.compare, known.installed_evr.split(":")[-1] if known.installed_evr else None
    package, source = parsed.package, "the %s systemd" % which
    if package is None and installed:
        package, source = installed, "the installed package"
    # A changelog may be trimmed: a missing entry proves nothing.  An entry counts only for the build it belongs to.
    named = ["the changelog of %s names bug %s: %s" % (installed, BACKPORT_BUG, known.changelog)] \
        if known.changelog and package in (installed, None) else []
    if package is None or "-" not in package:
        unknown = ["systemd 239 without its package release: RHEL 8 has the backport since 239-44"]
        return Prediction(ON_POLICY_LOAD, named) if named else Prediction(UNKNOWN, unknown)
    if compare is None:
        unknown = ["systemd %s cannot be compared with 239-44: the rpm Python binding is missing" % package]
        return Prediction(ON_POLICY_LOAD, named) if named else Prediction(UNKNOWN, unknown)
    number, release = package.split("-", 1)
    if compare(("0", number, release), _RHEL8_BACKPORT) >= 0:
        return Prediction(ON_POLICY_LOAD, ["%s is %s: RHEL 8 renews the label cache at a policy load"
                                           " since 239-44 (bug %s)" % (source, package, BACKPORT_BUG)] + named)
    older = "%s is %s, older than RHEL 8's backport in 239-44 (bug %s)" % (source, package, BACKPORT_BUG)
    return Prediction(ON_POLICY_LOAD, [older] + named) if named else Prediction(NEVER, [older])


def _libselinux_window(upstream: str, fixed: str, libselinux: Optional[str]) -> Prediction:
    """Predict for 247 and 248, which miss policy loads since libselinux 3.2 uses the status page itself."""
    from packaging.version import InvalidVersion, Version

    try:
        if libselinux is None:
            raise InvalidVersion("none")
        version = Version(libselinux)
    except InvalidVersion:
        return Prediction(UNKNOWN, ["systemd %s (before %s) renews its label cache only with libselinux older"
                                    " than 3.2, whose version is not known here" % (upstream, fixed)])
    if version < Version("3.2"):
        return Prediction(ON_POLICY_LOAD, ["systemd %s with libselinux %s renews its label cache at the next look-up"
                                           " after a policy load" % (upstream, libselinux)])
    return Prediction(NEVER, ["systemd %s with libselinux %s misses policy loads (fixed in %s, c46c7688)"
                              % (upstream, libselinux, fixed)])
