"""Parse what ``systemctl show`` prints about units.  Pure."""

import re

from .typed import Callable, Dict, List, Mapping, Optional, Tuple
from .units import Service, SocketUnit

Properties = Dict[str, List[str]]

# The properties to query of socket units and of services.
OF_SERVICES = "MainPID,ExecStart,SELinuxContext"
SOCKET_PROPERTIES = "Id,Listen,LoadState,ActiveState,SubState,Accept,Triggers,Requires,BindsTo"
SERVICE_PROPERTIES = "Id,LoadState,ActiveState,SubState,Requires,BindsTo," + OF_SERVICES
# What systemctl before 244 prints for SELinuxContext, set or not.
UNPRINTABLE = "[unprintable]"
_RUNNING = ("active", "activating", "reloading")


def parse_show(text: str) -> List[Properties]:
    """Parse the output of ``systemctl show``: one block of NAME=VALUE lines for each unit."""
    blocks = []
    for block in text.strip("\n").split("\n\n"):
        properties: Properties = {}
        for line in block.split("\n"):
            name, sign, value = line.partition("=")
            if sign:
                properties.setdefault(name, []).append(value)
        blocks.append(properties)
    return blocks


def listen_paths(properties: Properties) -> Tuple[str, ...]:
    """Return the paths that a socket unit listens on.

    For ``-p Listen``, systemd 239 and later print ``Listen=/run/a.sock (Stream)``, 219 ``ListenStream=/run/a.sock``.
    """
    values = [(kind, path) for path, kind in
              (value.rsplit(" (", 1) for value in properties.get("Listen", ()) if " (" in value)]
    values += [(name[6:] + ")", value) for name, assigned in properties.items()
               if name.startswith("Listen") and name != "Listen" for value in assigned]
    return tuple(value for kind, value in values
                 if kind in ("Stream)", "Datagram)", "SequentialPacket)") and _is_path(value))


def _is_path(value: str) -> bool:
    """Return whether this is a path that libselinux's Python binding accepts; others are ignored."""
    try:
        value.encode("utf-8")
    except UnicodeError:
        return False
    return value.startswith("/") and "\0" not in value


def first(properties: Properties, name: str, default: str = "") -> str:
    """Return the first value of a property."""
    return properties.get(name, [default])[0]


def executable(properties: Properties) -> Optional[str]:
    """Return the path of the program that a service runs, or None."""
    match = re.search(r"path=(/[^;]*?) ;", first(properties, "ExecStart"))
    return match.group(1) if match else None


def triggered_service(properties: Properties) -> Optional[str]:
    """Return the service that a socket starts, or None: with Accept=yes each connection starts an instance."""
    return None if first(properties, "Accept") == "yes" else next(iter(first(properties, "Triggers").split()), None)


def selinux_context(properties: Properties, unprinted: str = "") -> Optional[str]:
    """Return the SELinuxContext= of a service without its dash, or None if it is not known.

    Before 244, systemctl prints that it cannot print it; ``unprinted`` stands for a property that is not there.
    """
    shown = first(properties, "SELinuxContext", unprinted)
    if shown == UNPRINTABLE:
        return None
    return shown[1:] if shown.startswith("-") else shown


def socket_unit(unit: str, shown: Properties, services: Mapping[str, Properties],
                context: Callable[[str, Properties], Optional[str]]) -> SocketUnit:
    """Return a socket unit and the service that it starts; ``context`` returns the SELinuxContext= of a service."""
    triggered = triggered_service(shown)
    service = None
    if triggered:
        properties = services.get(triggered, {})
        needs = (first(properties, "Requires") + " " + first(properties, "BindsTo")).split()
        service = Service(triggered, first(properties, "ActiveState") in _RUNNING, unit in needs,
                          executable(properties), context(triggered, properties))
    return SocketUnit(unit, first(shown, "LoadState", "not-found"), first(shown, "ActiveState"), listen_paths(shown),
                      service)


def object_path(unit: str) -> str:
    """Return the D-Bus object path of a unit (sd_bus_path_encode(3))."""
    escaped = "".join("_%02x" % byte if not chr(byte).isalnum() or byte > 127 or (place == 0 and chr(byte).isdigit())
                      else chr(byte) for place, byte in enumerate(unit.encode("utf-8", "surrogateescape")))
    return "/org/freedesktop/systemd1/unit/" + escaped
