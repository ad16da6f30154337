"""The verb ``register``: register only the rules."""

from ..model import plan
from ..model.outcome import Outcome
from . import documents, parts
from . import text as shown
from .context import DRY_RUN, PROFILE_NAMES, Done, Run, Verb, on_host
from .documents import Document

text = shown.decided


@on_host
def _run(run: Run) -> Done:
    outcome = run.flow(run.chosen()).register(run.dry_run)
    parts.warn(run, outcome)
    return Done(document(outcome), text, outcome.refused)


def document(outcome: Outcome) -> Document:
    """Return the document."""
    made = documents.envelope("register", not any(result.outcome == plan.FAILED for result in outcome.results),
                              outcome.changed, parts.looked(outcome.facts.host))
    return dict(made, rules=parts.decisions(outcome.facts.rules.decisions), results=parts.results(outcome.results))


VERB = Verb("register the rules only", _run, [PROFILE_NAMES, DRY_RUN], changes=True)
