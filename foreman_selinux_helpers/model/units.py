"""Socket units, their services and the manager, as systemd reports them.  Pure."""

from .typed import Optional, Tuple, Value


class Service(Value):
    """The service that a socket unit starts.

    ``context``: its SELinuxContext=, without the "-" that ignores errors; empty: not set; None: the manager does not
    report it.
    """

    unit: str
    active: bool
    requires_socket: bool
    executable: Optional[str]
    context: Optional[str] = ""


class SocketUnit(Value):
    """A socket unit as the manager reports it."""

    unit: str
    load: str
    active: str
    paths: Tuple[str, ...]
    service: Optional[Service]

    @property
    def listening(self) -> bool:
        """Return whether its sockets exist now."""
        return self.active == "active"


class Manager(Value):
    """The running manager: its version, its state, and the targets that have a job queued."""

    version: str
    state: str
    target_jobs: Tuple[str, ...]
