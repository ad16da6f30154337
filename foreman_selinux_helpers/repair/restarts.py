"""Stop and start a socket and its service so that neither stays down.

Signals and the alarm at the end of the time are held back from before the first stop until after the
last start, so they raise nothing in between.  They do not wait for long all the same: each order has a
time limit, which is a few seconds once a signal is pending.  Then they are heard.
"""

from ..doors import interrupts
from ..doors.restartjournal import Journal
from ..doors.systemd import Systemd
from ..model.errors import CommandFailed, HelperError, TimedOut
from ..model.typed import Dict, List, Optional, Sequence, Set, Value
from ..model.units import SocketUnit


class Started(Value):
    """A unit that was to be started, and why that failed, or None."""

    unit: str
    failure: Optional[str]


class Restarts:
    """The restarts of one run, which has the lock of the journal."""

    def __init__(self, systemd: Systemd, journal: Journal) -> None:
        self._systemd = systemd
        self._journal = journal
        # Units whose stop job has not ended within its time limit.
        self._stopping: Set[str] = set()

    def restart(self, unit: SocketUnit) -> None:
        """Restart a socket unit so that it comes back whoever connects meanwhile.

        A service that requires its socket is restarted along.  Another one would be started
        again by a connecting client and then hold the socket's place, so it is stopped between
        (systemd's socket_start() refuses while the service is active).
        """
        service = unit.service
        if service is None or service.requires_socket:
            # No signal needs to be held back: either systemd has the one job, and finishes it
            # without systemctl, or nothing was stopped.
            self._systemd.order("restart", unit.unit)
            return
        self._systemd.check_time()
        with interrupts.held():
            self._journal.note([unit.unit, service.unit] if service.active else [unit.unit])
            try:
                self._stop(unit.unit)
                self._stop(service.unit)
            finally:
                # Whatever failed: neither stays down for the other's sake.
                try:
                    self._start(unit.unit)
                finally:
                    if service.active:
                        self._start(service.unit)

    def start(self, units: Sequence[str]) -> List[Started]:
        """Start units, sockets before services, that a killed run has left down.

        systemd refuses to start a socket beside its active service, so that is stopped before,
        and started afterwards.
        """
        blocking = self._blocking_services([one for one in units if one.endswith(".socket")])
        with interrupts.held():
            results = [Started(one, self._try_to_start(one, blocking.get(one)))
                       for one in dict.fromkeys([*units, *blocking.values()])]
        for one in results:
            try:
                if one.failure and not self._systemd.may_start(one.unit):
                    self._journal.forget(one.unit)  # systemd tells who looks; to try for ever helps nobody
            except CommandFailed:
                pass  # the next run tries again
        return results

    def _blocking_services(self, units: Sequence[str]) -> Dict[str, str]:
        """Return the active service of each of these sockets that it keeps from starting."""
        try:
            sockets = self._systemd.socket_units(units)
        except CommandFailed:
            return {}  # then each is started as if there was none
        return {name: found.service.unit for name, found in sockets.items()
                if found.service and found.service.active and not found.service.requires_socket and not found.listening}

    def _try_to_start(self, unit: str, blocking: Optional[str]) -> Optional[str]:
        """Start one unit; return why it failed, or None.  It must not raise: other units are to be started after it."""
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
        """Start a unit, or have systemd do it once all that is stopping has stopped.

        systemd runs a socket's start job after the stop job of its service.  A start job for the service
        would replace that stop job, and the socket's job would then fail beside the service, which is still
        there.  A restart job replaces it as well, and counts as a stop job until the service has stopped.
        """
        if not self._stopping:
            self._systemd.order("start", unit, surely=True)
            self._journal.forget(unit)
            return
        self._systemd.queue("restart" if unit in self._stopping else "start", unit)
        self._journal.forget(unit)
        raise CommandFailed("systemd will start %s as soon as %s has stopped, which takes long"
                            % (unit, " and ".join(sorted(self._stopping))))
