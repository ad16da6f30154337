"""Why one path has the label it has: look, judge, and tell it."""

import os
import shlex
import stat
from typing import Any, List, NamedTuple, Optional, Sequence, Tuple

from ..doors import labeldatabase, labels, ownership, procfs, selinuxlib, trust, unixsockets
from ..doors.log import Log
from ..doors.run import Runner
from ..model import labelcache, layout, rules, sockets
from ..model.errors import UsageError
from ..model.facts import Host
from ..model.filecontexts import ALL_FILES, NONE_CONTEXT, SOCKET, Rule, escape, literal, type_of
from ..model.outcome import SocketReport
from ..model.profiles import SocketProfile, unprofiled
from ..model.winner import Verdict
from ..repair.converge import Converge
from ..sources import access
from ..sources import host as hosts
from ..sources.policies import Policies
from . import documents
from .context import Done, Run, Verb, argument, on_host
from .documents import Document
from .parts import profile_notes

_KINDS = {mode: name for name, mode in labeldatabase.MODES.items()}
_LETTERS = {ALL_FILES: "a", SOCKET: "s"}  # semanage-fcontext(8), option -f


class Inode(NamedTuple):
    """What is at a path: its file type, its label, and where a symbolic link leads."""

    kind: str
    label: Optional[str]
    target: Optional[str]


class Listener(NamedTuple):
    """A process that listens at a path, and the label of the socket object it listens with."""

    pid: int
    comm: str
    unit: Optional[str]
    socket_label: Optional[str]


class Judgement(NamedTuple):
    """What is wrong, in plain words why, and what mends it; all None where nothing is."""

    cause: Optional[str] = None
    why: Optional[str] = None
    remedy: Optional[str] = None
    command: Optional[str] = None


def explain(host: Host, profiles: Sequence[SocketProfile], known_units: Optional[Sequence[str]], runner: Runner,
            log: Log, path: str, kind: Optional[str] = None, client: Optional[str] = None) -> Document:
    """Return the document about one path.

    ``kind`` is the file type that it is looked at as (that of what is there, or a socket);
    ``client`` the domain that has to connect, if not the one of the profile.
    """
    path = _checked(path)
    document: Document = {
        **documents.envelope("explain", True, False, hosts.notes(host)),
        "path": path, "canonical": path, "file_type": kind or SOCKET, "exists": False, "substitutions": [],
        "rule": None, "rule_untold": False, "beaten": [], "other_file_types": [], "expected": None, "path_label": None,
        "socket_label": None, "expected_socket_label": None, "unit": None, "profile": None, "type": None,
        "own_word": None, "listeners": [], "label_cache": None, "refresh": None, "client": None, "denials": [],
        "cause": None, "why": None, "remedy": None, "command_to_run": None}
    if host.policy is None:
        inode = look_at(host.root, path, False)
        document.update(exists=inode is not None, file_type=kind or (inode.kind if inode else SOCKET))
        return document
    policies = Policies(host)
    try:
        return _Explanation(host, profiles, known_units, runner, log, policies, document).tell(kind, client)
    finally:
        policies.close()


