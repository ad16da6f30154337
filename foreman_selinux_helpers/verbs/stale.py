"""Which processes label by outdated rules, and what brings each up to date."""

import os
import shlex
import time
from typing import TYPE_CHECKING, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from ..doors import labelfiles, procfs, selinuxlib
from ..model import labelcache, layout
from ..model.errors import HelperError
from ..model.facts import Host
from ..model.filecontexts import type_of
from ..model.labelcache import Wrong
from ..model.refresh import ON_DAEMON_RELOAD, ON_POLICY_LOAD
from ..repair.converge import REEXEC_COMMAND
from ..sources import host as hosts
from ..sources import observe
from . import documents
from .context import Done, Run, Verb, on_host
from .documents import Document

if TYPE_CHECKING:
    from ..sources.detection import Build

_LOAD_POLICY = "load_policy"
_DAEMON_RELOAD = "systemctl daemon-reload"
# Programs that look labels up with systemd's own code, as PID 1 does.
_SYSTEMD = ("/usr/lib/systemd/", "/lib/systemd/")
_UDEVD = ("/usr/bin/udevadm", "/bin/udevadm")  # since 247 it is a link to this


# A manager's child that waits for the end of a PAM session, and labels nothing (setup_pam() in systemd's
# src/core/execute.c); what it holds it was born with.
_PAM = "(sd-pam)"
# How many outdated processes are asked, and for how long in all: each takes some hundredths of a second.
_MOST_ASKED = 100
_ASKING = 20.0


class Process(NamedTuple):
    """A process whose label cache is outdated.

    ``held``: the outdated databases; ``since``: when the one was put on disk that it does not hold, in
    seconds since the epoch; ``renews_itself``: at its next look-up; ``renew``: the command that renews
    it now, or None where only who started it can.

    ``harmless``: it would label the sockets of this host rightly all the same (None: unknown, and ``unseen``
    says why); ``wrong``: those that it would not; ``assumed``: what was taken for granted of its copy.
    """

    pid: int
    comm: str
    unit: Optional[str]
    state: str
    held: List[str]
    since: Optional[int]
    renews_itself: bool
    renew: Optional[str]
    evidence: List[str]
    harmless: Optional[bool] = None
    wrong: Sequence[Wrong] = ()
    unseen: Optional[str] = None
    assumed: Optional[str] = None


class Sockets:
    """The sockets of this host, and the labels that the rules on disk give them; looked at when first asked for."""

    def __init__(self, root: str, policy: str, paths: Callable[[], Sequence[str]]) -> None:
        self._root, self._policy, self._paths = root, policy, paths
        self._expected: Optional[Dict[str, Optional[str]]] = None
        self._fault: Optional[str] = None
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
        wrong = [Wrong(path, held.answers[path], expected) for path, expected in self._expected.items()
                 if not self._same(held.answers[path], expected)]
        return process._replace(harmless=not wrong, wrong=wrong, assumed=held.assumed)

    def _look(self) -> None:
        self._end = time.monotonic() + _ASKING
        if os.geteuid() != 0:
            self._fault = "only root may ask its copy"
            return
        try:
            database = selinuxlib.LabelDatabase(self._root, self._policy)
            try:
                self._expected = {path: database.lookup(path) for path in self._paths()}
            finally:
                database.close()
        except HelperError as error:
            self._fault = str(error)

    def _same(self, one: Optional[str], other: Optional[str]) -> bool:
        """Tell whether two labels are the same, by whatever name of the type."""
        if one == other or one is None or other is None:
            return one == other
        from ..doors.policydb import CompiledPolicy

        ours, theirs = one.split(":", 3), other.split(":", 3)
        return ours[:2] + ours[3:] == theirs[:2] + theirs[3:] \
            and CompiledPolicy(self._root, self._policy).same(type_of(one), type_of(other))


class Seen(NamedTuple):
    """What is known of a process before it is judged: who it is, and what it runs.

    ``systemd``: it is one of systemd's programs, and still the one on disk; ``manager``: it is a manager of units.
    """

    pid: int
    unit: Optional[str]
    user: str
    user_id: int
    systemd: bool
    manager: bool


