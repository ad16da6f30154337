"""The verb ``repair``: register the rules, refresh PID 1, repair the sockets, and verify."""

from ..model.outcome import Outcome
from . import parts
from . import text as shown
from .context import ALL, DRY_RUN, PROFILE_NAMES, Done, Run, Verb, on_host
from .documents import Document

text = shown.acted


@on_host
def _run(run: Run) -> Done:
    flow = run.flow(run.chosen())
    outcome = flow.repair_everything(run.dry_run) if run.everything else flow.repair(run.dry_run)
    parts.warn(run, outcome)
    return Done(document(outcome), lambda made, colour: text(made, colour, run.dry_run), outcome.refused,
                planned=run.dry_run)


def document(outcome: Outcome) -> Document:
    """Return the document."""
    return dict(parts.acted("repair", outcome), **parts.sockets_of(outcome))


VERB = Verb("register the rules, refresh PID 1, restart or relabel, verify", _run, [PROFILE_NAMES, ALL, DRY_RUN],
            changes=True)
