"""The documents of ``--json`` (schema 1): what all of them have."""

from typing import TYPE_CHECKING, Any, Dict, Optional, Sequence

if TYPE_CHECKING:
    from ..model.profiles import BrokenProfile

SCHEMA = 1
Document = Dict[str, Any]


def envelope(command: Optional[str], ok: bool, changed: Optional[bool], notes: Optional[Sequence[str]]) -> Document:
    """Return what every document begins with; only that of a run that failed has no notes."""
    made: Document = {"schema": SCHEMA, "command": command, "ok": ok, "changed": changed}
    if notes is not None:
        made["notes"] = list(notes)
    return made


def failed(command: Optional[str], changed: Optional[bool], error: str) -> Document:
    """Return the document of a run that was cut short; None: it is not known which verb, or whether it changed much."""
    return dict(envelope(command, False, changed, None), error=error)


def add_broken(document: Document, broken: "Sequence[BrokenProfile]") -> Document:
    """Add the profiles that are refused; nothing is well while there are any."""
    if broken:
        document["ok"] = False
        document["broken_profiles"] = [dict(one._asdict()) for one in broken]
    return document
