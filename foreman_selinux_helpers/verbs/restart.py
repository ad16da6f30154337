"""The verb ``restart``: restart or relabel the sockets of one unit."""

from ..model import profiles
from ..model.outcome import Outcome
from . import parts
from . import text as shown
from .context import Done, Run, Verb, argument, on_host
from .documents import Document

text = shown.acted


@on_host
def _run(run: Run) -> Done:
    unit = run.arguments.unit
    chosen = [profile for profile in run.profiles.sockets if profile.unit == unit] or [profiles.unprofiled(unit)]
    outcome = run.flow(chosen).restart()
    parts.warn(run, outcome)
    return Done(document(outcome), text, outcome.refused)


def document(outcome: Outcome) -> Document:
    """Return the document."""
    return dict(parts.acted("restart", outcome), **parts.sockets_of(outcome))


VERB = Verb("restart or relabel the sockets of one unit if they are wrong", _run, [argument("unit", metavar="UNIT")],
            changes=True)
