"""The only door to systemd."""

import os
import re
import time

from ..model.errors import CommandFailed, TimedOut
from ..model.shownunits import (
    OF_SERVICES,
    SERVICE_PROPERTIES,
    SOCKET_PROPERTIES,
    Properties,
    first,
    listen_paths,
    object_path,
    parse_show,
    selinux_context,
    socket_unit,
    triggered_service,
)
from ..model.typed import Dict, List, Optional, Sequence, Tuple
from ..model.units import Manager, SocketUnit
from .run import Runner, failure

SYSTEMCTL = "/usr/bin/systemctl"
_BUSCTL = "/usr/bin/busctl"
# Seconds to wait for an answer of the manager.
_ANSWER = 30.0
# While PID 1 re-executes, for a second or two, it receives nothing, and loses recent requests.
_AWAY = "disconnected from message bus|[Cc]onnection (?:refused|reset|timed out)|endpoint is not connected"
_POLL = 0.2
_AWAY_FOR = 10.0
# systemctl itself waits twice 90 s for a re-exec.
_REEXEC = 200.0
# Enough seconds to queue a job; three of them fit between the scriptlets' deadlines.
_SURELY = 3.0
_STATE_DIRECTORY = "/run/systemd"
_LONGEST_NAME = 255  # of a unit (systemd src/basic/unit-name.h, UNIT_NAME_MAX)
# A property of type (bs), as busctl prints it: whether errors are ignored, and the context.
_CONTEXT = r'\(bs\) (?:true|false) "([^"\\]*)"\s*\Z'


def _patiently(runner: Runner, argv: Sequence[str], limit: Optional[float] = None, silent: bool = False) -> str:
    """Send an idempotent request to the manager; repeat it while the manager re-executes.

    ``silent``: exit status 1 without a message is not a failure.
    """
    end = time.monotonic() + _AWAY_FOR
    while True:
        done = runner.run(argv, limit=limit)
        if done.status == 0 or (silent and done.status == 1 and not done.err.strip()):
            return done.out
        # systemctl itself gives up after 25 s if PID 1 is connected but does not answer.
        if not re.search(_AWAY, done.err) or time.monotonic() > end:
            break
        runner.deadline.pause(_POLL)
    raise CommandFailed("%s: %s" % (" ".join(argv), failure(done)))


