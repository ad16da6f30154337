"""Explain why one path has the label it has: facts in, a judgement out.  Pure."""

import shlex

from . import access, causes, labelcache, modes, rules
from .access import ClientFacts
from .filecontexts import ALL_FILES, LETTERS, NONE_CONTEXT, SOCKET, Rule, escape, literal, type_of
from .labelcache import LabelCache
from .pathfacts import PathFacts, UnitSocket
from .rules import FileContexts
from .sockets import Seen, SocketView, Wanted
from .typed import List, Optional, Sequence, Value
from .winner import Verdict

_ON_THE_WAY = "%s may not connect: a label on the way is not what it should be."


class Judgement(Value):
    """The cause, the reason in plain words, and the remedy; all None if nothing is wrong.

    ``wanted``: the context that a rule was meant to give the path, but does not.
    """

    cause: Optional[str] = None
    why: Optional[str] = None
    remedy: Optional[str] = None
    command: Optional[str] = None
    notes: Sequence[str] = ()
    wanted: Optional[str] = None


def notes(facts: PathFacts) -> List[str]:
    """Return notes about what is unusual at the path."""
    lines = []
    verdict, inode = facts.verdict, facts.inode
    if inode and facts.own is None:
        lines.append("what is there has another file type: %s" % inode.kind)
    if inode and inode.target is not None:
        lines.append("it is a symbolic link to %s; explain that path for the target" % inode.target)
    if verdict.broken:
        lines.append("libselinux fails at the regex of %s:%d and gives the path no label: %s"
                     % (verdict.broken.file, verdict.broken.line, verdict.broken))
    if verdict.untold:
        lines.append("libselinux answers %s for %s; which rule this comes from could not be determined"
                     % (facts.expected or "that it gets no label", verdict.path))
    return lines


def judge(facts: PathFacts, socket: Optional[UnitSocket], contexts: FileContexts) -> Judgement:
    """Judge a socket as ``status`` does; without a profile, a rule that was meant for the path counts first."""
    if socket is None or not socket.view.profile:
        meant = _judge_meant(facts, contexts)
        if meant:
            return meant
    if socket is None:
        return _judge_free(facts, contexts)
    if socket.problem is None:
        if facts.own and facts.own.label and facts.expected and not _same(facts.own.label, facts.expected, contexts):
            return Judgement(notes=["nothing listens there: the file of an earlier socket keeps its label until a new "
                                    "socket replaces it"])
        return Judgement()
    command = socket.command
    if socket.problem == causes.SHADOWED:  # only the administrator may decide this
        command = command or _fcontext(facts, socket.view.wanted.type, contexts)
    return Judgement(socket.problem, _why(facts, socket, socket.problem, contexts), socket.remedy, command)


def _same(context: str, other: str, contexts: FileContexts) -> bool:
    return contexts.same_type(type_of(context), type_of(other))


def _judge_meant(facts: PathFacts, contexts: FileContexts) -> Optional[Judgement]:
    """Judge by a rule for exactly this path that does not apply: wrong file type, or the substituted side."""
    meant, path = facts.meant, facts.verdict.path
    if meant is None or ":" not in meant.context or (
            facts.expected and _same(facts.expected, meant.context, contexts)):
        return None
    name = type_of(meant.context)
    reason = rules.reason_for(path, name, contexts)
    return Judgement(reason.cause, _because(reason, facts.verdict, name), None, _fcontext(facts, name, contexts),
                     wanted=meant.context)