class _Explanation:
    """One run of the verb: what was seen so far, and the document that it goes into."""

    def __init__(self, host: Host, profiles: Sequence[SocketProfile], known_units: Optional[Sequence[str]],
                 runner: Runner, log: Log, policies: Policies, document: Document) -> None:
        self.host = host
        self.profiles = profiles
        self.runner = runner
        self.log = log
        self.policies = policies
        local = policies.store.local_rules()
        self.policy = policies.view(local, ownership.load(host.root, host.policy or "").ours(local))
        self.document = document
        self.live = host.offline is None
        self.path: str = document["path"]
        self.flow = Converge(host, profiles, known_units, runner, log)
        self.wanted: Optional[str] = None  # what a rule that does not cover the path means it to have

    def tell(self, kind: Optional[str], client: Optional[str]) -> Document:
        """Look and judge."""
        document = self.document
        inode = look_at(self.host.root, self.path, self.live)
        file_type = kind or (inode.kind if inode else SOCKET)
        self.path = self._followed(self.path)
        report, unit = self._report() if file_type == SOCKET else (None, None)
        verdict = self.policies.database.verdict(self.path, file_type)
        # libselinux has no answer at all where it fails at a regex, and the note below says so.
        expected = None if verdict.broken else \
            self.policies.database.lookup(self.path, labeldatabase.MODES[file_type])
        same_kind = inode is not None and inode.kind == file_type
        label = inode.label if inode and same_kind else None
        document.update(
            canonical=verdict.path, file_type=file_type, exists=inode is not None, expected=expected, path_label=label,
            substitutions=[{"file": one.file, "line": one.line, "from": one.source, "to": one.target}
                           for one in verdict.substitutions],
            rule=_rule(verdict.rule), rule_untold=verdict.untold, beaten=[_rule(one) for one in verdict.beaten],
            other_file_types=[_rule(one) for one in verdict.mismatched], unit=unit)
        if inode and not same_kind:
            self._note("what is there is of another file type: %s" % inode.kind)
        if inode and inode.target is not None:
            self._note("it is a symbolic link to %s; explain that for what is behind it" % inode.target)
        if verdict.broken:
            self._note("libselinux fails at the regex of %s:%d and gives the path no label: %s"
                       % (verdict.broken.file, verdict.broken.line, verdict.broken))
        if verdict.untold:
            self._note("libselinux answers %s for %s; which rule that comes from could not be told"
                       % (expected or "that it gets no label", verdict.path))
        listeners = self._listeners() if file_type == SOCKET and same_kind else []
        document["listeners"] = [dict(one._asdict()) for one in listeners]
        socket_label = next((one.socket_label for one in listeners if one.socket_label), None)
        if report:
            document.update(profile=report.view.profile or None, type=report.view.type or None,
                            own_word=report.view.own_word,
                            expected_socket_label=report.view.expected_socket_label)
            socket_label = report.view.socket_label or socket_label
            for note in profile_notes([report.view]):
                self._note(note)
        document["socket_label"] = socket_label
        if file_type == SOCKET and self.live:
            self._systemd()
        judged = self._judge(report, verdict, expected, inode if same_kind else None, listeners)
        judged = self._client(judged, report, client, expected, inode if same_kind else None, listeners)
        document.update(cause=judged.cause, why=judged.why, remedy=judged.remedy or judged.command,
                        command_to_run=judged.command, ok=judged.cause is None)
        if self.live and file_type == SOCKET:
            from ..doors import denials

            found, unseen = denials.recent(self.path, self.runner)
            document["denials"] = [dict(one._asdict()) for one in found]
            if unseen:
                self._note(unseen)
        if self.live and file_type == SOCKET and os.geteuid() != 0:
            self._note("who listens, the socket label and PID 1's label cache may only be seen by root")
        return document

    def _note(self, words: str) -> None:
        self.document["notes"].append(words)

    def _followed(self, path: str) -> str:
        """Follow links on the way where they lead to what the substitutions do not, as restorecon(8) does."""
        real = path
        if path != "/":
            directory, name = os.path.split(path)
            real = os.path.join(os.path.realpath(directory) if self.host.root == "/" else
                                trust.inside(self.host.root, directory)[len(self.host.root):] or "/", name)
        canonical = self.policy.equivalences.canonical
        if canonical(real) == canonical(path):
            return path
        self._note("there is a symbolic link on the way: it really is %s" % real)
        return real

    # -- looking -----------------------------------------------------------------------------

    def _report(self) -> Tuple[Optional[SocketReport], Optional[str]]:
        """Return the judged socket of the profile, or else of the unit, that names the path; and the unit."""
        found = self._of_path(self.flow)
        if found or not (self.host.own_root and self.host.booted):
            return found, found.view.unit if found else None
        canonical = self.policy.equivalences.canonical(self.path)
        for unit, paths in self.flow.systemd.listening_paths().items():
            if any(self.policy.equivalences.canonical(one) == canonical for one in paths):
                # A profile that gives only a regex has its unit's paths among its own already.
                self.flow = Converge(self.host, [unprofiled(unit)], None, self.runner, self.log)
                return self._of_path(self.flow), unit
        return None, None

    def _of_path(self, flow: Converge) -> Optional[SocketReport]:
        self.outcome = flow.status()
        canonical = self.policy.equivalences.canonical(self.path)
        found = [one for one in self.outcome.sockets
                 if self.policy.equivalences.canonical(one.view.path) == canonical]
        return next((one for one in found if one.view.listening), next(iter(found), None))

    def _listeners(self) -> List[Listener]:
        """Return who listens at the path, under whichever of its spellings."""
        if not self.live:
            return []
        name, directory = os.path.basename(self.path), os.path.realpath(os.path.dirname(self.path))
        inodes = {one.inode for spelling, found in unixsockets.Listeners(1).sockets.items()
                  if os.path.basename(spelling) == name and os.path.realpath(os.path.dirname(spelling)) == directory
                  for one in found}
        return [Listener(one.pid, procfs.comm(one.pid), procfs.unit_of(one.pid),
                         labels.socket_label(one.pid, one.descriptor)) for one in unixsockets.holders(inodes)]

    def _systemd(self) -> None:
        cache = self.outcome.observation.cache
        running = self.flow.detection.running(self.host.offline)
        self.document["label_cache"] = {"state": cache.state, "evidence": list(cache.evidence)}
        self.document["refresh"] = {"version": running.version, "refresh": running.refresh,
                                    "evidence": list(running.evidence)}

    # -- judging -----------------------------------------------------------------------------

    def _judge(self, report: Optional[SocketReport], verdict: Verdict, expected: Optional[str],
               inode: Optional[Inode], listeners: Sequence[Listener]) -> Judgement:
        """Judge a socket as status does; where no profile says what it wants, what its rules meant comes first."""
        if report is None or not report.view.profile:
            meant = self._meant(verdict, expected) if self.document["file_type"] == SOCKET else None
            if meant:
                return meant
        if report is None:
            return self._judge_free(expected, inode, listeners)
        if report.problem is None:
            if inode and inode.label and expected and not self._same(inode.label, expected):
                self._note("nobody listens there: what is left of an earlier socket keeps its label until the next")
            return Judgement()
        command = report.command
        if report.problem == rules.SHADOWED:  # for the administrator alone to decide, or beyond a rule of ours
            command = command or self._fcontext(report.view.type, verdict.path)
        return Judgement(report.problem, self._why(report, verdict, listeners), report.remedy, command)

    def _same(self, one: str, other: str) -> bool:
        return self.policies.compiled.same(type_of(one), type_of(other))

    def _meant(self, verdict: Verdict, expected: Optional[str]) -> Optional[Judgement]:
        """Judge by a rule that names exactly this path, but for another file type or on the substituted side."""
        meant = next((one for one in verdict.mismatched if literal(one.regex) == verdict.path), None)
        if meant is None:
            others = self.policy.equivalences.spellings(verdict.path)
            found = [one for one in self.policies.database.rules() if (one.covers(SOCKET) or one.file_type == "file")
                     and literal(one.regex) in others] if others else []
            found.sort(key=lambda one: not one.covers(SOCKET))
            meant = next(iter(found), None)
        if meant is None or ":" not in meant.context or (expected and self._same(expected, meant.context)):
            return None
        self.wanted = meant.context
        name = type_of(meant.context)
        reason = rules.reason_for(verdict.path, name, self.policy)
        return Judgement(reason.cause, because(reason, verdict, name), None, self._fcontext(name, verdict.path))

    def _judge_free(self, expected: Optional[str], inode: Optional[Inode],
                    listeners: Sequence[Listener]) -> Judgement:
        """Judge a path that no unit and no profile names: should it have another label?"""
        if inode is None or not self.live:
            return Judgement()
        if expected is None:
            self._note("no rule gives it a label: it keeps the one that it was made with, mostly its directory's")
            return Judgement()
        if inode.label is not None and self._same(inode.label, expected):
            return Judgement()
        if inode.label is not None and selinuxlib.is_customizable(inode.label):
            self._note("restorecon leaves a label of this type alone (customizable_types(5))")
            return Judgement()
        if inode.label is None or not procfs.keeps_labels(self._real()):
            return Judgement(sockets.NO_LABEL_SUPPORT, _no_labels(self.path), "what is there has to be elsewhere")
        command = "restorecon -v %s" % shlex.quote(self.path)
        wrong = _types("It is", inode.label, expected)
        if listeners and listeners[0].pid != 1:
            return Judgement(sockets.NOT_MADE_BY_SYSTEMD, "%s: %s made this socket, not systemd, and did not ask "
                             "the rules." % (wrong, _who(listeners[0])), None, command)
        return Judgement(sockets.MADE_BEFORE_RULE, "%s: it was made before the rules were there, moved from elsewhere, "
                         "or labelled by hand." % wrong, None, command)

    def _real(self) -> str:
        return os.path.join(os.path.realpath(os.path.dirname(self.path)), os.path.basename(self.path))

    def _why(self, report: SocketReport, verdict: Verdict, listeners: Sequence[Listener]) -> str:
        """Say in plain words why the socket of a unit is as it is."""
        view, cause, same = report.view, report.problem, self.policies.compiled.same
        if cause == sockets.POLICY_DENIES or (cause in (sockets.MADE_BEFORE_RULE, sockets.SOCKET_LABEL)
                                              and not view.path_wrong(same) and not view.socket_wrong(same)):
            return _on_the_way("The client")
        wrong = _types("it is", view.path_label, view.wanted)
        if cause == rules.NO_SUCH_TYPE:
            return "The profile %s wants the type %s, which the policy does not have." % (view.profile, view.type)
        if view.decided and view.decided.commands:
            return view.decided.reason[:1].upper() + view.decided.reason[1:] + "."
        if cause in (rules.NO_RULE, rules.WRONG_FILE_TYPE, rules.ALIASED_PATH, rules.SHADOWED):
            decided = (one for one in self.outcome.observation.decisions if one.path == verdict.path)
            admins = next((one.reason for one in decided
                           if one.cause == rules.SHADOWED and one.action != rules.ADD), None)
            return admins[:1].upper() + admins[1:] + "." if admins else because(
                rules.reason_for(verdict.path, view.type, self.policy), verdict, view.type)
        if cause == sockets.LABEL_CACHE_STALE:
            return "The rules are right, but PID 1 labels new sockets by an outdated copy of them%s." % (
                ": " + wrong if view.path_wrong(same) else ", and the next one will be wrong")
        if cause == sockets.NOT_MADE_BY_SYSTEMD:
            return "%s made this socket, not systemd, and did not ask the rules: %s." % (
                _who(listeners[0]) if listeners else "Another program", wrong)
        if cause == sockets.NO_LABEL_SUPPORT:
            return _no_labels(view.path)
        if cause == sockets.SOCKET_LABEL:
            return "The path is labelled right; but the socket object that listens is %s, and a new one would be %s: " \
                "that comes from the label of the service's program, when the socket is made." % (
                    view.socket_label, view.expected_socket_label)
        cache = self.outcome.observation.cache
        knows = {labelcache.FRESH: "PID 1 knows them",
                 labelcache.STALE: "PID 1's older copy of them says the same" if cache.harmless else
                 "PID 1 should see them when it next labels something",
                 labelcache.UNKNOWN: "whether PID 1 knows them cannot be seen"}[cache.state]
        return "The rules are right and %s, but %s: it was made before, or labelled by hand." % (knows, wrong)

    def _fcontext(self, type_name: str, canonical: str) -> str:
        file_type, _ = self.policies.effective(canonical)
        if file_type is None:
            return " && ".join(self.host.command(one) for one in rules.equivalence_commands(canonical, type_name))
        return self.host.command(fcontext_command(type_name, canonical, self.policy.local, file_type))

    # -- the client --------------------------------------------------------------------------

    def _client(self, judged: Judgement, report: Optional[SocketReport], client: Optional[str],
                expected: Optional[str], inode: Optional[Inode], listeners: Sequence[Listener]) -> Judgement:
        """Ask the policy whether the client may connect; a denial counts where nothing else is wrong."""
        wanted = client
        if client is None and report:
            wanted = next((one.client for one in self.profiles if one.unit == report.view.unit), None)
        if wanted is None or self.document["file_type"] != SOCKET:
            return judged
        if not self.live:
            self._note("whether %s may connect is not asked here: it takes the running kernel" % wanted)
            return judged
        context = access.context_of(wanted)
        if context is None:
            if client:
                raise UsageError("--client %s: the loaded policy has no such domain" % client)
            self._note("the loaded policy has no domain %s, which the profile names as its client" % wanted)
            return judged
        view = self._view(report, expected, inode, listeners)
        checks = access.connecting(context, view, self.policies.database.directory_label)
        refused = access.denied_for_good(checks)
        whys = access.why_denied(context, refused)
        self.document["client"] = {
            "domain": wanted, "context": context, "allowed": _all(one.allowed for one in checks),
            "allowed_when_right": _all(one.right_allowed for one in checks),
            "checks": [dict(one._asdict()) for one in checks],
            "reasons": [dict(one._asdict()) for one in whys if one]}
        if not selinuxlib.enforcing():
            self._note("SELinux is permissive: what the policy denies is logged, and happens all the same")
        if refused and judged.cause in (None, sockets.POLICY_DENIES):
            return Judgement(sockets.POLICY_DENIES, *access.policy_denies(wanted, refused, whys))
        if judged.cause is None and view.exists and (view.listening or view.foreign):
            later = self.flow.judge_client(wanted, view, self.outcome.observation)
            if later.problem:
                return Judgement(later.problem, _on_the_way(wanted), later.remedy, later.command)
        return judged

    def _view(self, report: Optional[SocketReport], expected: Optional[str], inode: Optional[Inode],
              listeners: Sequence[Listener]) -> sockets.SocketView:
        if report:
            return report.view._replace(wanted=self.wanted or report.view.wanted)
        return sockets.SocketView(
            "", "", self.path, "", False, inode is not None, None, expected, self.wanted or expected,
            inode.label if inode else None, self.document["socket_label"], None, None, "auto", False,
            False, False, bool(listeners))


