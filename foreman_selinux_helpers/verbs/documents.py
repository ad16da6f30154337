"""The documents of ``--json`` (schema 1): what all of them have."""

from ..model.typed import TYPE_CHECKING, Any, Dict, Optional, Sequence, Value

if TYPE_CHECKING:
    from ..model.profiles import BrokenProfile

SCHEMA = 1
Document = Dict[str, Any]


# Where facts are read from.
HOST = "host"
IMAGE = "image"


class Looked(Value):
    """What was looked at: the source, what is to be noted, and what could not be seen, with the reason."""

    source: str
    notes: Sequence[str]
    unseen: Sequence[str] = ()


def source(root: str) -> str:
    """Return what facts are read from, with this root directory."""
    return IMAGE if root.strip("/") else HOST


def envelope(command: str, ok: bool, changed: bool, looked: Looked) -> Document:
    """Return what every document begins with."""
    return dict(_head(command, ok, changed, looked.source), notes=list(looked.notes), unseen=list(looked.unseen))


def failed(command: Optional[str], changed: Optional[bool], origin: Optional[str], error: str) -> Document:
    """Return the document of a run that failed; None: the command line does not say, or only the next run can tell."""
    return dict(_head(command, False, changed, origin), error=error)


def _head(command: Optional[str], ok: bool, changed: Optional[bool], origin: Optional[str]) -> Document:
    return {"schema": SCHEMA, "command": command, "ok": ok, "changed": changed, "source": origin}


def add_broken(document: Document, broken: "Sequence[BrokenProfile]") -> Document:
    """Add the profiles that are refused; nothing is well while there are any."""
    if broken:
        document["ok"] = False
        document["broken_profiles"] = [dict(profile._asdict()) for profile in broken]
    return document
