"""The verb ``detect``: show when systemd renews its label cache, and the evidence."""

from ..model import layout, refresh
from ..model.facts import Facts
from ..model.typed import List, Optional
from . import documents, parts
from . import text as shown
from .context import Done, Run, Verb, on_host
from .documents import Document


@on_host
def _run(run: Run) -> Done:
    source = run.source(run.profiles.sockets)
    facts = source.read_systemd(source.read())
    return Done(document(facts), text)


def document(facts: Facts) -> Document:
    """Return the document."""
    systemd = facts.systemd or refresh.NOT_READ
    due = refresh.reexec_due(systemd)
    upgraded = ["%s: systemd was upgraded, and PID 1 was not re-executed since" % due] if due else []
    return dict(
        documents.envelope("detect", True, False, parts.looked(facts.host, upgraded, facts.unseen_cache)),
        running=dict(systemd.running._asdict()), installed=dict(systemd.installed._asdict()),
        libselinux=systemd.libselinux, reexec_due=bool(due), label_cache=parts.label_cache(facts.cache))


def text(document: Document, colour: bool = False) -> str:
    """Return the text of the document."""
    lines = _build("running", document["running"]) + _build("installed", document["installed"])
    if document["libselinux"]:
        lines.append("libselinux: package %s" % document["libselinux"])
    return shown.joined(lines + shown.label_cache(document["label_cache"]) + shown.notes(document))


def _build(which: str, build: Document) -> List[str]:
    package: Optional[str] = build["evr"]
    head = "systemd %s: %s" % (which, build["version"] or "unknown")
    if package and package not in (build["version"] or ""):
        head += ", package %s" % package
    lines = [head] + layout.entry("refresh", build["refresh"])
    for why in build["evidence"]:
        lines += layout.wrap(why, 4)
    return lines


VERB = Verb("show when this systemd renews its label cache, and the evidence", _run, reads_reports=True)
