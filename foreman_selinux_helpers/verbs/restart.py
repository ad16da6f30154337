"""The verb ``restart``: restarts or relabels the sockets of one unit."""

from ..model import profiles
from ..model.outcome import Outcome
from . import parts
from . import text as shown
from .context import Done, Run, Verb, argument, on_host
from .documents import Document


@on_host
def _run(run: Run) -> Done:
    unit = run.arguments.unit
    chosen = [one for one in run.profiles.sockets if one.unit == unit] or [profiles.unprofiled(unit)]
    outcome = run.flow(chosen).restart()
    parts.warn(run, outcome)
    return Done(document(outcome), text, outcome.refused)


def document(outcome: Outcome) -> Document:
    """Return the document."""
    return dict(parts.acted("restart", outcome), sockets=parts.sockets_of(outcome))


def text(document: Document, colour: bool = False) -> str:
    """Return the document as lines for a terminal."""
    return shown.joined(
        shown.acted(document) + shown.table(document["sockets"], colour)
        + shown.label_cache(document["label_cache"]) + shown.notes(document))


VERB = Verb("restart or relabel the sockets of one unit if they are wrong", _run, [argument("unit", metavar="UNIT")],
            changes=True)
