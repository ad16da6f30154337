"""When does a systemd build renew its label cache?  A prediction from versions.

What PID 1 really holds is looked at elsewhere (``labelcache``); the prediction serves where one
cannot look: image builds, reports, and a PID 1 that has nothing mapped.

Sources: systemd's selinux-util.c and main.c at each release; commits a9dfac21 (245), 61f3e897 and
fd5e402f (246, 247), c46c7688 (249) with its backports 82e9abf6 (248.4) and eb066ec4 (247.8); RHEL 8's
c67be1c7 and 4e486731 (first in 239-44, bug 1888912).  Each row was also seen on a running PID 1.
"""

import re

from .typed import Callable, List, Optional, Tuple, Value

NEVER = "NEVER"
ON_DAEMON_RELOAD = "ON_DAEMON_RELOAD"
ON_POLICY_LOAD = "ON_POLICY_LOAD"
UNKNOWN = "UNKNOWN"

# Epoch, version, release, as rpm.labelCompare takes them.
EVR = Tuple[str, str, str]
CompareEVR = Callable[[EVR, EVR], int]

# RHEL 8 has renewed its cache since this build; rebuilds such as 239-45.0.1.el8 compare with it.
_RHEL8_BACKPORT = ("0", "239", "44")
# RHEL 8 labels sockets by SELinuxContext= since this build (239-41 does not, 239-82 does: both seen).
_RHEL8_CONTEXT = ("0", "239", "70")
# Whatever os-release says: a release that holds this is RHEL 8's, or rebuilt from it.
_RHEL8 = ".el8"
# What the changelog of a package that has the backport names.
BACKPORT_BUG = "1888912"
# These lose the notice of a policy load to libselinux 3.2 and later, until this release.
_FIXED = {247: "247.8", 248: "248.4"}
RUNNING = "running"
INSTALLED = "installed"


class Prediction(Value):
    """When a systemd build renews its label cache, and what says so."""

    refresh: str
    evidence: List[str]


class Build(Value):
    """One systemd: its version as it says itself, its package (None: not known), its refresh behaviour."""

    version: Optional[str]
    evr: Optional[str]
    refresh: str
    evidence: List[str]


class SystemdFacts(Value):
    """The systemd that runs and the one on disk.

    ``replaced``: the program that PID 1 runs is no longer on disk; ``libselinux``: the EVR of its package, or None;
    ``own``: PID 1 is this host's.
    """

    running: Build
    installed: Build
    libselinux: Optional[str]
    replaced: bool
    own: bool


_NOT_READ = Build(None, None, UNKNOWN, ["not read"])
NOT_READ = SystemdFacts(_NOT_READ, _NOT_READ, None, False, False)


def reexec_due(systemd: SystemdFacts) -> Optional[str]:
    """Say what shows that the running PID 1 is not the systemd on disk, or None."""
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
    """A version as systemd writes it: the upstream part and, where it has one, the package's."""

    upstream: str
    package: Optional[str]

    @property
    def major(self) -> int:
        """The first number (``Version.release`` came after the ``packaging`` of EL 8)."""
        return int(self.upstream[:3])

    @property
    def number(self) -> str:
        """The upstream version, with its minor number if the package alone tells that."""
        return self.package.split("-")[0] if self.package else self.upstream

    @property
    def of_rhel8(self) -> bool:
        """Tell whether its own text says that it is RHEL 8's."""
        return self.package is not None and _RHEL8 in self.package


def parse_version(text: str) -> Optional[SystemdVersion]:
    """Read the Version property of the manager, or what is printed after "systemd".

    Known shapes: ``219``, ``239 (239-82.el8_10.2)``, ``252-32.el9_4``, ``v246.6-3.fc33``,
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
    """What is known of a host, for a prediction.

    ``family`` is the distribution's (``rhel``, ``fedora``, ``debian`` or another), whose backports
    apply; ``libselinux`` its upstream version, for the releases where it matters;
    ``installed_evr`` the installed package, for a version text without a release; ``changelog`` the
    entry of its changelog that names BACKPORT_BUG, if there is one.
    """

    family: str = ""
    compare: Optional[CompareEVR] = None
    libselinux: Optional[str] = None
    installed_evr: Optional[str] = None
    changelog: Optional[str] = None


def predict(version: str, known: Known, which: str = RUNNING) -> Prediction:
    """Predict the refresh behaviour of a systemd; ``which``: the one that the version is of."""
    parsed = parse_version(version)
    if parsed is None:
        return Prediction(UNKNOWN, ["%r is no systemd version that is known" % version])
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
    """Tell whether the changelog of the installed package says something about this version."""
    return parsed is not None and parsed.major == 239 and (family in ("rhel", "fedora") or parsed.of_rhel8)


def depends_on_libselinux(parsed: Optional[SystemdVersion]) -> bool:
    """Tell whether libselinux's version decides when this systemd renews its label cache."""
    return parsed is not None and parsed.major in _FIXED


def labels_by_context(version: str, compare: Optional[CompareEVR]) -> Optional[bool]:
    """Tell whether this systemd labels a socket by SELinuxContext= of its service; None: not known.

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
    # A changelog may have been trimmed: only what it says counts, and only of the build that it is of.
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
    """247 and 248 lose the notice of a policy load to libselinux 3.2's own status page."""
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
