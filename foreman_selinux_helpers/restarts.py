"""Stop and start a socket and its service so that neither stays down."""

from typing import List, Optional, Sequence, Tuple

from . import interrupts, stopped
from .errors import CommandFailed
from .systemd import SocketUnit, Systemd


def restart(systemd: Systemd, unit: SocketUnit, notes: stopped.Notes) -> None:
    """Restart a socket unit so that it comes back whoever connects meanwhile.

    A service that requires its socket is restarted along.  Another one would be started
    again by a connecting client and then hold the socket's place, so it is stopped between
    (systemd's socket_start() refuses while the service is active).
    """
    service = unit.service
    if service is None or service.requires_socket:
        systemd.order("restart", unit.unit)
        return
    comes_back = [unit.unit, service.unit] if service.active else [unit.unit]
    notes.note(comes_back)
    try:
        systemd.order("stop", unit.unit)
        systemd.order("stop", service.unit, surely=True)  # beside it the socket would not start again
    finally:
        # Whatever failed: neither stays down for the other's sake.
        with interrupts.held():
            try:
                systemd.order("start", unit.unit, surely=True)
                notes.forget(unit.unit)
            finally:
                if service.active:
                    systemd.order("start", service.unit, surely=True)
                    notes.forget(service.unit)


def start(systemd: Systemd, units: Sequence[str], notes: stopped.Notes) -> List[Tuple[str, Optional[str]]]:
    """Start what a killed run has left down; return each unit that was started, and why it failed or None."""
    results: List[Tuple[str, Optional[str]]] = []
    waiting = list(units)
    while waiting:
        unit = waiting.pop(0)
        try:
            waiting += [one for one in _make_way(systemd, unit, notes) if one not in waiting]
            systemd.order("start", unit, surely=True)
            notes.forget(unit)
        except (CommandFailed, OSError) as error:
            if not systemd.may_start(unit):
                notes.forget(unit)  # systemd tells who looks; to try for ever helps nobody
            results.append((unit, str(error)))
        else:
            results.append((unit, None))
    return results


def _make_way(systemd: Systemd, unit: str, notes: stopped.Notes) -> List[str]:
    """Stop an active service whose socket is to be started; return what is to be started then.

    systemd refuses to start a socket beside its service.
    """
    found = systemd.socket_units([unit])[unit] if unit.endswith(".socket") else None
    service = found.service if found and not found.listening else None
    if service is None or not service.active or service.requires_socket:
        return []
    notes.note([service.unit])
    systemd.order("stop", service.unit)
    return [service.unit]
