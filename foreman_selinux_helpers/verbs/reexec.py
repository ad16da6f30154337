"""The verb ``reexec``: re-executes PID 1 unless a guard refuses."""

from ..model.outcome import Outcome
from . import parts
from . import text as shown
from .context import DRY_RUN, Done, Run, Verb, on_host
from .documents import Document


@on_host
def _run(run: Run) -> Done:
    outcome = run.flow(run.chosen()).reexec(run.dry_run)
    parts.warn(run, outcome)
    return Done(document(outcome), lambda made, colour: text(made, run.dry_run, colour), outcome.refused)


def document(outcome: Outcome) -> Document:
    """Return the document."""
    return parts.acted("reexec", outcome)


def text(document: Document, dry_run: bool = False, colour: bool = False) -> str:
    """Return the document as lines for a terminal."""
    return shown.joined(
        shown.acted(document, dry_run) + shown.label_cache(document["label_cache"]) + shown.notes(document))


VERB = Verb("re-execute PID 1 if its label cache is stale and no guard refuses", _run, [DRY_RUN], changes=True)
