"""The verb ``unregister``: remove the rules that ``register`` added."""

from ..model import plan, profiles, rules
from ..model.typed import Sequence
from ..repair.unregistration import unregister
from . import documents, parts
from . import text as shown
from .context import DRY_RUN, PROFILE_NAMES, Done, Run, Verb, on_host
from .documents import Document, Looked

text = shown.decided


@on_host
def _run(run: Run) -> Done:
    names = run.arguments.names
    chosen, unknown = profiles.select(run.profiles.sockets, names)
    # Rules may remain after their profile is removed, so the name of a unit is enough.
    units = {profile.unit for profile in chosen} | unknown
    choice = (lambda _, owned, __: owned.unit in units) if names else None
    decisions, results = unregister(run.host, choice, run.runner, run.log, run.dry_run)
    return Done(document(decisions, results, run.host.source), text)


def document(decisions: Sequence[rules.Decision], results: Sequence[plan.Result], source: str) -> Document:
    """Return the document."""
    made = documents.envelope(
        "unregister", not any(result.outcome == plan.FAILED for result in results),
        any(result.outcome == plan.DONE for result in results), Looked(source, []))
    return dict(made, rules=parts.decisions(decisions), results=parts.results(results))


VERB = Verb("remove the rules that register added", _run, [PROFILE_NAMES, DRY_RUN], changes=True)
