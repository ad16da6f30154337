"""The verb ``detect``: says when systemd renews its label cache, and how that is known."""

from ..model import layout
from ..model.facts import Host
from ..model.labelcache import LabelCache
from ..model.typed import TYPE_CHECKING, List, Optional, Value
from . import documents, parts
from . import text as shown
from .context import Done, Run, Verb, on_host
from .documents import Document

if TYPE_CHECKING:
    from ..sources.detection import Build


class Found(Value):
    """What was found; ``reexec_due`` says why the running PID 1 is not the installed one."""

    running: "Build"
    installed: "Build"
    libselinux: Optional[str]
    reexec_due: Optional[str]
    cache: LabelCache


@on_host
def _run(run: Run) -> Done:
    flow, offline = run.flow(run.profiles.sockets), run.host.offline
    systemd = flow.detection
    found = Found(systemd.running(offline), systemd.installed(), systemd.libselinux(), systemd.reexec_due(offline),
                  flow.look().cache)
    return Done(document(found, run.host), text)


def document(found: Found, host: Host) -> Document:
    """Return the document."""
    upgraded = ["%s: systemd was upgraded, and PID 1 was not re-executed since" % found.reexec_due] \
        if found.reexec_due else []
    return dict(
        documents.envelope("detect", True, False, parts.looked(host, upgraded, parts.unseen_of(host, found.cache))),
        running=dict(found.running._asdict()), installed=dict(found.installed._asdict()),
        libselinux=found.libselinux, reexec_due=bool(found.reexec_due), label_cache=parts.label_cache(found.cache))


def text(document: Document, colour: bool = False) -> str:
    """Return the document as lines for a terminal."""
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


VERB = Verb("show when this systemd renews its label cache, and the evidence", _run)
