"""Read the processes of this host that label by outdated rules."""

import os
import time
from contextlib import closing

from ..doors import labeldatabase, labelfiles, procfs
from ..model import labelcache
from ..model.errors import HelperError
from ..model.processfacts import Holder, ProcessFacts, Program
from ..model.typed import Callable, Dict, List, Optional, Sequence

# Programs that look up labels with systemd's own code, as PID 1 does.
_SYSTEMD = ("/usr/lib/systemd/", "/lib/systemd/")
_UDEVD = ("/usr/bin/udevadm", "/bin/udevadm")  # since systemd 247 systemd-udevd is a link to it
# A manager's child that waits for the end of a PAM session and labels nothing (setup_pam() in systemd's
# src/core/execute.c); it inherited the databases that it holds.
_PAM = "(sd-pam)"
# The limits for asking outdated processes, in number and in seconds; each takes some hundredths of a second.
_MOST_ASKED = 100
_ASKING = 20.0


class Sockets:
    """The sockets of this host, and their labels by the rules on disk; read at first use."""

    def __init__(self, root: str, policy: str, paths: Callable[[], Sequence[str]]) -> None:
        self._root, self._policy, self._paths = root, policy, paths
        self.expected: Dict[str, Optional[str]] = {}
        self._fault: Optional[str] = None
        self._asked = 0
        self._end: Optional[float] = None

    def ask(self, holder: Holder, directory: str) -> Holder:
        """Look up each of the sockets in an outdated process's own copy of the rules."""
        from ..doors import heldcopy

        if self._end is None:
            self._end = time.monotonic() + _ASKING
            self._read()
        if self._fault is not None:
            return holder._replace(unasked=self._fault)
        remaining = self._end - time.monotonic()
        if self._asked >= _MOST_ASKED or remaining <= 0:
            return holder._replace(unasked="not asked: that many processes are outdated")
        self._asked += 1
        held = heldcopy.ask(holder.program.pid, list(self.expected), directory, remaining)
        if held.unseen:
            return holder._replace(unasked=held.unseen)
        return holder._replace(answers=held.answers, assumed=held.assumed)

    def _read(self) -> None:
        if os.geteuid() != 0:
            self._fault = "only root may ask its copy"
            return
        try:
            with closing(labeldatabase.LabelDatabase(self._root, self._policy)) as database:
                self.expected = {path: database.lookup(path) for path in self._paths()}
        except HelperError as error:
            self._fault = str(error)


def read(directory: str, sockets: Optional[Sockets] = None) -> ProcessFacts:
    """Return the processes that hold outdated databases of a directory, with their answers for ``sockets``."""
    outdated: List[Holder] = []
    unknown: List[str] = []
    fresh = unseen = 0
    for pid in procfs.pids():
        held = procfs.held_label_files(pid)
        unseen += held is None
        if not held or not _labels_here(pid):
            continue
        cache = labelfiles.read(pid, directory, held)
        fresh += cache.state == labelcache.FRESH
        unknown += filter(None, [labelcache.why_unknown(cache, held, directory)])
        program = _read_process(pid) if cache.state == labelcache.STALE else None
        if program:
            holder = Holder(program, procfs.comm(pid), cache, [file.path for file in held],
                            labelfiles.outdated_since(held, directory))
            outdated.append(sockets.ask(holder, directory) if sockets else holder)
    return ProcessFacts(outdated, fresh, unseen, unknown, sockets.expected if sockets else {})


def _labels_here(pid: int) -> bool:
    """Return whether a process labels by the rules of this host; a process in a container has its own rules."""
    return procfs.shares_root(pid) and not (procfs.comm(pid) == _PAM and _is_manager(procfs.executable(pid)))


def _is_manager(program: Optional[str]) -> bool:
    return os.path.basename(program or "") == "systemd"


def _read_process(pid: int) -> Optional[Program]:
    """Return a process's unit, owner and program, or None if it has ended."""
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
    return Program(pid, procfs.unit_of(pid), user, owner, own or pid == 1, _is_manager(program))