def because(reason: rules.Reason, verdict: Verdict, type_name: str) -> str:
    """Say in plain words why a path does not get a type, and what it gets instead."""
    rule = reason.rule
    if rule is None:
        words = "No rule gives the type %s to %s" % (type_name, verdict.path)
    elif reason.cause == rules.WRONG_FILE_TYPE:
        words = "The rule %s would give it the type %s, but it is for one file type alone (%s), and this is a " \
            "socket" % (_short(rule), type_name, rule.file_type)
    elif reason.cause == rules.ALIASED_PATH:
        words = "The rule %s would give it the type %s, but it does not match: libselinux turns %s into %s " \
            "before it looks for a rule" % (_short(rule), type_name, reason.spelling, verdict.path)
        if reason.also_wrong_file_type:
            words += "; and it is for one file type alone (%s), and this is a socket" % rule.file_type
    else:
        words = "The rule %s would give it the type %s, but another one beats it" % (_short(rule), type_name)
    if verdict.untold:
        return words + ". What libselinux answers comes from another rule, and which one could not be told."
    if verdict.rule is None:
        return words + ". So it gets no label."
    return "%s. So the rule %s wins: %s." % (words, _short(verdict.rule), _gives(verdict.rule))


def _short(rule: Rule) -> str:
    return "%s (%s:%d)" % (rule.regex, os.path.basename(rule.file), rule.line)