def _judge_free(facts: PathFacts, contexts: FileContexts) -> Judgement:
    """Judge the label of a path that no unit and no profile names."""
    inode, expected = facts.own, facts.expected
    if inode is None or not facts.live:
        return Judgement()
    if expected is None:
        return Judgement(notes=["no rule gives it a label: it keeps the label it was created with, mostly that of "
                                "its directory"])
    if inode.label is not None and _same(inode.label, expected, contexts):
        return Judgement()
    if inode.label is not None and facts.customizable:
        return Judgement(notes=["restorecon leaves a label of this type alone (customizable_types(5))"])
    if inode.label is None or not facts.keeps_labels:
        return Judgement(causes.NO_LABEL_SUPPORT, _no_labels(facts.path),
                         "move the file to a file system that keeps labels")
    command = "restorecon -v %s" % shlex.quote(facts.path)
    wrong = _types("It is", inode.label, expected)
    if facts.listeners and facts.listeners[0].pid != 1:
        return Judgement(causes.NOT_MADE_BY_SYSTEMD, "%s: %s created this socket, not systemd, and did not "
                         "use the rules." % (wrong, facts.listeners[0]), None, command)
    return Judgement(causes.MADE_BEFORE_RULE, "%s: it was created before the rule existed, moved here, or labelled "
                     "by hand." % wrong, None, command)


def _why(facts: PathFacts, socket: UnitSocket, cause: str, contexts: FileContexts) -> str:
    """Explain in plain words what is wrong with the socket of a unit."""
    view, same = socket.view, contexts.same_type
    if cause == causes.POLICY_DENIES or (cause in (causes.MADE_BEFORE_RULE, causes.SOCKET_LABEL)
                                          and not view.path_wrong(same) and not view.socket_wrong(same)):
        return _ON_THE_WAY % "The client"
    if cause == causes.MODE_DENIES:
        return "Labels and policy are right, but %s." % str(modes.refusal(view.seen.reach))
    wrong = _types("it is", view.seen.path_label, view.wanted.context)
    if cause == causes.NO_SUCH_TYPE:
        return "The profile %s wants the type %s, which the policy does not have." % (view.profile, view.wanted.type)
    if view.wanted.decided and view.wanted.decided.commands:
        return _sentence(view.wanted.decided.reason)
    if cause in (causes.NO_RULE, causes.WRONG_FILE_TYPE, causes.ALIASED_PATH, causes.SHADOWED):
        decided = (decision for decision in socket.decisions if decision.path == facts.verdict.path)
        admins = next((decision.reason for decision in decided
                       if decision.cause == causes.SHADOWED and decision.action != rules.ADD), None)
        return _sentence(admins) if admins else _because(
            rules.reason_for(facts.verdict.path, view.wanted.type, contexts), facts.verdict, view.wanted.type)
    if cause == causes.LABEL_CACHE_STALE:
        return "The rules are right, but PID 1 labels new sockets by an outdated copy of them%s." % (
            ": " + wrong if view.path_wrong(same) else ", and the next one will be wrong")
    if cause == causes.NOT_MADE_BY_SYSTEMD:
        return "%s created this socket, not systemd, and did not use the rules: %s." % (
            facts.listeners[0] if facts.listeners else "Another program", wrong)
    if cause == causes.NO_LABEL_SUPPORT:
        return _no_labels(view.path)
    if cause == causes.SOCKET_LABEL:
        return "The path is labelled right, but the listening socket object is %s, and a new one would be %s: the " \
            "label comes from that of the service's program when the socket is created." % (
                view.seen.socket_label, view.wanted.socket_label)
    if cause == causes.MADE_BEFORE_RULE:
        return "The rules are right and %s, but %s: it was created before the rule existed, or labelled by hand." % (
            _what_init_knows(socket.cache), wrong)
    return causes.named(cause).meaning


def _what_init_knows(cache: LabelCache) -> str:
    return {labelcache.FRESH: "PID 1 knows them",
            labelcache.STALE: "PID 1's older copy of them gives the same label" if cache.harmless else
            "PID 1 should read them when it next labels something",
            labelcache.UNKNOWN: "whether PID 1 knows them is unknown"}[cache.state]


def judge_client(judged: Judgement, client: ClientFacts) -> Judgement:
    """Add what the policy denies to a client, if nothing else is wrong."""
    refused = access.denied_for_good(client.checks)
    if refused and judged.cause in (None, causes.POLICY_DENIES):
        return Judgement(causes.POLICY_DENIES, *access.policy_denies(client.domain, refused, client.whys))
    return judged


