"""The verb ``stale``: says which processes label by outdated rules, and what brings each up to date."""

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
    seen = facts.processes or ProcessFacts()
    found = processes.judge(seen, facts.same_type)
    hidden: List[str] = []
    if seen.unknown:
        hidden.append("whether %d process%s outdated is unknown: %s" % (
            len(seen.unknown), " is" if len(seen.unknown) == 1 else "es are", "; ".join(dict.fromkeys(seen.unknown))))
    if seen.unseen and not facts.privileged:
        hidden.append("%d processes may only be looked at by root" % seen.unseen)
    return dict(documents.envelope("stale", all(process.renews_itself for process in found), False,
                                   parts.looked(facts.host, hidden, hidden)),
                processes=[_shown(process) for process in found], fresh=seen.fresh)


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


VERB = Verb("list the processes that label by outdated rules, and what renews them", _run, reads_reports=True)