class Systemd:
    """Queries and requests to the manager of this host."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._contexts: Dict[str, Optional[str]] = {}

    # -- queries -----------------------------------------------------------------------------

    def _ask(self, verb: str, *arguments: str, silent: bool = False) -> str:
        """Query the manager with a verb of systemctl; ``silent``: see _patiently()."""
        try:
            return _patiently(self._runner, [SYSTEMCTL, verb, *arguments], _ANSWER, silent)
        except TimedOut as error:
            raise TimedOut("PID 1 did not answer systemctl %s in time; run this again when it does" % verb) from error

    def socket_units(self, units: Sequence[str]) -> Dict[str, SocketUnit]:
        """Return the state of socket units; units that do not exist have load "not-found".

        Starting systemctl takes longer than the query: so this also queries the default services of the sockets.
        """
        usual = sorted({unit[:-len(".socket")] + ".service" for unit in units if len(unit) < _LONGEST_NAME})
        shown = self._show_both(units, usual) or self._show(units, SOCKET_PROPERTIES)
        triggered = {unit: triggered_service(shown[unit]) for unit in units}
        shown.update(self._show(sorted({name for name in triggered.values() if name and name not in shown}),
                                SERVICE_PROPERTIES))
        return {unit: socket_unit(unit, shown[unit], shown, self._context) for unit in units}

    def listening_paths(self) -> Dict[str, Tuple[str, ...]]:
        """Return the paths of all socket units that the manager has loaded, by unit."""
        # A pattern matches only loaded units (systemctl(1)); 219 supports it as well.
        text = self._ask("show", "--property=Id,Listen", "--", "*.socket")
        return {first(unit, "Id"): listen_paths(unit) for unit in parse_show(text) if first(unit, "Id")}

    def takes_label_from_net(self, unit: str) -> Optional[bool]:
        """Return whether a socket unit has SELinuxContextFromNet=, which is no D-Bus property; None: unknown."""
        done = self._runner.run([SYSTEMCTL, "cat", "--", unit], limit=_ANSWER)
        if done.status != 0:
            return None
        from ..model.unitfiles import boolean

        return boolean(done.out, "Socket", "SELinuxContextFromNet")

    def _show_both(self, sockets: Sequence[str], services: Sequence[str]) -> Dict[str, Properties]:
        """Return the properties of units of both types, or nothing if one query cannot return them.

        219 fails without a message at a property that the unit's type does not have, and omits all units after it.
        Other failures may not occur in a query for each type: a socket may start another service.
        """
        if not services:
            return {}
        try:
            blocks = parse_show(self._ask("show", "--property=%s,%s" % (SOCKET_PROPERTIES, OF_SERVICES),
                                          "--", *sockets, *services))
        except TimedOut:
            raise
        except CommandFailed:
            return {}
        return dict(zip([*sockets, *services], blocks)) if len(blocks) == len(sockets) + len(services) else {}

    def _show(self, units: Sequence[str], names: str) -> Dict[str, Properties]:
        """Return these properties of units of the same type."""
        if not units:
            return {}
        blocks = parse_show(self._ask("show", "--property=" + names, "--", *units))
        if len(blocks) != len(units):
            raise CommandFailed("systemctl show answered for %d units, not for the %d that were asked for"
                                % (len(blocks), len(units)))
        return dict(zip(units, blocks))

    def _context(self, service: str, properties: Properties) -> Optional[str]:
        """Return SELinuxContext= of a service; None if it is unknown."""
        context = selinux_context(properties)
        if context is not None:
            return context
        if service not in self._contexts:
            self._contexts[service] = self._asked_context(service)
        return self._contexts[service]

    def _asked_context(self, service: str) -> Optional[str]:
        try:
            done = self._runner.run([_BUSCTL, "get-property", "org.freedesktop.systemd1", object_path(service),
                                     "org.freedesktop.systemd1.Service", "SELinuxContext"], limit=_ANSWER)
        except CommandFailed:
            return None  # busctl needs the D-Bus daemon, which systemctl does not
        match = re.match(_CONTEXT, done.out) if done.status == 0 else None
        return match.group(1) if match else None

    def manager(self) -> Manager:
        """Return the state of the manager."""
        shown = parse_show(self._ask("show", "--property=Version,SystemState"))[0]
        # 219 exits with status 1 whether there are jobs or not; a failure has a message.
        jobs = self._ask("list-jobs", "--no-legend", "--no-pager", "--full", silent=True)
        targets = []
        for line in jobs.split("\n"):
            words = line.split()
            if len(words) >= 3 and words[1].endswith(".target") and words[2] in ("start", "restart"):
                targets.append(words[1])
        return Manager(first(shown, "Version"), first(shown, "SystemState", "unknown"), tuple(targets))

    def version(self) -> str:
        """Return the Version property of the running manager."""
        return first(parse_show(self._ask("show", "--property=Version"))[0], "Version")

    def active_units(self) -> List[str]:
        """Return the names of the units that are active now."""
        text = self._ask("list-units", "--state=active", "--no-legend", "--no-pager", "--full", "--plain")
        return [line.split()[0] for line in text.split("\n") if line.split()]

    def may_start(self, unit: str) -> bool:
        """Return whether another start might succeed: the unit is loaded, and not in the state "failed"."""
        shown = parse_show(self._ask("show", "--property=LoadState,ActiveState", "--", unit))[0]
        return first(shown, "LoadState") == "loaded" and first(shown, "ActiveState") != "failed"

    def container(self) -> Optional[str]:
        """Return the kind of container that this host runs in, or None."""
        done = self._runner.run(["/usr/bin/systemd-detect-virt", "--container"], limit=_ANSWER)
        return done.out.strip() or "unknown" if done.status == 0 else None

    def binary_version(self, binary: str) -> str:
        """Return the version of the systemd binary on disk; raise CommandFailed if it does not run."""
        out = self._runner.check([binary, "--version"], limit=_ANSWER)
        return out.split("\n")[0].partition("systemd ")[2].strip()

    # -- requests ----------------------------------------------------------------------------

    def look_a_label_up(self) -> None:
        """Make PID 1 look up a label, so that a systemd that renews its cache lazily does it now.

        A transient unit does that (seen on 219 to 262), and leaves nothing behind.  It does not wait for
        basic.target, which in early boot may wait for us, and unlike --wait does not need the D-Bus daemon.
        219 accepts the type only with this option.  Raises CommandFailed if that fails.
        """
        self._runner.check(["/usr/bin/systemd-run", "--quiet", "--collect", "--service-type=oneshot",
                            "--property=DefaultDependencies=no", "/bin/true"], limit=_ANSWER)

    def daemon_reload(self) -> None:
        """Run ``systemctl daemon-reload``."""
        _patiently(self._runner, [SYSTEMCTL, "daemon-reload"])

    def daemon_reexec(self) -> None:
        """Run ``systemctl daemon-reexec`` and wait until the manager answers again.

        systemctl's success only means that the request was sent (the call has no reply), and
        /run/systemd/private refuses connections for a while.
        """
        self._runner.check([SYSTEMCTL, "daemon-reexec"], limit=_REEXEC)
        while True:
            try:
                self.version()
                return
            except CommandFailed:
                self._runner.deadline.pause(_POLL)

    def order(self, verb: str, unit: str, surely: bool = False) -> None:
        """Start, stop or restart one unit; raise CommandFailed if that fails.

        ``surely``: even after the deadline, because a stopped unit must be started again.  systemd keeps
        the job even if systemctl is killed.
        """
        runner = self._surely() if surely else self._runner
        if verb == "restart":
            runner.check([SYSTEMCTL, verb, "--", unit])  # the request may have been received; do not repeat it
        else:
            _patiently(runner, [SYSTEMCTL, verb, "--", unit])

    def queue(self, verb: str, unit: str) -> None:
        """Make the manager queue a job, even after the deadline, and do not wait for it."""
        _patiently(self._surely(), [SYSTEMCTL, "--no-block", verb, "--", unit])

    def _surely(self) -> Runner:
        return Runner(self._runner.deadline.at_least(_SURELY), patience=_SURELY)

    def check_time(self) -> None:
        """Raise DeadlineExceeded if the deadline has passed."""
        self._runner.deadline.remaining()


def booted() -> bool:
    """Return whether systemd is the init system of this host (sd_booted(3))."""
    return os.path.isdir("/run/systemd/system") and not os.path.islink("/run/systemd/system")


def state_directory_space() -> Tuple[int, Optional[int]]:
    """Return the free bytes and the free inodes (None: no limit) below /run/systemd."""
    status = os.statvfs(_STATE_DIRECTORY)
    return status.f_bfree * status.f_bsize, status.f_ffree if status.f_files else None


def load_policy(runner: Runner) -> None:
    """Make the kernel load the policy on disk (load_policy(8))."""
    runner.check(["/usr/sbin/load_policy"])
