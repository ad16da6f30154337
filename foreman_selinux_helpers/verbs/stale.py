"""The verb ``stale``: says which processes label by outdated rules, and what brings each up to date."""

import os
import time

from ..doors import selinuxlib
from ..model import layout
from ..model.facts import Host
from ..model.filecontexts import type_of
from ..model.processes import Process
from ..model.typed import TYPE_CHECKING, Callable, List, Optional, Sequence
from ..sources.processes import Sockets, look
from . import documents, parts
from . import text as shown
from .context import Done, Run, Verb, on_host
from .documents import Document

if TYPE_CHECKING:
    from ..sources.detection import Build


@on_host
def _run(run: Run) -> Done:
    from ..doors.systemd import Systemd

    def paths() -> List[str]:
        found = Systemd(run.runner).listening_paths().values()
        return list(dict.fromkeys([path for one in found for path in one]
                                  + [path for one in run.profiles.sockets for path in one.paths]))

    flow = run.flow(())
    return Done(stale(run.host, lambda: flow.detection.running(run.host.offline), paths), text)


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
    hidden: List[str] = []
    if unknown:
        hidden.append("whether %d process%s outdated is unknown: %s" % (
            len(unknown), " is" if len(unknown) == 1 else "es are", "; ".join(dict.fromkeys(unknown))))
    if unseen and os.geteuid() != 0:
        hidden.append("%d processes may only be looked at by root" % unseen)
    return dict(documents.envelope("stale", all(one.renews_itself for one in found), False,
                                   parts.looked(host, hidden, hidden)),
                processes=[_shown(one) for one in found], fresh=fresh)


def _shown(process: Process) -> Document:
    return dict(process._asdict(), wrong=[dict(one._asdict()) for one in process.wrong])


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
    return shown.joined(lines + shown.notes(document))


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


VERB = Verb("list the processes that label by outdated rules, and what renews them", _run)
