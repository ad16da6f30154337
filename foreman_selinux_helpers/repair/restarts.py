"""Stop and start a socket and its service so that neither stays stopped.

Signals and the alarm of the deadline are blocked from before the first stop until after the last start, so
they raise nothing in between.  The delay is short: each order has a time limit, which is a few seconds once a
signal is pending.
"""

from ..doors import interrupts
from ..doors.restartjournal import Journal
from ..doors.systemd import Systemd
from ..model.errors import CommandFailed, HelperError, TimedOut
from ..model.typed import Dict, List, Optional, Sequence, Set, Value
from ..model.units import SocketUnit


class Started(Value):
    """A unit that was to be started, and the reason if that failed, or None."""

    unit: str
    failure: Optional[str]


class Restarts:
    """The restarts of one run, which holds the lock of the journal."""

    def __init__(self, systemd: Systemd, journal: Journal) -> None:
        self._systemd = systemd
        self._journal = journal
        # Units whose stop job has not ended within its time limit.
        self._stopping: Set[str] = set()

    def restart(self, unit: SocketUnit) -> None:
        """Restart a socket unit so that it starts again even if clients connect meanwhile.

        systemd also restarts a service that requires its socket.  Any other service is stopped before the
        socket is started: a connecting client could start it again, and systemd's socket_start() refuses
        while the service is active.
        """
        service = unit.service
        if service is None or service.requires_socket:
            # No signal needs to be blocked: either systemd has the one job and finishes it without
            # systemctl, or nothing was stopped.
            self._systemd.order("restart", unit.unit)
            return
        self._systemd.check_time()
        with interrupts.held():
            self._journal.note([unit.unit, service.unit] if service.active else [unit.unit])
            try:
                self._stop(unit.unit)
                self._stop(service.unit)
            finally:
                # Start both even if a step failed.
                try:
                    self._start(unit.unit)
                finally:
                    if service.active:
                        self._start(service.unit)

    def start(self, units: Sequence[str]) -> List[Started]:
        """Start units that a killed run has left stopped, sockets before services.

        systemd refuses to start a socket while its service is active, so the service is stopped before and
        started afterwards.
        """
        blocking = self._blocking_services([unit for unit in units if unit.endswith(".socket")])
        with interrupts.held():
            results = [Started(unit, self._try_to_start(unit, blocking.get(unit)))
                       for unit in dict.fromkeys([*units, *blocking.values()])]
        for unit in results:
            try:
                if unit.failure and not self._systemd.may_start(unit.unit):
                    self._journal.forget(unit.unit)  # systemd reports the failure; another try would not help
            except CommandFailed:
                pass  # the next run tries again
        return results

    def _blocking_services(self, units: Sequence[str]) -> Dict[str, str]:
        """Return the active service that keeps each of these sockets from starting."""
        try:
            sockets = self._systemd.socket_units(units)
        except CommandFailed:
            return {}  # then the sockets are started as if there were none
        return {name: unit.service.unit for name, unit in sockets.items()
                if unit.service and unit.service.active and not unit.service.requires_socket and not unit.listening}

    def _try_to_start(self, unit: str, blocking: Optional[str]) -> Optional[str]:
        """Start one unit; return why it failed, or None.  Do not raise: other units are started afterwards."""
        try:
            if blocking:
                self._journal.note([blocking])
                self._stop(blocking)
            self._start(unit)
        except (HelperError, OSError) as error:
            return str(error)
        return None

    def _stop(self, unit: str) -> None:
        try:
            self._systemd.order("stop", unit, surely=True)
        except TimedOut:
            self._stopping.add(unit)  # systemd keeps the job

    def _start(self, unit: str) -> None:
        """Start a unit, or have systemd start it once the stopping units have stopped.

        systemd runs a socket's start job after the stop job of its service.  A start job for the service
        would replace that stop job, and the socket's job would then fail because the service is still active.
        A restart job replaces it too, but counts as a stop job until the service has stopped.
        """
        if not self._stopping:
            self._systemd.order("start", unit, surely=True)
            self._journal.forget(unit)
            return
        self._systemd.queue("restart" if unit in self._stopping else "start", unit)
        self._journal.forget(unit)
        raise CommandFailed("systemd will start %s as soon as %s has stopped, which takes long"
                            % (unit, " and ".join(sorted(self._stopping))))