def _gives(rule: Rule) -> str:
    if rule.context == NONE_CONTEXT:
        return "no label, and what is made there gets its directory's"
    return type_of(rule.context)


def look_at(root: str, path: str, live: bool) -> Optional[Inode]:
    """Look at what is at a path, not following a link at its end, or return None where nothing is."""
    directory, name = os.path.split(path)
    place = os.path.join(trust.inside(root, directory), name)
    try:
        mode = os.lstat(place).st_mode
        label = labels.path_label(place) if live else None  # elsewhere labels mean nothing
        return Inode(_KINDS[stat.S_IFMT(mode)], label, os.readlink(place) if stat.S_ISLNK(mode) else None)
    except OSError:
        return None


def fcontext_command(type_name: str, canonical: str, local: Sequence[Rule], file_type: str = ALL_FILES) -> str:
    """Return the command that makes a rule for exactly this path, which wins over all with special characters.

    ``file_type`` is the one that it has to be for to win: sockets, or all.
    """
    for one in reversed(local):
        if one.covers(SOCKET) and file_type in (ALL_FILES, one.file_type) and literal(one.regex) == canonical:
            return "semanage fcontext -m -f %s -t %s %s" % (
                _LETTERS[one.file_type], type_name, shlex.quote(one.regex))
    return "semanage fcontext -a%s -t %s %s" % (
        " -f s" if file_type == SOCKET else "", type_name, shlex.quote(escape(canonical)))


