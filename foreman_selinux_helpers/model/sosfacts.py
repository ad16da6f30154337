"""What a sos report tells of sockets, put into the values that a judgement stands on.  Pure."""

from .labelcache import FRESH, STALE, LabelCache
from .sockets import Seen
from .typed import Any, Dict, Mapping, Optional, Sequence, Tuple, Value
from .units import SocketUnit
from .winner import Order


class Labels(Value):
    """The labels that were seen, by path: those of inodes, and those of socket objects."""

    paths: Mapping[str, str]
    objects: Mapping[str, str]


def labels(status: Optional[Dict[str, Any]], to_change: Mapping[str, Tuple[str, str]]) -> Labels:
    """Return the labels that the host's own ``status --json`` tells, or else ``foreman-selinux-relabel -nv``."""
    paths = {path: label for path, (label, _) in to_change.items()}
    objects = {}
    for socket in _sockets(status):
        if isinstance(socket.get("path_label"), str):
            paths[socket["path"]] = socket["path_label"]
        if isinstance(socket.get("socket_label"), str):
            objects[socket["path"]] = socket["socket_label"]
    return Labels(paths, objects)


def _sockets(status: Optional[Dict[str, Any]]) -> Sequence[Dict[str, Any]]:
    found = status.get("sockets") if status else None
    return [socket for socket in found if isinstance(socket, dict) and isinstance(socket.get("path"), str)] \
        if isinstance(found, list) else []


def seen(path: str, unit: Optional[SocketUnit], known: Labels, denials: Sequence[Any]) -> Seen:
    """Return what is known of a socket; ``denials``: those about its path, the oldest first.

    A denial tells the label of what was denied, at its time.
    """
    in_use = bool(unit and unit.load == "loaded" and path in unit.paths)
    denied = {denial.file_class: denial.target for denial in denials}
    path_label = known.paths.get(path) or denied.get("sock_file")
    object_label = known.objects.get(path) or denied.get("unix_stream_socket") or denied.get("unix_dgram_socket")
    listening = bool(in_use and unit and unit.listening)
    return Seen(listening, True if path_label else None if in_use else False, None, path_label, object_label,
                service_active=bool(unit and unit.service and unit.service.active), in_use=in_use)


def label_cache(status: Dict[str, Any]) -> Optional[LabelCache]:
    """Return PID 1's label cache as the host's own ``status --json`` tells, or None where it does not."""
    told = status.get("label_cache")
    state = told.get("state") if isinstance(told, dict) else None
    if not isinstance(told, dict) or state not in (FRESH, STALE):
        return None
    evidence = [str(line) for line in told.get("evidence") or ()]
    return LabelCache(str(state), evidence, wrong=[] if told.get("harmless") is True and state == STALE else None)


def order(libselinux: str) -> Order:
    """Return how a version of libselinux orders rules (seen: tests/store/test_winner.py)."""
    numbers = [int(part) for part in libselinux.partition("-")[0].split(".")[:2] if part.isdigit()]
    if numbers < [3, 8]:
        return Order()
    newest = numbers >= [3, 9]
    return Order(tree=True, strict=True, newer_first=False, later_file_first=newest, exact_first=not newest,
                 exact_before_file=not newest)
