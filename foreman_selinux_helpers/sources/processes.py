"""The processes of this host that label by outdated rules."""

import os
import time
from contextlib import closing

from ..doors import labeldatabase, labelfiles, procfs
from ..doors.policydb import CompiledPolicy
from ..model import labelcache, processes
from ..model.errors import HelperError
from ..model.processes import Process, Seen
from ..model.typed import TYPE_CHECKING, Callable, Dict, List, Optional, Sequence, Tuple
from . import observe

if TYPE_CHECKING:
    from .detection import Build

# Programs that look labels up with systemd's own code, as PID 1 does.
_SYSTEMD = ("/usr/lib/systemd/", "/lib/systemd/")
_UDEVD = ("/usr/bin/udevadm", "/bin/udevadm")  # since 247 it is a link to this
# A manager's child that waits for the end of a PAM session, and labels nothing (setup_pam() in systemd's
# src/core/execute.c); what it holds it was born with.
_PAM = "(sd-pam)"
# How many outdated processes are asked, and for how long in all: each takes some hundredths of a second.
_MOST_ASKED = 100
_ASKING = 20.0


class Sockets:
    """The sockets of this host, and the labels that the rules on disk give them; looked at when first asked for."""

    def __init__(self, root: str, policy: str, paths: Callable[[], Sequence[str]]) -> None:
        self._root, self._policy, self._paths = root, policy, paths
        self._expected: Optional[Dict[str, Optional[str]]] = None
        self._fault: Optional[str] = None
        self._same_type = CompiledPolicy(root, policy).same
        self._asked = 0
        self._end = 0.0

    def judged(self, process: Process, directory: str) -> Process:
        """Ask an outdated process's own copy for each of the sockets."""
        from ..doors import heldcopy

        if self._expected is None and self._fault is None:
            self._look()
        if self._expected is None:
            return process._replace(unseen=self._fault)
        left = self._end - time.monotonic()
        if self._asked >= _MOST_ASKED or left <= 0:
            return process._replace(unseen="not asked: that many processes are outdated")
        self._asked += 1
        held = heldcopy.ask(process.pid, list(self._expected), directory, left)
        if held.unseen:
            return process._replace(unseen=held.unseen)
        return processes.judged(process, held.answers, self._expected, self._same_type)._replace(assumed=held.assumed)

    def _look(self) -> None:
        self._end = time.monotonic() + _ASKING
        if os.geteuid() != 0:
            self._fault = "only root may ask its copy"
            return
        try:
            with closing(labeldatabase.LabelDatabase(self._root, self._policy)) as database:
                self._expected = {path: database.lookup(path) for path in self._paths()}
        except HelperError as error:
            self._fault = str(error)


def look(directory: str, running: Callable[[], "Build"],
         sockets: Optional[Sockets] = None, unknown: Optional[List[str]] = None) -> Tuple[List[Process], int, int]:
    """Return who is outdated, how many are not, and how many one may not look at.

    With ``sockets`` those who are outdated are asked for them.  ``unknown`` gets a reason for each process that
    holds a database, of which it cannot be told whether it is outdated.
    """
    found = []
    fresh = unseen = 0
    for pid in procfs.pids():
        held = procfs.held_label_files(pid)
        unseen += held is None
        if not held or not _labels_here(pid):
            continue
        cache = labelfiles.look(pid, directory, held)
        fresh += cache.state == labelcache.FRESH
        if unknown is not None and cache.state == labelcache.UNKNOWN \
                and any(labelcache.part_of(one.path, directory) for one in held):
            unknown.append("; ".join(cache.evidence))
        seen = _seen(pid) if cache.state == labelcache.STALE else None
        if seen:
            refresh = running().refresh if seen.systemd else None
            itself, command = processes.renewal(seen, refresh, observe.policy_load_due(directory))
            one = Process(
                pid, procfs.comm(pid), seen.unit, cache.state, [one.path for one in held],
                labelfiles.outdated_since(held, directory), itself, command, cache.evidence)
            found.append(sockets.judged(one, directory) if sockets else one)
    return found, fresh, unseen


def _labels_here(pid: int) -> bool:
    """Tell whether a process labels anything by the rules of this host: one in a container has its own."""
    return procfs.shares_root(pid) and not (procfs.comm(pid) == _PAM and _is_manager(procfs.executable(pid)))


def _is_manager(program: Optional[str]) -> bool:
    return os.path.basename(program or "") == "systemd"


def _seen(pid: int) -> Optional[Seen]:
    """Look at who a process is; None: it has ended meanwhile."""
    owner = procfs.owner(pid)
    if owner is None:
        return None
    import pwd

    try:
        user = pwd.getpwuid(owner).pw_name
    except KeyError:
        user = "#%d" % owner
    program = procfs.executable(pid) or ""
    own = (program.startswith(_SYSTEMD) or program in _UDEVD) and not procfs.program_replaced(pid)
    return Seen(pid, procfs.unit_of(pid), user, owner, own or pid == 1, _is_manager(program))