def _checked(path: str) -> str:
    """Return the path without what changes nothing; raise UsageError for what is no absolute path."""
    try:
        path.encode("utf-8")
    except UnicodeError as error:
        raise UsageError("%r: a path that is not UTF-8 cannot be looked up" % path) from error
    if not path.startswith("/") or "\0" in path:
        raise UsageError("%r is not an absolute path" % path)
    if ".." in path.split("/"):
        raise UsageError("%r: write the path without '..'" % path)
    return "/" + "/".join(part for part in path.split("/") if part not in ("", "."))


def _rule(one: Optional[Rule]) -> Optional[Document]:
    return dict(one._asdict()) if one else None


def _all(answers: Any) -> Optional[bool]:
    known = list(answers)
    return False if False in known else None if None in known else True


def _on_the_way(client: str) -> str:
    return "%s may not connect: a label on the way is not what it should be." % client


def _types(start: str, label: Optional[str], right: Optional[str]) -> str:
    return "%s %s, and the rules say %s" % (start, type_of(label or "") or "not labelled", type_of(right or ""))


def _no_labels(path: str) -> str:
    return "The file system that holds %s keeps no labels: all its files have the one that it was mounted with." % path


def _who(listener: Listener) -> str:
    return "%s (PID %d%s)" % (listener.comm, listener.pid, ", " + listener.unit if listener.unit else "")


