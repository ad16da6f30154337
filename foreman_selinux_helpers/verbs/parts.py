"""The parts of documents that several verbs share."""

from ..model import rules, sockets
from ..model.facts import Facts, Host
from ..model.labelcache import LabelCache
from ..model.modes import Permissions, octal
from ..model.outcome import Outcome, SocketReport
from ..model.plan import Result
from ..model.typed import List, Optional, Sequence
from . import documents
from .context import Run
from .documents import Document, Looked


def warn(run: Run, outcome: Outcome) -> None:
    """Log what the administrator has to do."""
    for line in outcome.by_hand:
        run.log.warning(line)


def envelope(command: str, outcome: Outcome) -> Document:
    """Return the common fields of a document about an outcome."""
    facts = outcome.facts
    return documents.envelope(command, outcome.ok, outcome.changed, looked(
        facts.host, profile_notes(facts.sockets), facts.unseen))


def looked(host: Host, notes: Sequence[str] = (), unseen: Sequence[str] = ()) -> Looked:
    """Return what a document says of the host that was looked at."""
    return Looked(host.source, [*host.notes, *notes], unseen)


def profile_notes(views: Sequence[sockets.SocketView]) -> List[str]:
    """Return which profiles of used sockets have less effect than they say, and to which sockets all may connect."""
    notes = []
    for view in views:
        if view.seen.in_use and view.idle:
            notes.append("the profile %s does nothing for %s: the policy has no type %s"
                         % (view.profile, view.path, view.wanted.type))
        elif view.own_word:
            notes.append("the policy itself labels %s %s, which takes precedence over the profile %s"
                         % (view.path, view.wanted.type, view.profile))
        notes += sockets.mode_notes(view)
    return notes


def permissions(inode: Optional[Permissions]) -> Document:
    """Return the owner, the group and the mode of a file."""
    return {"owner": inode.owner, "group": inode.group, "mode": octal(inode.mode)} if inode else {
        "owner": None, "group": None, "mode": None}


def acted(command: str, outcome: Outcome) -> Document:
    """Return the document of a verb that acts, without the sockets."""
    made = dict(envelope(command, outcome), label_cache=label_cache(outcome.facts.cache),
                plan=[dict(step._asdict()) for step in outcome.plan], results=results(outcome.results))
    if outcome.error:
        made["error"] = outcome.error
    return made


def sockets_of(outcome: Outcome) -> Document:
    """Return the sockets; if all were requested, the wrong ones come first."""
    facts = outcome.facts
    if facts.foreign is None:
        return {"sockets": _sockets(facts, outcome.sockets)}
    ordered = sorted(outcome.sockets, key=lambda report: (report.problem is None, report.view.unit, report.view.path))
    return {"sockets": _sockets(facts, ordered), "foreign": [dict(socket._asdict()) for socket in facts.foreign]}


def _sockets(facts: Facts, reports: Sequence[SocketReport]) -> List[Document]:
    answers = facts.cache.answers or {}
    return [{
        "unit": report.view.unit, "profile": report.view.profile or None, "path": report.view.path,
        "expected": report.view.expected, "held_answer": answers.get(report.view.path),
        "path_label": report.view.seen.path_label,
        "socket_label": report.view.seen.socket_label, "expected_socket_label": report.view.wanted.socket_label,
        "problem": report.problem, "remedy": report.remedy,
        "in_use": report.view.seen.in_use, "exists": report.view.seen.exists,
        **permissions(report.view.seen.reach.socket),
    } for report in reports]


def label_cache(cache: LabelCache) -> Document:
    """Return the state of PID 1's label cache."""
    return {"state": cache.state, "harmless": cache.harmless, "evidence": list(cache.evidence)}


def results(ended: Sequence[Result]) -> List[Document]:
    """Return the result of each step."""
    return [dict(result._asdict()) for result in ended]


def decisions(decided: Sequence[rules.Decision]) -> List[Document]:
    """Return the decision about each rule."""
    return [{"regex": decision.rule.regex, "file_type": decision.rule.file_type, "context": decision.rule.context,
             "action": decision.action, "reason": decision.reason, "unit": decision.unit} for decision in decided]
