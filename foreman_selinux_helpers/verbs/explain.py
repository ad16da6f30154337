"""The verb ``explain``: show why a path has its label, and the remedy."""

import time
from contextlib import closing

from ..model import access, explanation, judgement, labelcache, layout
from ..model.access import ClientFacts
from ..model.errors import UsageError
from ..model.explanation import Judgement
from ..model.facts import Facts
from ..model.filecontexts import SOCKET, Rule, type_of
from ..model.outcome import SocketReport
from ..model.pathfacts import Listener, PathFacts, UnitSocket, plain_path
from ..model.profiles import unprofiled
from ..model.typed import Any, List, Optional, Tuple
from ..sources import pathfacts
from ..sources.filecontexts import FileContextsOnDisk
from ..sources.host import HostSource
from . import documents, parts
from . import text as shown
from .context import Done, Run, Verb, argument, on_host
from .documents import Document, Looked


@on_host
def _run(run: Run) -> Done:
    host, arguments = run.host, run.arguments
    run.need_rules()
    path = plain_path(arguments.path)
    document = _empty(path, arguments.kind, parts.looked(host))
    if host.policy_type is None:
        inode = pathfacts.read_inode(host.root, path, False)
        document.update(exists=inode is not None, file_type=arguments.kind or (inode.kind if inode else SOCKET))
        return Done(document, text)
    source = run.source(run.profiles.sockets)
    with closing(source.on_disk()) as on_disk:
        return Done(_Explanation(run, source, on_disk, document).tell(), text)


def _empty(path: str, kind: Optional[str], looked: Looked) -> Document:
    """Return the document without any facts."""
    return dict(
        documents.envelope("explain", True, False, looked),
        path=path, canonical=path, file_type=kind or SOCKET, exists=False, substitutions=[],
        rule=None, rule_untold=False, beaten=[], other_file_types=[], expected=None, path_label=None,
        socket_label=None, expected_socket_label=None, unit=None, profile=None, type=None,
        own_word=None, listeners=[], label_cache=None, refresh=None, client=None, denials=[],
        cause=None, why=None, remedy=None, command_to_run=None, **parts.permissions(None))


