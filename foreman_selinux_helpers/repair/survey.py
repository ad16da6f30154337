"""Log faults of sockets without a profile after a transaction, once per state of the host."""

import os

from ..doors import labelfiles, profilefiles, runfiles, selinuxlib
from ..doors.deadline import Deadline
from ..doors.log import Log
from ..doors.run import Runner
from ..model import judgement
from ..model.typed import Optional
from ..sources import hostkind
from ..sources.host import HostSource

# A file beside those of the recorded units; it is not the name of a unit.
_NAME = "surveyed"
_UNITS = ("/usr/lib/systemd/system", "/lib/systemd/system", "/etc/systemd/system")


def tell(log: Log, deadline: Deadline) -> None:
    """Log each such socket with its cause and remedy, unless that was logged for this state since boot.

    Nothing is read if neither the rules nor the units on disk have changed since the last run.
    """
    host = hostkind.read("/")
    if host.offline or host.policy_type is None:
        return
    state = "\n".join([labelfiles.generation(selinuxlib.label_directory(host.root, host.policy_type)),
                       *map(_changed, _UNITS)])
    recorded = (_recorded() or b"").decode("utf-8", "replace").split("\0")
    if recorded[0] == state:
        return
    source = HostSource(host, profilefiles.load("/").sockets, None, Runner(deadline))
    faults = ["%s %s: %s; to mend it: %s" % (report.view.unit, report.view.path, report.problem, report.remedy)
              for report in judgement.reports(source.others().read()) if report.problem]
    if faults != recorded[1:]:
        for line in faults:
            log.warning(line)
    try:
        runfiles.write(_NAME, "\0".join([state, *faults]).encode("utf-8", "replace"))
    except OSError as error:
        log.warning("what was logged of other sockets cannot be recorded: %s" % error.strerror)


def _recorded() -> Optional[bytes]:
    try:
        return runfiles.read(_NAME)
    except OSError:
        return None  # it is no file


def _changed(directory: str) -> str:
    try:
        return str(os.stat(directory).st_mtime_ns)
    except OSError:
        return "-"
