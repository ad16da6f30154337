"""The verb ``status``: judge every socket, and change nothing."""

from ..model import judgement, plan
from ..model.facts import Facts
from ..model.outcome import Outcome
from . import parts
from . import text as shown
from .context import ALL, PROFILE_NAMES, Done, Run, Verb, on_host
from .documents import Document


@on_host
def _run(run: Run) -> Done:
    run.need_rules()
    source = run.source(run.chosen())
    judged = outcome(source.everything().read_everything() if run.everything else source.read())
    parts.warn(run, judged)
    return Done(document(judged), text)


def outcome(facts: Facts) -> Outcome:
    """Judge every socket."""
    return Outcome(facts, [], [], judgement.reports(facts), [
        "%s: %s; repair starts it again" % (step.target, step.reason) for step in plan.start_steps(facts.stopped)])


def document(judged: Outcome) -> Document:
    """Return the document."""
    return dict(parts.envelope("status", judged), label_cache=parts.label_cache(judged.facts.cache),
                **parts.sockets_of(judged))


def text(document: Document, colour: bool = False) -> str:
    """Return the document as lines for a terminal."""
    lines = shown.table(document, colour)
    if not document["sockets"]:
        lines.append("no socket was found" if "foreign" in document else "no profiles are installed")
    return shown.joined(lines + shown.survey(document, colour) + shown.label_cache(document["label_cache"])
                        + shown.notes(document))


VERB = Verb("show what is wrong with each socket, and the fix", _run, [PROFILE_NAMES, ALL], reads_reports=True)
