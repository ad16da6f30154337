"""The verb ``repair``: the whole flow."""

from ..model.outcome import Outcome
from . import parts
from . import text as shown
from .context import DRY_RUN, PROFILE_NAMES, Done, Run, Verb, on_host
from .documents import Document


@on_host
def _run(run: Run) -> Done:
    outcome = run.flow(run.chosen()).repair(run.dry_run)
    parts.warn(run, outcome)
    return Done(document(outcome), lambda made, colour: text(made, run.dry_run, colour), outcome.refused,
                planned=run.dry_run)


def document(outcome: Outcome) -> Document:
    """Return the document."""
    return dict(parts.acted("repair", outcome), sockets=parts.sockets_of(outcome))


def text(document: Document, dry_run: bool = False, colour: bool = False) -> str:
    """Return the document as lines for a terminal."""
    return shown.joined(
        shown.acted(document, dry_run) + shown.table(document["sockets"], colour)
        + shown.label_cache(document["label_cache"]) + shown.notes(document))


VERB = Verb("register the rules, refresh PID 1, restart or relabel, verify", _run, [PROFILE_NAMES, DRY_RUN],
            changes=True)
