"""Units by what a sos report has of them: ``systemd-analyze dump``, ``systemctl status``, and unit files.  Pure.

What is read becomes properties as ``systemctl show`` has them (``shownunits``).
"""

import re

from .shownunits import Properties
from .typed import Collection, Dict, List, Mapping, Optional, Sequence, Set, Tuple

_DUMPED = {
    "Unit Load State": "LoadState", "Unit Active State": "ActiveState", "Socket State": "SubState",
    "Service State": "SubState", "Fragment Path": "FragmentPath", "DropIn Path": "DropInPaths", "Main PID": "MainPID",
    "SocketMode": "SocketMode", "SocketUser": "SocketUser", "SocketGroup": "SocketGroup", "Triggers": "Triggers",
    "Requires": "Requires", "BindsTo": "BindsTo",
}
# Several of these are one line in ``systemctl show``.
_LISTS = ("DropInPaths", "Triggers", "Requires", "BindsTo")
_LISTEN = ("ListenStream", "ListenDatagram", "ListenSequentialPacket")
# Where unit files are, the first before the others (systemd.unit(5)); /lib is where it is no link to /usr/lib.
UNIT_DIRECTORIES = (
    "etc/systemd/system.control", "run/systemd/system.control", "run/systemd/transient", "run/systemd/generator.early",
    "etc/systemd/system", "run/systemd/system", "run/systemd/generator", "usr/local/lib/systemd/system",
    "usr/lib/systemd/system", "lib/systemd/system", "run/systemd/generator.late",
)


def parse_dump(text: str) -> List[Properties]:
    """Read the units of ``systemd-analyze dump``: those of systemd 219 to 262 have the same names of fields."""
    units: List[Properties] = []
    current: Properties = {}
    starts = False
    for line in text.split("\n"):
        if line.startswith("-> "):
            name = re.match(r"-> Unit (\S+):\Z", line)
            current = {"Id": [name.group(1)]} if name else {}
            units += [current] if name else []
            continue
        name_of_field, _, value = line.strip().partition(": ")
        if line.startswith("\t\t"):
            # What is in a block of its own belongs to a job or a command.
            if starts and name_of_field == "Command Line":
                current["ExecStart"] = ["{ path=%s ; }" % value.split(" ")[0]]
            continue
        starts = line.strip() == "-> ExecStart:" and "ExecStart" not in current
        _add_dumped(current, name_of_field, value)
    return units


def _add_dumped(unit: Properties, field: str, value: str) -> None:
    known = _DUMPED.get(field)
    if known in _LISTS:
        # What follows in parentheses says where the dependency comes from.
        unit.setdefault(known or "", [""])[0] += (value if known == "DropInPaths" else value.split(" ")[0]) + " "
    elif known:
        unit[known] = ["" if value == "n/a" else value]
    elif field in _LISTEN:
        unit.setdefault("Listen", []).append("%s (%s)" % (value, field[len("Listen"):]))
    elif field == "Accepted":
        unit["Accept"] = ["yes"]  # printed of such sockets alone


def parse_status(text: str) -> List[Properties]:
    """Read the units of ``systemctl status --all``.

    sos puts errors between: one may stand in the middle of a unit's name, and that unit is left out.
    """
    units: List[Properties] = []
    current: Properties = {}
    earlier = before = field = ""
    for line in text.split("\n"):
        found = re.match(r" +([A-Z][A-Za-z -]*): (.*)\Z", line)
        head = re.match(r"(?:\S )?([^\s/]+\.[a-z]+)(?: - .*)?\Z", before)
        if found and found.group(1) == "Loaded" and head and not earlier:
            current = {"Id": [head.group(1)], "LoadState": [found.group(2).split(" ")[0]]}
            units.append(current)
        elif not line:
            current = {}  # what follows is of the journal
        field = found.group(1) if found else field
        value = found.group(2) if found else line.strip()
        state = re.match(r"(\S+)(?: \(([^)]*)\))?", value)
        if field == "Listen":
            current.setdefault("Listen", []).append(value)
        elif field == "Active" and found and state:
            current["ActiveState"], current["SubState"] = [state.group(1)], [state.group(2) or ""]
        elif field == "Triggers" and found:
            current["Triggers"] = [value.split(" ")[-1]]
        elif field == "Main PID" and found and "code=" not in value:
            current["MainPID"] = [value.split(" ")[0]]
        earlier, before = before, line
    return units


class UnitFiles:
    """Unit files: texts by path, and the paths that are links to /dev/null."""

    def __init__(self, texts: Mapping[str, str], masked: Collection[str]) -> None:
        self._texts = texts
        self._masked = frozenset(masked)
        self._in: Dict[str, List[str]] = {}
        for path in sorted(self._masked.union(texts)):
            self._in.setdefault(path.rpartition("/")[0], []).append(path)

    def names(self, suffix: str) -> List[str]:
        """Return the names of the units of one type, such as ``.socket``, that have a file or only drop-ins."""
        found: Set[str] = set()
        for place, paths in self._in.items():
            directory, _, last = place.rpartition("/")
            if place in UNIT_DIRECTORIES:
                found.update(path[len(place) + 1:] for path in paths)
            elif directory in UNIT_DIRECTORIES and last.endswith(".d"):
                found.add(last[:-len(".d")])
        return sorted(unit for unit in found if unit.endswith(suffix) and not ("-" + unit).endswith("-" + suffix))

    def fragment(self, unit: str) -> Tuple[Optional[str], Optional[str]]:
        """Return the path and the text of the file that counts for a unit; the text is None where that masks it."""
        template = re.sub(r"@[^@]*(\.[a-z]+)\Z", r"@\1", unit)
        for name in dict.fromkeys((unit, template)):
            for directory in UNIT_DIRECTORIES:
                path = "%s/%s" % (directory, name)
                if path in self._masked or self._texts.get(path) == "":
                    return path, None
                if path in self._texts:
                    return path, self._texts[path]
        return None, None

    def texts(self, unit: str) -> List[str]:
        """Return the texts of a unit in their order: its file and its drop-ins; nothing for one that is masked."""
        path, text = self.fragment(unit)
        if path and text is None:
            return []
        return ([text] if text is not None else []) + [self._texts[one] for one in self.drop_ins(unit)]

    def drop_ins(self, unit: str) -> List[str]:
        """Return the paths of a unit's drop-ins, in the order of their file names."""
        found: Dict[str, str] = {}
        for place in _drop_in_directories(unit):
            for directory in reversed(UNIT_DIRECTORIES):
                found.update((path.rpartition("/")[2], path) for path in self._in.get("%s/%s" % (directory, place), ()))
        return [found[name] for name in sorted(found) if self._texts.get(found[name])]


def _drop_in_directories(unit: str) -> Sequence[str]:
    """Return the names of the directories of a unit's drop-ins, those that count for less first."""
    prefix, dot, suffix = unit.rpartition(".")
    places = [suffix + ".d"]
    at = prefix.find("@")
    for end in [place + 1 for place, letter in enumerate(prefix) if letter == "-" and (at < 0 or place < at)]:
        places.append("%s%s%s.d" % (prefix[:end], dot, suffix))
    if 0 <= at < len(prefix) - 1:
        places.append("%s%s%s.d" % (prefix[:at + 1], dot, suffix))
    places.append(unit + ".d")
    return places
