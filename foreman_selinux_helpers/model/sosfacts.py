"""Convert the facts about sockets in a sos report to the values for the judgement.  Pure."""

from .denials import Denial
from .labelcache import FRESH, STALE, LabelCache
from .sockets import Seen
from .typed import Any, Dict, Mapping, Optional, Sequence, Tuple, Value
from .units import SocketUnit
from .winner import Order


class Labels(Value):
    """The known labels by path: those of inodes, and those of socket objects."""

    paths: Mapping[str, str]
    objects: Mapping[str, str]


def labels(status: Optional[Dict[str, Any]], to_change: Mapping[str, Tuple[str, str]]) -> Labels:
    """Return the labels from ``status --json`` on the host, or else from ``foreman-selinux-relabel -nv``."""
    paths = {path: label for path, (label, _) in to_change.items()}
    objects = {}
    for socket in _sockets(status):
        if isinstance(socket.get("path_label"), str):
            paths[socket["path"]] = socket["path_label"]
        if isinstance(socket.get("socket_label"), str):
            objects[socket["path"]] = socket["socket_label"]
    return Labels(paths, objects)


def _sockets(status: Optional[Dict[str, Any]]) -> Sequence[Dict[str, Any]]:
    sockets = status.get("sockets") if status else None
    return [socket for socket in sockets if isinstance(socket, dict) and isinstance(socket.get("path"), str)] \
        if isinstance(sockets, list) else []


def seen(path: str, unit: Optional[SocketUnit], known: Labels, denials: Sequence[Denial]) -> Seen:
    """Return the known facts about a socket; ``denials``: those for its path, the oldest first.

    A denial holds the label of its target at that time.
    """
    in_use = bool(unit and unit.load == "loaded" and path in unit.paths)
    denied = {denial.file_class: denial.target for denial in denials}
    path_label = known.paths.get(path) or denied.get("sock_file")
    object_label = known.objects.get(path) or denied.get("unix_stream_socket") or denied.get("unix_dgram_socket")
    listening = bool(in_use and unit and unit.listening)
    return Seen(listening, True if path_label else None if in_use else False, None, path_label, object_label,
                service_active=bool(unit and unit.service and unit.service.active), in_use=in_use)


def label_cache(status: Dict[str, Any]) -> Optional[LabelCache]:
    """Return PID 1's label cache from ``status --json`` on the host, or None if it is not known."""
    printed = status.get("label_cache")
    state = printed.get("state") if isinstance(printed, dict) else None
    if not isinstance(printed, dict) or state not in (FRESH, STALE):
        return None
    evidence = [str(line) for line in printed.get("evidence") or ()]
    return LabelCache(str(state), evidence, wrong=[] if printed.get("harmless") is True and state == STALE else None)


def order(libselinux: str) -> Order:
    """Return how a version of libselinux orders rules (seen: tests/store/test_winner.py)."""
    numbers = [int(part) for part in libselinux.partition("-")[0].split(".")[:2] if part.isdigit()]
    if numbers < [3, 8]:
        return Order()
    newest = numbers >= [3, 9]
    return Order(tree=True, strict=True, newer_first=False, later_file_first=newest, exact_first=not newest,
                 exact_before_file=not newest)