# -- for people ------------------------------------------------------------------------------


def text(document: Document, colour: bool = False) -> str:
    """Return the document as a short story."""
    cause = document["cause"]
    well = "ok" if document["exists"] else "ok, nothing is there"
    head = layout.paint("WRONG: %s" % cause, "bad", colour) if cause else layout.paint(well, "good", colour)
    lines = ["%s  %s" % (layout.printable(document["path"]), head)]
    if document["why"]:
        lines += layout.wrap(document["why"], 4)
    lines += ["", layout.paint("which rule", "heading", colour)]
    for one in document["substitutions"]:
        lines += layout.entry("looked up", "%s, since %s stands for %s" % (
            document["canonical"], one["from"], one["to"])) + layout.entry("", "%s:%d" % (one["file"], one["line"]))
    untold = document["rule_untold"]
    lines += layout.entry("wins", "- (could not be told)") if untold else _rule_lines("wins", document["rule"])
    for number, one in enumerate(document["beaten"]):
        lines += _rule_lines("" if number else "matches" if untold else "beats", one)
    for number, one in enumerate(document["other_file_types"]):
        lines += _rule_lines("other types" if number == 0 else "", one)
    lines += ["", layout.paint("which label", "heading", colour)]
    lines += layout.entry("file type", document["file_type"])
    if document["type"]:
        whose = "the policy's own word, over the profile" if document["own_word"] else "profile"
        lines += layout.entry("wanted", "%s (%s %s)" % (document["type"], whose, document["profile"]))
    lines += layout.entry("expected", document["expected"] or "- (no label by the rules)")
    if document["exists"]:
        lines += layout.entry("path label", document["path_label"] or "-")
    if document["file_type"] == SOCKET:
        if document["exists"]:
            lines += layout.entry("socket label", document["socket_label"] or "-")
        if document["expected_socket_label"] not in (None, document["socket_label"]):
            lines += layout.entry("", "a new socket would get %s" % document["expected_socket_label"])
        lines += _socket_lines(document, colour)
    if document["remedy"]:
        lines += ["", layout.paint("what mends it", "heading", colour)]
        if document["remedy"] != document["command_to_run"]:
            lines += layout.wrap(document["remedy"], 4)
        if document["command_to_run"]:
            lines.append("    " + layout.printable(document["command_to_run"]))  # to be copied: never wrapped
    notes = [line for note in document["notes"] for line in layout.wrap(note, 6, "note: ")]
    return "".join(line + "\n" for line in lines + [""] * bool(notes) + notes)