class _Explanation:
    """One run of the verb; fills in the document."""

    def __init__(self, run: Run, source: HostSource, on_disk: FileContextsOnDisk, document: Document) -> None:
        self.run = run
        self.source = source
        self.paths = source.paths(on_disk)
        self.contexts = pathfacts.contexts_of(run.host, on_disk)
        self.document = document
        self.live = run.host.offline is None
        self._facts: Optional[Facts] = None

    @property
    def facts(self) -> Facts:
        """The facts about the sockets of the profiles, or of the unit that has the path."""
        if self._facts is None:
            self._facts = self.source.read()
        return self._facts

    def tell(self) -> Document:
        """Look, judge, and return the document."""
        host, asked, kind = self.run.host, self.document["path"], self.run.arguments.kind
        inode = self.paths.inode(asked)
        file_type = kind or (inode.kind if inode else SOCKET)
        path = self.paths.followed(asked, self.contexts.equivalences)
        if path != asked:
            self._note("a symbolic link on the way leads to %s" % path)
        report, unit = self._report(path) if file_type == SOCKET else (None, None)
        facts = self.paths.facts(self.contexts, pathfacts.Place(host, path, file_type, inode), report is not None,
                                 bool(report and report.view.profile))
        self._describe(facts, unit)
        if report:
            self._describe_socket(report)
        if file_type == SOCKET and self.live:
            self._systemd()
        socket = UnitSocket(*report, self.facts.rules.decisions, self.facts.cache) if report else None
        judged = explanation.judge(facts, socket, self.contexts)
        self.document["notes"] += judged.notes
        judged = self._client(judged, facts, socket)
        self.document.update(cause=judged.cause, why=judged.why, remedy=judged.remedy or judged.command,
                             command_to_run=judged.command, ok=judged.cause is None)
        if self.live and file_type == SOCKET:
            self._denials(path)
        return self.document

    def _note(self, words: str) -> None:
        self.document["notes"].append(words)

    # -- facts -------------------------------------------------------------------------------

    def _report(self, path: str) -> Tuple[Optional[SocketReport], Optional[str]]:
        """Return the judged socket with this path, of a profile or else of any unit, and the unit."""
        canonical = self.contexts.equivalences.canonical
        report = self._of_path(path)
        if report:
            return report, report.view.unit
        for unit, paths in self.source.listening_paths().items():
            if any(canonical(listened) == canonical(path) for listened in paths):
                # A profile that has only a regex already includes the paths of its unit.
                self.source, self._facts = self.source.of([unprofiled(unit)]), None
                return self._of_path(path), unit
        return None, None

    def _of_path(self, path: str) -> Optional[SocketReport]:
        canonical = self.contexts.equivalences.canonical
        reports = [report for report in judgement.reports(self.facts) if canonical(report.view.path) == canonical(path)]
        return next((report for report in reports if report.view.seen.listening), next(iter(reports), None))

    def _client(self, judged: Judgement, facts: PathFacts, socket: Optional[UnitSocket]) -> Judgement:
        """Query the policy whether the client may connect; a denial counts only if nothing else is wrong."""
        given = wanted = self.run.arguments.client
        if given is None and socket:
            wanted = next((profile.client for profile in self.run.profiles.sockets
                           if profile.unit == socket.view.unit), None)
        if wanted is None or facts.file_type != SOCKET:
            return judged
        if not self.live:
            self._note("whether %s may connect is not checked here: that requires the running kernel" % wanted)
            return judged
        view = explanation.view_of(facts, socket, judged.wanted, self.document["socket_label"])
        asked = self.paths.client(wanted, view)
        if asked is None:
            if given:
                raise UsageError("--client %s: %s" % (given, self.paths.no_client))
            self._note("the profile names %s as its client: %s" % (wanted, self.paths.no_client))
            return judged
        self.document["client"] = _client_of(asked)
        if not self.paths.enforcing():
            self._note("SELinux is permissive: denials are logged, but not enforced")
        judged = explanation.judge_client(judged, asked)
        if judged.cause is None and view.seen.exists and (view.seen.listening or view.seen.foreign):
            report = judgement.client_report(self.facts, view, asked)
            if report.problem:
                return Judgement(report.problem, explanation.on_the_way(wanted), report.remedy, report.command)
        return judged

    def _denials(self, path: str) -> None:
        found, hidden = self.paths.denials(path)
        self.document["denials"] = [dict(one._asdict()) for one in found]
        self.document["notes"] += hidden
        self.document["unseen"] += hidden

    # -- the document ------------------------------------------------------------------------

    def _describe(self, facts: PathFacts, unit: Optional[str]) -> None:
        verdict, own = facts.verdict, facts.own
        self.document.update(
            canonical=verdict.path, file_type=facts.file_type, exists=facts.inode is not None,
            expected=facts.expected, path_label=own.label if own else None,
            substitutions=[{"file": line.file, "line": line.line, "from": line.source, "to": line.target}
                           for line in verdict.substitutions],
            rule=_rule(verdict.rule), rule_untold=verdict.untold, beaten=[_rule(rule) for rule in verdict.beaten],
            other_file_types=[_rule(rule) for rule in verdict.mismatched], unit=unit,
            listeners=[dict(listener._asdict()) for listener in facts.listeners],
            socket_label=next((listener.socket_label for listener in facts.listeners if listener.socket_label), None))
        self.document.update(parts.permissions(own.permissions if own else None))
        self.document["notes"] += explanation.notes(facts)

    def _describe_socket(self, report: SocketReport) -> None:
        view = report.view
        self.document.update(profile=view.profile or None, type=view.wanted.type or None, own_word=view.own_word,
                             expected_socket_label=view.wanted.socket_label,
                             socket_label=view.seen.socket_label or self.document["socket_label"])
        self.document["notes"] += parts.profile_notes([view])
        self.document["unseen"] += filter(None, [view.seen.reach.unseen])

    def _systemd(self) -> None:
        cache, running = self.facts.cache, self.source.running()
        self.document["unseen"] += self.facts.unseen_cache
        self.document["label_cache"] = {"state": cache.state, "evidence": list(cache.evidence)}
        self.document["refresh"] = {"version": running.version, "refresh": running.refresh,
                                    "evidence": list(running.evidence)}


def _rule(rule: Optional[Rule]) -> Optional[Document]:
    return dict(rule._asdict()) if rule else None


def _client_of(client: ClientFacts) -> Document:
    return {"domain": client.domain, "context": client.context,
            "allowed": _all(check.allowed for check in client.checks),
            "allowed_when_right": _all(check.right_allowed for check in client.checks),
            "checks": [dict(check._asdict()) for check in client.checks],
            "reasons": [{"reason": why[0], "booleans": why[1]} for why in client.whys if why]}


def _all(answers: Any) -> Optional[bool]:
    known = list(answers)
    return False if False in known else None if None in known else True