def stale(host: Host, running: Callable[[], "Build"], paths: Callable[[], Sequence[str]] = tuple) -> Document:
    """Return the document: look at every process of this host.

    ``running``: the systemd that is PID 1; ``paths``: where the sockets of this host are.
    """
    found: List[Process] = []
    fresh = unseen = 0
    unknown: List[str] = []
    if host.offline is None and host.policy is not None:
        directory = selinuxlib.label_directory(host.root, host.policy)
        found, fresh, unseen = look(directory, running, Sockets(host.root, host.policy, paths), unknown)
    notes = hosts.notes(host)
    if unknown:
        notes.append("whether %d process%s outdated is unknown: %s" % (
            len(unknown), " is" if len(unknown) == 1 else "es are", "; ".join(dict.fromkeys(unknown))))
    if unseen and os.geteuid() != 0:
        notes.append("%d processes may only be looked at by root" % unseen)
    return dict(documents.envelope("stale", all(one.renews_itself for one in found), False, notes),
                processes=[_shown(one) for one in found], fresh=fresh)


def _shown(process: Process) -> Document:
    shown = dict(process._asdict())
    shown["wrong"] = [dict(one._asdict()) for one in process.wrong]
    return shown


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
            itself, command = renewal(seen, refresh, observe.policy_load_due(directory))
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


def renewal(seen: Seen, refresh: Optional[str], policy_load_due: bool) -> Tuple[bool, Optional[str]]:
    """Tell whether a process renews its label cache itself, and the command that renews it now.

    ``refresh`` is the behaviour of systemd's programs, ``policy_load_due`` that the kernel has not
    loaded a policy since the rules changed, which is what they notice.
    """
    if seen.systemd and refresh == ON_POLICY_LOAD and policy_load_due:
        return False, _LOAD_POLICY
    itself = seen.systemd and refresh == ON_POLICY_LOAD
    if seen.pid == 1:
        return itself, _DAEMON_RELOAD if refresh == ON_DAEMON_RELOAD else REEXEC_COMMAND
    if seen.manager:
        # A user's own manager is told by the user (systemctl(1)); -M USER@ came with 248.
        return itself, "runuser -u %s -- env XDG_RUNTIME_DIR=/run/user/%d systemctl --user daemon-reexec" % (
            shlex.quote(seen.user), seen.user_id)
    if seen.unit and seen.unit.endswith(".service") and not seen.unit.startswith("user@"):
        return itself, "systemctl restart %s" % shlex.quote(seen.unit)
    return itself, None


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


# -- for people ------------------------------------------------------------------------------


def _judgement(process: Document) -> List[str]:
    """Say which sockets a process would label wrongly."""
    if process["harmless"]:
        return layout.entry("labels", "all sockets of this host rightly all the same")
    lines: List[str] = []
    for one in process["wrong"]:
        lines += layout.entry("would label", "%s %s, and the rules say %s" % (
            one["path"], _short(one["held_answer"]), _short(one["expected"])))
    return lines if process["unseen"] is None else lines + layout.entry("sockets", "unknown: %s" % process["unseen"])


def _short(label: Optional[str]) -> str:
    return type_of(label) if label else "by no rule"


def text(document: Document, colour: bool = False) -> str:
    """Return the document for a terminal."""
    found = document["processes"]
    fresh = "%d hold%s the rules that are on disk" % (document["fresh"], "s" if document["fresh"] == 1 else "")
    lines = []
    if found:
        head = "%d process%s by outdated rules" % (len(found), " labels" if len(found) == 1 else "es label")
        lines.append(layout.paint(head, "heading" if document["ok"] else "bad", colour) + "; " + fresh)
    elif not document["notes"]:
        lines.append(layout.paint("no process labels by outdated rules", "good", colour) + "; " + fresh)
    rows = layout.table([(str(one["pid"]), one["comm"], one["unit"] or "-", "since " + time.strftime(
        "%d %b %H:%M", time.localtime(one["since"])) if one["since"] else "") for one in found])
    for one, row in zip(found, rows):
        lines.append(row)
        lines += _judgement(one)
        if one["renews_itself"]:
            lines += layout.entry("renews", "itself, at its next look-up")
        if one["renew"]:
            lines += layout.entry("at once" if one["renews_itself"] else "renew", one["renew"])
        elif not one["renews_itself"]:
            lines += layout.entry("renew", "end it, and start it again as it was started")
    for note in document["notes"]:
        lines += layout.wrap(note, 6, "note: ")
    return "".join(line + "\n" for line in lines)


@on_host
def _run(run: Run) -> Done:
    from ..doors.systemd import Systemd

    def paths() -> List[str]:
        found = Systemd(run.runner).listening_paths().values()
        return list(dict.fromkeys([path for one in found for path in one]
                                  + [path for one in run.profiles.sockets for path in one.paths]))

    flow = run.flow(())
    return Done(stale(run.host, lambda: flow.detection.running(run.host.offline), paths), text)


VERB = Verb("say which processes label by outdated rules, and what renews them", _run)
