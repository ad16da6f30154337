"""The parts of documents that several verbs have: what the flow found and did."""



from ..model import rules, sockets
from ..model.facts import Host
from ..model.labelcache import LabelCache
from ..model.outcome import Outcome
from ..model.plan import Result
from ..model.typed import List, Sequence
from . import documents
from .context import Run
from .documents import Document, Looked


def warn(run: Run, outcome: Outcome) -> None:
    """Say in the log what is still to be done."""
    for line in outcome.by_hand:
        run.log.warning(line)


def envelope(command: str, outcome: Outcome) -> Document:
    """Return the beginning of a document about what the flow found and did."""
    facts = outcome.facts
    return documents.envelope(command, outcome.ok, outcome.changed, looked(
        facts.host, profile_notes(facts.sockets), facts.unseen))


def looked(host: Host, notes: Sequence[str] = (), unseen: Sequence[str] = ()) -> Looked:
    """Return what a document says of the host that was looked at."""
    return Looked(documents.source(host.root), [*host.notes, *notes], unseen)


def profile_notes(views: Sequence[sockets.SocketView]) -> List[str]:
    """Return which profiles do less than they say, for sockets that are in use."""
    notes = []
    for view in views:
        if view.seen.in_use and view.idle:
            notes.append("the profile %s does nothing for %s: the policy has no type %s"
                         % (view.profile, view.path, view.wanted.type))
        elif view.own_word:
            notes.append("the policy itself labels %s %s, which counts for more than the profile %s"
                         % (view.path, view.wanted.type, view.profile))
    return notes


def acted(command: str, outcome: Outcome) -> Document:
    """Return the document of a verb that acts: all but its sockets."""
    made = dict(envelope(command, outcome), label_cache=label_cache(outcome.facts.cache),
                plan=[dict(step._asdict()) for step in outcome.plan], results=results(outcome.results))
    if outcome.error:
        made["error"] = outcome.error  # why what was done could not be looked at
    return made


def sockets_of(outcome: Outcome) -> List[Document]:
    """Return what is known of each socket."""
    answers = outcome.facts.cache.answers or {}
    return [{
        "unit": report.view.unit, "profile": report.view.profile, "path": report.view.path,
        "expected": report.view.expected, "held_answer": answers.get(report.view.path),
        "path_label": report.view.seen.path_label,
        "socket_label": report.view.seen.socket_label, "problem": report.problem, "remedy": report.remedy,
        "in_use": report.view.seen.in_use, "exists": report.view.seen.exists,
    } for report in outcome.sockets]


def label_cache(cache: LabelCache) -> Document:
    """Return what PID 1's label cache is."""
    return {"state": cache.state, "harmless": cache.harmless, "evidence": list(cache.evidence)}


def results(ended: Sequence[Result]) -> List[Document]:
    """Return how each step ended."""
    return [dict(result._asdict()) for result in ended]


def decisions(decided: Sequence[rules.Decision]) -> List[Document]:
    """Return what is done about each rule."""
    return [{"regex": decision.rule.regex, "file_type": decision.rule.file_type, "context": decision.rule.context,
             "action": decision.action, "reason": decision.reason, "unit": decision.unit} for decision in decided]
