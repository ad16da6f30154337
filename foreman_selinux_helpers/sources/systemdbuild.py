"""Detect the running and the installed systemd, and when each renews its label cache."""

from ..doors import packages, procfs
from ..doors.run import Runner
from ..doors.systemd import Systemd
from ..model.errors import CommandFailed
from ..model.refresh import (
    BACKPORT_BUG,
    INSTALLED,
    RUNNING,
    UNKNOWN,
    Build,
    Known,
    SystemdFacts,
    build,
    depends_on_libselinux,
    needs_changelog,
    parse_version,
)
from ..model.typed import Dict, Optional

_BINARIES = ("/usr/lib/systemd/systemd", "/lib/systemd/systemd")


class Detection:
    """The facts about the systemd of this host; each is read once."""

    def __init__(self, root: str, systemd: Systemd, runner: Runner) -> None:
        self._root = root
        self._systemd = systemd
        self._runner = runner
        self._family: Optional[str] = None
        self._running: Optional[Build] = None
        self._evr: Dict[str, Optional[str]] = {}

    @staticmethod
    def binary() -> str:
        """Return the path of the systemd that PID 1 would execute."""
        program = procfs.executable(1)
        return program if program and program.endswith("/systemd") else _BINARIES[0]

    def family(self) -> str:
        """Return the family of the distribution, which decides the backports."""
        if self._family is None:
            self._family = packages.family(self._root)
        return self._family

    def running(self, offline: Optional[str]) -> Build:
        """Return the running manager; ``offline``: the guard that applies if it is not the manager of this host."""
        if offline:
            return Build(None, None, UNKNOWN, ["not looked at: %s" % offline])
        if self._running is None:
            try:
                version = self._systemd.version()
            except CommandFailed as error:
                self._running = Build(None, None, UNKNOWN, [str(error)])
            else:
                self._running = self._build(version, RUNNING)
        return self._running

    def installed(self) -> Build:
        """Return the systemd on disk."""
        # The programs of an image may not run here.
        for path in dict.fromkeys((self.binary(),) + _BINARIES) if self._root == "/" else ():
            try:
                version = self._systemd.binary_version(path)
            except CommandFailed:
                continue
            return self._build(version, INSTALLED)
        evr = self._installed_evr("systemd")
        if evr:
            return self._build(evr, INSTALLED)
        return Build(None, None, UNKNOWN, ["no installed systemd was found"])

    def _build(self, version: str, which: str) -> Build:
        installed = self._installed_evr("systemd") if which == INSTALLED else None
        return build(version, which, self._known(version), installed)

    def _known(self, version: str) -> Known:
        parsed = parse_version(version)
        # The package databases are read only for the few versions whose prediction depends on them.
        libselinux = packages.upstream(self.libselinux()) if depends_on_libselinux(parsed) else None
        if parsed is None or parsed.major != 239:
            return Known(libselinux=libselinux)
        family = self.family()
        changelog = packages.changelog_entry("systemd", BACKPORT_BUG, self._root) \
            if needs_changelog(parsed, family) else None
        return Known(family, packages.evr_comparison(), None, self._installed_evr("systemd"), changelog)

    def libselinux(self) -> Optional[str]:
        """Return the EVR of the installed libselinux."""
        return self._installed_evr("libselinux1" if self.family() == "debian" else "libselinux")

    def facts(self, offline: Optional[str]) -> SystemdFacts:
        """Return the running and the installed systemd, with the related facts."""
        return SystemdFacts(self.running(offline), self.installed(), self.libselinux(), procfs.program_replaced(1),
                            offline is None)

    def _installed_evr(self, name: str) -> Optional[str]:
        if name not in self._evr:
            self._evr[name] = packages.installed_evr(name, self.family(), self._root, self._runner)
        return self._evr[name]
