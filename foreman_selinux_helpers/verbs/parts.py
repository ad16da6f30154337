"""The parts of documents that several verbs have: what the flow found and did."""

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
    return Looked(host.source, [*host.notes, *notes], unseen)


def profile_notes(views: Sequence[sockets.SocketView]) -> List[str]:
    """Say which profiles do less than they say, for sockets that are in use, and to which sockets all may connect."""
    notes = []
    for view in views:
        if view.seen.in_use and view.idle:
            notes.append("the profile %s does nothing for %s: the policy has no type %s"
                         % (view.profile, view.path, view.wanted.type))
        elif view.own_word:
            notes.append("the policy itself labels %s %s, which counts for more than the profile %s"
                         % (view.path, view.wanted.type, view.profile))
        notes += sockets.mode_notes(view)
    return notes


def permissions(inode: Optional[Permissions]) -> Document:
    """Return the owner, the group and the mode of what is at a path."""
    return {"owner": inode.owner, "group": inode.group, "mode": octal(inode.mode)} if inode else {
        "owner": None, "group": None, "mode": None}


def acted(command: str, outcome: Outcome) -> Document:
    """Return the document of a verb that acts: all but its sockets."""
    made = dict(envelope(command, outcome), label_cache=label_cache(outcome.facts.cache),
                plan=[dict(one._asdict()) for one in outcome.plan], results=results(outcome.results))
    if outcome.error:
        made["error"] = outcome.error  # why what was done could not be looked at
    return made


def sockets_of(outcome: Outcome) -> Document:
    """Return what is known of each socket; where all were asked for, what is wrong comes first."""
    facts = outcome.facts
    if facts.foreign is None:
        return {"sockets": _sockets(facts, outcome.sockets)}
    ordered = sorted(outcome.sockets, key=lambda report: (report.problem is None, report.view.unit, report.view.path))
    return {"sockets": _sockets(facts, ordered), "foreign": [dict(socket._asdict()) for socket in facts.foreign]}


def _sockets(facts: Facts, reports: Sequence[SocketReport]) -> List[Document]:
    answers = facts.cache.answers or {}
    return [{
        "unit": one.view.unit, "profile": one.view.profile or None, "path": one.view.path,
        "expected": one.view.expected, "held_answer": answers.get(one.view.path),
        "path_label": one.view.seen.path_label,
        "socket_label": one.view.seen.socket_label, "problem": one.problem, "remedy": one.remedy,
        "in_use": one.view.seen.in_use, "exists": one.view.seen.exists,
        **permissions(one.view.seen.reach.socket),
    } for one in reports]


def label_cache(cache: LabelCache) -> Document:
    """Return what PID 1's label cache is."""
    return {"state": cache.state, "harmless": cache.harmless, "evidence": list(cache.evidence)}


def results(found: Sequence[Result]) -> List[Document]:
    """Return how each step ended."""
    return [dict(one._asdict()) for one in found]


def decisions(found: Sequence[rules.Decision]) -> List[Document]:
    """Return what is done about each rule."""
    return [{"regex": one.rule.regex, "file_type": one.rule.file_type, "context": one.rule.context,
             "action": one.action, "reason": one.reason, "unit": one.unit} for one in found]
