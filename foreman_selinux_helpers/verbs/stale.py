"""The verb ``stale``: list the processes that label by outdated rules, and what renews each."""

import time

from ..model import layout, processes
from ..model.facts import Facts
from ..model.filecontexts import type_of
from ..model.processes import Process
from ..model.processfacts import ProcessFacts
from ..model.typed import List, Optional
from . import documents, parts
from . import text as shown
from .context import Done, Run, Verb, on_host
from .documents import Document


@on_host
def _run(run: Run) -> Done:
    return Done(document(run.source(run.profiles.sockets).read_processes()), text)


def document(facts: Facts) -> Document:
    """Return the document."""
    known = facts.processes or ProcessFacts()
    outdated = processes.judge(known, facts.same_type)
    hidden: List[str] = []
    if known.unknown:
        hidden.append("whether %d process%s outdated is unknown: %s" % (
            len(known.unknown), " is" if len(known.unknown) == 1 else "es are",
            "; ".join(dict.fromkeys(known.unknown))))
    if known.unseen and not facts.privileged:
        hidden.append("%d processes can only be read by root" % known.unseen)
    return dict(documents.envelope("stale", all(process.renews_itself for process in outdated), False,
                                   parts.looked(facts.host, hidden, hidden)),
                processes=[_shown(process) for process in outdated], fresh=known.fresh)


def _shown(process: Process) -> Document:
    return dict(process._asdict(), wrong=[dict(socket._asdict()) for socket in process.wrong])


def text(document: Document, colour: bool = False) -> str:
    """Return the text of the document."""
    outdated = document["processes"]
    fresh = "%d hold%s the rules that are on disk" % (document["fresh"], "s" if document["fresh"] == 1 else "")
    lines = []
    if outdated:
        head = "%d process%s by outdated rules" % (len(outdated), " labels" if len(outdated) == 1 else "es label")
        lines.append(layout.paint(head, "heading" if document["ok"] else "bad", colour) + "; " + fresh)
    elif not document["notes"]:
        lines.append(layout.paint("no process labels by outdated rules", "good", colour) + "; " + fresh)
    rows = layout.table([(str(process["pid"]), process["comm"], process["unit"] or "-", "since " + time.strftime(
        "%d %b %H:%M", time.localtime(process["since"])) if process["since"] else "") for process in outdated])
    for process, row in zip(outdated, rows):
        lines.append(row)
        lines += _judgement(process)
        if process["renews_itself"]:
            lines += layout.entry("renews", "itself, at its next look-up")
        if process["renew"]:
            lines += layout.entry("at once" if process["renews_itself"] else "renew", process["renew"])
        elif not process["renews_itself"]:
            lines += layout.entry("renew", "stop it, and start it again as it was started")
    return shown.joined(lines + shown.notes(document))


def _judgement(process: Document) -> List[str]:
    """Return the lines about the sockets that a process would label wrongly."""
    if process["harmless"]:
        return layout.entry("labels", "all sockets of this host correctly nevertheless")
    lines: List[str] = []
    for socket in process["wrong"]:
        lines += layout.entry("would label", "%s %s, and the rules say %s" % (
            socket["path"], _short(socket["held_answer"]), _short(socket["expected"])))
    return lines if process["unseen"] is None else lines + layout.entry("sockets", "unknown: %s" % process["unseen"])


def _short(label: Optional[str]) -> str:
    return type_of(label) if label else "by no rule"


VERB = Verb("list the processes that label by outdated rules, and what renews them", _run, reads_reports=True)
