"""The fields that all documents of ``--json`` (schema 1) have."""

from ..model.typed import TYPE_CHECKING, Any, Dict, Optional, Sequence, Value

if TYPE_CHECKING:
    from ..model.profiles import BrokenProfile

SCHEMA = 1
Document = Dict[str, Any]


class Looked(Value):
    """The source of the facts, notes on them, and what could not be read, with the reason."""

    source: str
    notes: Sequence[str]
    unseen: Sequence[str] = ()


def envelope(command: str, ok: bool, changed: bool, looked: Looked) -> Document:
    """Return the fields that every document has."""
    return dict(_head(command, ok, changed, looked.source), notes=list(looked.notes), unseen=list(looked.unseen))


def failed(command: Optional[str], changed: Optional[bool], origin: Optional[str], error: str) -> Document:
    """Return the document of a failed run; None: the command line does not say, or it is unknown."""
    return dict(_head(command, False, changed, origin), error=error)


def _head(command: Optional[str], ok: bool, changed: Optional[bool], origin: Optional[str]) -> Document:
    return {"schema": SCHEMA, "command": command, "ok": ok, "changed": changed, "source": origin}


def add_broken(document: Document, broken: "Sequence[BrokenProfile]") -> Document:
    """Add the refused profiles, if any; then ``ok`` is false."""
    if broken:
        document["ok"] = False
        document["broken_profiles"] = [dict(profile._asdict()) for profile in broken]
    return document