def _rule_lines(name: str, rule: Optional[Document]) -> List[str]:
    if rule is None:
        return layout.entry(name, "- (no rule matches)")
    shown = Rule(rule["regex"], rule["file_type"], rule["context"])
    return layout.entry(name, str(shown)) + layout.entry("", "%s:%d" % (rule["file"], rule["line"]))


def _socket_lines(document: Document, colour: bool) -> List[str]:
    lines = ["", layout.paint("who makes it", "heading", colour)] if document["unit"] or document["label_cache"] else []
    lines += layout.entry("unit", document["unit"]) if document["unit"] else []
    for number, one in enumerate(document["listeners"]):
        lines += layout.entry("listens" if number == 0 else "", _who(Listener(**one)))
    if document["label_cache"]:
        cache = document["label_cache"]
        shown = cache["evidence"] if cache["state"] != labelcache.FRESH else []
        for name, words in [("PID 1's cache", cache["state"])] + [("", one) for one in shown]:
            lines += layout.entry(name, words)
        for name, words in [("refresh", document["refresh"]["refresh"])] + [
                ("", one) for one in document["refresh"]["evidence"]]:
            lines += layout.entry(name, words)
    client = document["client"]
    if client:
        lines += ["", layout.paint("may %s connect" % client["domain"], "heading", colour)]
        for one in client["checks"]:
            lines += layout.entry(_may(one["allowed"]), "%s %s%s" % (
                one["permission"], access.described(one["file_class"], one["target"], one["label"]), _then(one)))
    if document["denials"]:
        lines += ["", layout.paint("denied lately", "heading", colour)]
    for one in document["denials"]:
        import time

        lines += layout.entry(time.strftime("%d %b %H:%M", time.localtime(one["time"])), "%s (%s): %s %s (%s)%s" % (
            one["comm"], type_of(one["source"]), one["permission"], one["file_class"], type_of(one["target"]),
            ", but let through" if one["permissive"] else ""))
    return lines


def _may(answer: Optional[bool]) -> str:
    return {True: "may", False: "may not", None: "?"}[answer]


def _then(check: Document) -> str:
    if check["right_label"] == check["label"] or check["right_label"] is None:
        return ""
    return "; with %s %s" % (type_of(check["right_label"]), _may(check["right_allowed"]))


@on_host
def _run(run: Run) -> Done:
    arguments = run.arguments
    return Done(explain(run.host, run.profiles.sockets, run.known_units, run.runner, run.log, arguments.path,
                        arguments.kind, arguments.client), text)


FILE_TYPES = ("socket", "file", "directory", "symlink", "pipe", "character device", "block device")
VERB = Verb("say why a path has the label it has, and what would mend it", _run, [
    argument("path", metavar="PATH"),
    argument("--as", dest="kind", metavar="TYPE", choices=FILE_TYPES,
             help="look at it as this file type: %s (default: that of what is there, or a socket)"
                  % ", ".join(FILE_TYPES)),
    argument("--client", metavar="DOMAIN", help="ask whether this domain may connect (default: the profile's)")])
