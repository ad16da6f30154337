"""Read units from a sos report: those that the manager had loaded, and their files."""

import re

from ..model import reportunits, unitfiles
from ..model.reportfiles import Report
from ..model.reportunits import UnitFiles
from ..model.shownunits import UNPRINTABLE, Properties, first, parse_show, selinux_context, socket_unit
from ..model.typed import Dict, List, Optional, Tuple, Value
from ..model.units import SocketUnit

_SYSTEMD = "sos_commands/systemd/"
# No unit has longer lines; the parsers may be slow for lines that are longer.
_LONGEST_LINE = 1 << 14


class Access(Value):
    """The owner, group and mode that a unit gives its sockets (systemd.socket(5)); None: root."""

    user: Optional[str]
    group: Optional[str]
    mode: int


class ReportUnits:
    """The units of one report.

    ``unseen``: why units may be missing, or None.  ``loaded``: the properties of the units that the manager had
    loaded, by name; ``files``: the unit files that it would load.
    """

    def __init__(self, report: Report) -> None:
        self._report = report
        self.files = _unit_files(report)
        self.loaded: Dict[str, Properties] = {}
        # The later sources are more exact.
        for name, parse in (("systemctl_status_--all", reportunits.parse_status),
                            ("systemd-analyze_dump", reportunits.parse_dump),
                            ("systemctl_show_service_--all", parse_show),
                            ("systemctl_show_--all", parse_show)):
            for properties in parse(self._text(name)):
                unit = first(properties, "Id")
                if unit:
                    self.loaded.setdefault(unit, {}).update(properties)
        sockets = any(name.endswith(".socket") for name in self.loaded)
        self.unseen = None if sockets else \
            "which socket units are loaded: the report has no output of systemd-analyze dump or systemctl status"

    def _text(self, name: str) -> str:
        text = self._report.text(_SYSTEMD + name) or ""
        return "\n".join(line for line in text.split("\n") if len(line) < _LONGEST_LINE)

    def manager_version(self) -> Optional[str]:
        """Return the version that the running manager reports, or None."""
        shown = parse_show(self._text("systemctl_show_--all"))
        version = next((first(properties, "Version") for properties in shown if "Version" in properties), "")
        dumped = re.match(r"Manager: systemd (.+)", self._text("systemd-analyze_dump"))
        return version or (dumped.group(1) if dumped else None)

    def socket_units(self) -> Dict[str, SocketUnit]:
        """Return the loaded socket units by name."""
        def context(_: str, properties: Properties) -> Optional[str]:
            return selinux_context(properties, UNPRINTABLE)  # what a report does not tell is not known

        return {unit: socket_unit(unit, properties, self.loaded, context)
                for unit, properties in sorted(self.loaded.items()) if unit.endswith(".socket")}

    def listened_by_files(self) -> Dict[str, Tuple[str, ...]]:
        """Return the paths that socket units listen on according to their files; they may not be loaded."""
        return {unit: tuple(unitfiles.listen_paths(unit, self.files.texts(unit)))
                for unit in self.files.names(".socket")}

    def access(self, unit: str) -> Access:
        """Return the access to the sockets of a unit from the manager's properties, or else from the unit files."""
        shown = self.loaded.get(unit, {})
        if "SocketMode" not in shown:
            texts = self.files.texts(unit)
            shown = {name: [_setting(texts, name)] for name in ("SocketUser", "SocketGroup", "SocketMode")}
        mode = first(shown, "SocketMode")
        return Access(first(shown, "SocketUser") or None, first(shown, "SocketGroup") or None,
                      int(mode, 8) if re.match(r"[0-7]{1,5}\Z", mode) else 0o666)

    def process_units(self) -> Dict[int, str]:
        """Return the units of services, by the PID of their main process."""
        by_pid = {}
        for unit, properties in self.loaded.items():
            pid = first(properties, "MainPID")
            if pid.isdigit() and int(pid):
                by_pid[int(pid)] = unit
        return by_pid


def _unit_files(report: Report) -> UnitFiles:
    texts: Dict[str, str] = {}
    masked: List[str] = []
    for path in list(report.files) + list(report.links):
        if not path.startswith(tuple(directory + "/" for directory in reportunits.UNIT_DIRECTORIES)):
            continue
        # sos turns an absolute link to /dev/null into a relative one.
        if report.resolve(path) == "dev/null":
            masked.append(path)
        file = report.file(path)
        if file and file.whole:
            texts[path] = file.text
    return UnitFiles(texts, masked)


def _setting(texts: List[str], name: str) -> str:
    values = [value.strip() for text in texts
              for value in re.findall(r"^[ \t]*%s[ \t]*=(.*)$" % name, text, re.M)]
    return values[-1] if values else ""
