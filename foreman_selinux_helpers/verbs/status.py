"""The verb ``status``: judges every socket, and changes nothing."""

from ..model.outcome import Outcome
from . import parts
from . import text as shown
from .context import PROFILE_NAMES, Done, Run, Verb, on_host
from .documents import Document


@on_host
def _run(run: Run) -> Done:
    outcome = run.flow(run.chosen()).status()
    parts.warn(run, outcome)
    return Done(document(outcome), text)


def document(outcome: Outcome) -> Document:
    """Return the document."""
    return dict(parts.envelope("status", outcome), label_cache=parts.label_cache(outcome.observation.cache),
                sockets=parts.sockets_of(outcome))


def text(document: Document, colour: bool = False) -> str:
    """Return the document as lines for a terminal."""
    lines = shown.table(document["sockets"], colour)
    if not document["sockets"]:
        lines.append("no profiles are installed")
    return shown.joined(lines + shown.label_cache(document["label_cache"]) + shown.notes(document))


VERB = Verb("show what is wrong with each socket, and the fix", _run, [PROFILE_NAMES])
