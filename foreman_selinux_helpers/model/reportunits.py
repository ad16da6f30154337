"""Parse the units in a sos report: ``systemd-analyze dump``, ``systemctl status``, and unit files.  Pure.

The result is properties as ``systemctl show`` prints them (``shownunits``).
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
# ``systemctl show`` prints several of these in one line.
_LISTS = ("DropInPaths", "Triggers", "Requires", "BindsTo")
_LISTEN = ("ListenStream", "ListenDatagram", "ListenSequentialPacket")
# The directories of unit files in order of precedence (systemd.unit(5)); /lib if it is not a link to /usr/lib.
UNIT_DIRECTORIES = (
    "etc/systemd/system.control", "run/systemd/system.control", "run/systemd/transient", "run/systemd/generator.early",
    "etc/systemd/system", "run/systemd/system", "run/systemd/generator", "usr/local/lib/systemd/system",
    "usr/lib/systemd/system", "lib/systemd/system", "run/systemd/generator.late",
)


def parse_dump(text: str) -> List[Properties]:
    """Read the units of ``systemd-analyze dump``: systemd 219 to 262 use the same names of fields."""
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
            # The fields of a nested block belong to a job or a command.
            if starts and name_of_field == "Command Line":
                current["ExecStart"] = ["{ path=%s ; }" % value.split(" ")[0]]
            continue
        starts = line.strip() == "-> ExecStart:" and "ExecStart" not in current
        _add_dumped(current, name_of_field, value)
    return units


def _add_dumped(unit: Properties, field: str, value: str) -> None:
    known = _DUMPED.get(field)
    if known in _LISTS:
        # The origin of the dependency follows in parentheses.
        unit.setdefault(known or "", [""])[0] += (value if known == "DropInPaths" else value.split(" ")[0]) + " "
    elif known:
        unit[known] = ["" if value == "n/a" else value]
    elif field in _LISTEN:
        unit.setdefault("Listen", []).append("%s (%s)" % (value, field[len("Listen"):]))
    elif field == "Accepted":
        unit["Accept"] = ["yes"]  # printed only for such sockets


def parse_status(text: str) -> List[Properties]:
    """Read the units of ``systemctl status --all``.

    sos mixes errors into the output: a unit with an error in the middle of its name is left out.
    """
    units: List[Properties] = []
    current: Properties = {}
    earlier = before = field = ""
    for line in text.split("\n"):
        match = re.match(r" +([A-Z][A-Za-z -]*): (.*)\Z", line)
        head = re.match(r"(?:\S )?([^\s/]+\.[a-z]+)(?: - .*)?\Z", before)
        if match and match.group(1) == "Loaded" and head and not earlier:
            current = {"Id": [head.group(1)], "LoadState": [match.group(2).split(" ")[0]]}
            units.append(current)
        elif not line:
            current = {}  # the lines of the journal follow
        field = match.group(1) if match else field
        value = match.group(2) if match else line.strip()
        state = re.match(r"(\S+)(?: \(([^)]*)\))?", value)
        if field == "Listen":
            current.setdefault("Listen", []).append(value)
        elif field == "Active" and match and state:
            current["ActiveState"], current["SubState"] = [state.group(1)], [state.group(2) or ""]
        elif field == "Triggers" and match:
            current["Triggers"] = [value.split(" ")[-1]]
        elif field == "Main PID" and match and "code=" not in value:
            current["MainPID"] = [value.split(" ")[0]]
        earlier, before = before, line
    return units


class UnitFiles:
    """Unit files: their texts by path, and the paths that are links to /dev/null."""

    def __init__(self, texts: Mapping[str, str], masked: Collection[str]) -> None:
        self._texts = texts
        self._masked = frozenset(masked)
        self._in: Dict[str, List[str]] = {}
        for path in sorted(self._masked.union(texts)):
            self._in.setdefault(path.rpartition("/")[0], []).append(path)

    def names(self, suffix: str) -> List[str]:
        """Return the names of the units of one type, such as ``.socket``, that have a file or only drop-ins."""
        units: Set[str] = set()
        for place, paths in self._in.items():
            directory, _, last = place.rpartition("/")
            if place in UNIT_DIRECTORIES:
                units.update(path[len(place) + 1:] for path in paths)
            elif directory in UNIT_DIRECTORIES and last.endswith(".d"):
                units.add(last[:-len(".d")])
        return sorted(unit for unit in units if unit.endswith(suffix) and not ("-" + unit).endswith("-" + suffix))

    def fragment(self, unit: str) -> Tuple[Optional[str], Optional[str]]:
        """Return the path and the text of the unit file with the highest precedence; a masked unit has no text."""
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
        """Return the texts of a unit in their order: its file and its drop-ins; nothing for a masked unit."""
        path, text = self.fragment(unit)
        if path and text is None:
            return []
        return ([text] if text is not None else []) + [self._texts[drop_in] for drop_in in self.drop_ins(unit)]

    def drop_ins(self, unit: str) -> List[str]:
        """Return the paths of a unit's drop-ins, in the order of their file names."""
        paths: Dict[str, str] = {}
        for place in _drop_in_directories(unit):
            for directory in reversed(UNIT_DIRECTORIES):
                paths.update((path.rpartition("/")[2], path) for path in self._in.get("%s/%s" % (directory, place), ()))
        return [paths[name] for name in sorted(paths) if self._texts.get(paths[name])]


def _drop_in_directories(unit: str) -> Sequence[str]:
    """Return the names of the directories of a unit's drop-ins, in order of increasing precedence."""
    prefix, dot, suffix = unit.rpartition(".")
    places = [suffix + ".d"]
    at = prefix.find("@")
    for end in [place + 1 for place, letter in enumerate(prefix) if letter == "-" and (at < 0 or place < at)]:
        places.append("%s%s%s.d" % (prefix[:end], dot, suffix))
    if 0 <= at < len(prefix) - 1:
        places.append("%s%s%s.d" % (prefix[:at + 1], dot, suffix))
    places.append(unit + ".d")
    return places