def on_the_way(client: str) -> str:
    """Explain why a client may not connect although the socket is right."""
    return _ON_THE_WAY % client


def view_of(facts: PathFacts, socket: Optional[UnitSocket], wanted: Optional[str],
            socket_label: Optional[str]) -> SocketView:
    """Return the view of a socket, with or without a unit; ``wanted``: the context that a rule was meant to give it."""
    if socket:
        view = socket.view
        return view._replace(wanted=view.wanted._replace(context=wanted or view.wanted.context))
    seen = Seen(False, facts.own is not None, None, facts.own.label if facts.own else None, socket_label,
                foreign=bool(facts.listeners))
    return SocketView("", "", facts.path, facts.expected, seen, Wanted(context=wanted or facts.expected))


def _because(reason: rules.Reason, verdict: Verdict, type_name: str) -> str:
    """Explain in plain words why a path does not get a type, and what it gets instead."""
    rule = reason.rule
    if rule is None:
        words = "No rule gives the type %s to %s" % (type_name, verdict.path)
    elif reason.cause == causes.WRONG_FILE_TYPE:
        words = "The rule %s would give it the type %s, but it is for one file type alone (%s), and this is a " \
            "socket" % (_short(rule), type_name, rule.file_type)
    elif reason.cause == causes.ALIASED_PATH:
        words = "The rule %s would give it the type %s, but it does not match: libselinux turns %s into %s " \
            "before it looks for a rule" % (_short(rule), type_name, reason.spelling, verdict.path)
        if reason.also_wrong_file_type:
            words += "; and it is for one file type alone (%s), and this is a socket" % rule.file_type
    else:
        words = "The rule %s would give it the type %s, but another one beats it" % (_short(rule), type_name)
    if verdict.untold:
        return words + ". What libselinux answers comes from another rule, which could not be determined."
    if verdict.rule is None:
        return words + ". So it gets no label."
    return "%s. So the rule %s wins: %s." % (words, _short(verdict.rule), _gives(verdict.rule))


def _short(rule: Rule) -> str:
    return "%s (%s:%d)" % (rule.regex, rule.file.rpartition("/")[2], rule.line)


def _gives(rule: Rule) -> str:
    if rule.context == NONE_CONTEXT:
        return "no label, and what is created there gets that of its directory"
    return type_of(rule.context)


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:] + "."


def _types(start: str, label: Optional[str], right: Optional[str]) -> str:
    return "%s %s, and the rules say %s" % (start, type_of(label or "") or "not labelled", type_of(right or ""))


def _no_labels(path: str) -> str:
    return "The file system that holds %s keeps no labels: all its files have the label it was mounted with." % path


def _fcontext(facts: PathFacts, type_name: str, contexts: FileContexts) -> str:
    """Return the command that adds a rule for exactly this path."""
    canonical = facts.verdict.path
    file_type, _ = contexts.effective(canonical)
    if file_type is None:
        return " && ".join(facts.host.command(command) for command in rules.equivalence_commands(canonical, type_name))
    return facts.host.command(fcontext_command(type_name, canonical, contexts.local, file_type))


def fcontext_command(type_name: str, canonical: str, local: Sequence[Rule], file_type: str = ALL_FILES) -> str:
    """Return the command that adds a rule for exactly this path; it beats all rules with special characters.

    ``file_type``: the file type that the rule needs to win (SOCKET or ALL_FILES).
    """
    for rule in reversed(local):
        if rule.covers(SOCKET) and file_type in (ALL_FILES, rule.file_type) and literal(rule.regex) == canonical:
            return "semanage fcontext -m -f %s -t %s %s" % (
                LETTERS[rule.file_type], type_name, shlex.quote(rule.regex))
    return "semanage fcontext -a%s -t %s %s" % (
        " -f s" if file_type == SOCKET else "", type_name, shlex.quote(escape(canonical)))