def text(document: Document, colour: bool = False) -> str:
    """Return the text of the document."""
    cause = document["cause"]
    well = "ok" if document["exists"] else "ok, nothing is there"
    head = layout.paint("WRONG: %s" % cause, "bad", colour) if cause else layout.paint(well, "good", colour)
    lines = ["%s  %s" % (layout.printable(document["path"]), head)]
    if document["why"]:
        lines += layout.wrap(document["why"], 4)
    lines += ["", layout.paint("which rule", "heading", colour)]
    for substitution in document["substitutions"]:
        lines += layout.entry("looked up", "%s, since %s stands for %s" % (
            document["canonical"], substitution["from"], substitution["to"]))
        lines += layout.entry("", "%s:%d" % (substitution["file"], substitution["line"]))
    untold = document["rule_untold"]
    lines += layout.entry("wins", "- (unknown)") if untold else _rule_lines("wins", document["rule"])
    for number, rule in enumerate(document["beaten"]):
        lines += _rule_lines("" if number else "matches" if untold else "beats", rule)
    for number, rule in enumerate(document["other_file_types"]):
        lines += _rule_lines("other types" if number == 0 else "", rule)
    lines += ["", layout.paint("which label", "heading", colour)]
    lines += layout.entry("file type", document["file_type"])
    if document["type"]:
        whose = "the policy's own word, over the profile" if document["own_word"] else "profile"
        lines += layout.entry("wanted", "%s (%s %s)" % (document["type"], whose, document["profile"]))
    lines += layout.entry("expected", document["expected"] or "- (no label by the rules)")
    if document["exists"]:
        lines += layout.entry("path label", document["path_label"] or "-")
    lines += shown.permissions(document)
    if document["file_type"] == SOCKET:
        if document["exists"]:
            lines += layout.entry("socket label", document["socket_label"] or "-")
        if document["expected_socket_label"] not in (None, document["socket_label"]):
            lines += layout.entry("", "a new socket would get %s" % document["expected_socket_label"])
        lines += _socket_lines(document, colour)
    if document["remedy"]:
        lines += ["", layout.paint("how to repair it", "heading", colour)]
        if document["remedy"] != document["command_to_run"]:
            lines += layout.wrap(document["remedy"], 4)
        if document["command_to_run"]:
            lines.append("    " + layout.printable(document["command_to_run"]))  # to be copied: never wrapped
    notes = shown.notes(document)
    return shown.joined(lines + [""] * bool(notes) + notes)


def _rule_lines(name: str, rule: Optional[Document]) -> List[str]:
    if rule is None:
        return layout.entry(name, "- (no rule matches)")
    shown = Rule(rule["regex"], rule["file_type"], rule["context"])
    return layout.entry(name, str(shown)) + layout.entry("", "%s:%d" % (rule["file"], rule["line"]))


def _socket_lines(document: Document, colour: bool) -> List[str]:
    lines = []
    if document["unit"] or document["label_cache"]:
        lines += ["", layout.paint("what creates it", "heading", colour)]
    lines += layout.entry("unit", document["unit"]) if document["unit"] else []
    for number, listener in enumerate(document["listeners"]):
        lines += layout.entry("listens" if number == 0 else "", str(Listener(**listener)))
    if document["label_cache"]:
        cache = document["label_cache"]
        shown = cache["evidence"] if cache["state"] != labelcache.FRESH else []
        for name, words in [("PID 1's cache", cache["state"])] + [("", line) for line in shown]:
            lines += layout.entry(name, words)
        for name, words in [("refresh", document["refresh"]["refresh"])] + [
                ("", line) for line in document["refresh"]["evidence"]]:
            lines += layout.entry(name, words)
    client = document["client"]
    if client:
        lines += ["", layout.paint("may %s connect" % client["domain"], "heading", colour)]
        for check in client["checks"]:
            target = access.described(check["file_class"], check["target"], check["label"])
            lines += layout.entry(_may(check["allowed"]), "%s %s%s" % (check["permission"], target, _then(check)))
    if document["denials"]:
        lines += ["", layout.paint("recent denials", "heading", colour)]
    for denial in document["denials"]:
        lines += layout.entry(time.strftime("%d %b %H:%M", time.localtime(denial["time"])), "%s (%s): %s %s (%s)%s" % (
            denial["comm"], type_of(denial["source"]), denial["permission"], denial["file_class"],
            type_of(denial["target"]), ", but permitted" if denial["permissive"] else ""))
    return lines


def _may(answer: Optional[bool]) -> str:
    return {True: "may", False: "may not", None: "?"}[answer]


def _then(check: Document) -> str:
    if check["right_label"] == check["label"] or check["right_label"] is None:
        return ""
    return "; with %s %s" % (type_of(check["right_label"]), _may(check["right_allowed"]))


FILE_TYPES = ("socket", "file", "directory", "symlink", "pipe", "character device", "block device")
VERB = Verb("show why a path has its label, and the fix", _run, [
    argument("path", metavar="PATH"),
    argument("--as", dest="kind", metavar="TYPE", choices=FILE_TYPES,
             help="treat it as this file type: %s (default: that of the existing file, or socket)"
                  % ", ".join(FILE_TYPES)),
    argument("--client", metavar="DOMAIN", help="check whether this domain may connect (default: the profile's)")],
    reads_reports=True)
