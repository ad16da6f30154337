"""The verb ``reexec``: re-execute PID 1 unless a guard refuses."""

from ..model.outcome import Outcome
from . import parts
from . import text as shown
from .context import DRY_RUN, Done, Run, Verb, on_host
from .documents import Document

text = shown.acted


@on_host
def _run(run: Run) -> Done:
    outcome = run.flow(run.chosen()).reexec(run.dry_run)
    parts.warn(run, outcome)
    return Done(document(outcome), lambda made, colour: text(made, colour, run.dry_run), outcome.refused)


def document(outcome: Outcome) -> Document:
    """Return the document."""
    return parts.acted("reexec", outcome)


VERB = Verb("re-execute PID 1 if its label cache is stale and no guard refuses", _run, [DRY_RUN], changes=True)
