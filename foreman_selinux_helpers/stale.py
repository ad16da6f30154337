"""Which processes label by outdated rules, and what brings each up to date."""

import os
import shlex
from typing import TYPE_CHECKING, Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from . import labelcache, layout, observe, procfs, selinuxlib
from .converge import REEXEC_COMMAND
from .host import Host
from .refresh import ON_DAEMON_RELOAD, ON_POLICY_LOAD

if TYPE_CHECKING:
    from .detection import Build

Document = Dict[str, Any]

_LOAD_POLICY = "load_policy"
_DAEMON_RELOAD = "systemctl daemon-reload"
# Programs that look labels up with systemd's own code, as PID 1 does.
_SYSTEMD = ("/usr/lib/systemd/", "/lib/systemd/")
_UDEVD = ("/usr/bin/udevadm", "/bin/udevadm")  # since 247 it is a link to this


# A manager's child that waits for the end of a PAM session, and labels nothing (setup_pam() in systemd's
# src/core/execute.c); what it holds it was born with.
_PAM = "(sd-pam)"


class Process(NamedTuple):
    """A process whose label cache is outdated.

    ``held``: the outdated databases; ``since``: when the one was put on disk that it does not hold, in
    seconds since the epoch; ``renews_itself``: at its next look-up; ``renew``: the command that renews
    it now, or None where only who started it can.
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


def stale(host: Host, running: Callable[[], "Build"]) -> Document:
    """Return the document: look at every process of this host.  ``running``: the systemd that is PID 1."""
    found: List[Process] = []
    fresh = unseen = 0
    if host.offline is None and host.policy is not None:
        directory = selinuxlib.label_directory(host.root, host.policy)
        found, fresh, unseen = look(directory, running)
    notes = host.notes()
    if unseen and os.geteuid() != 0:
        notes.append("%d processes may only be looked at by root" % unseen)
    return {"schema": 1, "command": "stale", "ok": all(one.renews_itself for one in found), "changed": False,
            "notes": notes, "processes": [dict(one._asdict()) for one in found], "fresh": fresh}


def look(directory: str, running: Callable[[], "Build"]) -> Tuple[List[Process], int, int]:
    """Return who is outdated, how many are not, and how many one may not look at."""
    found = []
    fresh = unseen = 0
    for pid in procfs.pids():
        held = procfs.held_label_files(pid)
        unseen += held is None
        if not held or not _labels_here(pid):
            continue
        cache = labelcache.compare(held, labelcache.inode_of, directory)
        fresh += cache.state == labelcache.FRESH
        seen = _seen(pid) if cache.state == labelcache.STALE else None
        if seen:
            refresh = running().refresh if seen.systemd else None
            itself, command = renewal(seen, refresh, observe.policy_load_due(directory))
            found.append(Process(
                pid, procfs.comm(pid), seen.unit, cache.state, [one.path for one in held],
                labelcache.outdated_since(held, directory), itself, command, cache.evidence))
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


def text(document: Document, colour: bool = False) -> str:
    """Return the document for a terminal."""
    import time

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
        if one["renews_itself"]:
            lines += layout.entry("renews", "itself, at its next look-up")
        if one["renew"]:
            lines += layout.entry("at once" if one["renews_itself"] else "renew", one["renew"])
        elif not one["renews_itself"]:
            lines += layout.entry("renew", "end it, and start it again as it was started")
    for note in document["notes"]:
        lines += layout.wrap(note, 6, "note: ")
    return "".join(line + "\n" for line in lines)
