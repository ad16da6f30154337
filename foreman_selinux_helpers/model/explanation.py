"""Why one path has the label it has: what was seen of it, judged.  Pure."""

import shlex

from . import access, causes, labelcache, modes, rules
from .access import ClientFacts
from .filecontexts import ALL_FILES, LETTERS, NONE_CONTEXT, SOCKET, Rule, escape, literal, type_of
from .labelcache import LabelCache
from .pathfacts import PathFacts, UnitSocket
from .rules import Policy
from .sockets import Seen, SocketView, Wanted
from .typed import List, Optional, Sequence, Value
from .winner import Verdict

_ON_THE_WAY = "%s may not connect: a label on the way is not what it should be."


class Judgement(Value):
    """What is wrong, in plain words why, and what mends it; all None where nothing is.

    ``wanted``: the context that a rule which does not cover the path means it to have.
    """

    cause: Optional[str] = None
    why: Optional[str] = None
    remedy: Optional[str] = None
    command: Optional[str] = None
    notes: Sequence[str] = ()
    wanted: Optional[str] = None


def notes(facts: PathFacts) -> List[str]:
    """Say what is unusual about what was seen."""
    found = []
    verdict, inode = facts.verdict, facts.inode
    if inode and facts.own is None:
        found.append("what is there is of another file type: %s" % inode.kind)
    if inode and inode.target is not None:
        found.append("it is a symbolic link to %s; explain that for what is behind it" % inode.target)
    if verdict.broken:
        found.append("libselinux fails at the regex of %s:%d and gives the path no label: %s"
                     % (verdict.broken.file, verdict.broken.line, verdict.broken))
    if verdict.untold:
        found.append("libselinux answers %s for %s; which rule that comes from could not be told"
                     % (facts.expected or "that it gets no label", verdict.path))
    return found


def judge(facts: PathFacts, socket: Optional[UnitSocket], policy: Policy) -> Judgement:
    """Judge a socket as status does; where no profile says what it wants, what its rules meant comes first."""
    if socket is None or not socket.view.profile:
        meant = _judge_meant(facts, policy)
        if meant:
            return meant
    if socket is None:
        return _judge_free(facts, policy)
    if socket.problem is None:
        if facts.own and facts.own.label and facts.expected and not _same(facts.own.label, facts.expected, policy):
            return Judgement(notes=["nobody listens there: what is left of an earlier socket keeps its label until the "
                                    "next"])
        return Judgement()
    command = socket.command
    if socket.problem == causes.SHADOWED:  # for the administrator alone to decide, or beyond a rule of ours
        command = command or _fcontext(facts, socket.view.wanted.type, policy)
    return Judgement(socket.problem, _why(facts, socket, socket.problem, policy), socket.remedy, command)


def _same(one: str, other: str, policy: Policy) -> bool:
    return policy.same_type(type_of(one), type_of(other))


def _judge_meant(facts: PathFacts, policy: Policy) -> Optional[Judgement]:
    """Judge by a rule that names exactly this path, but for another file type or on the substituted side."""
    meant, path = facts.meant, facts.verdict.path
    if meant is None or ":" not in meant.context or (
            facts.expected and _same(facts.expected, meant.context, policy)):
        return None
    name = type_of(meant.context)
    reason = rules.reason_for(path, name, policy)
    return Judgement(reason.cause, _because(reason, facts.verdict, name), None, _fcontext(facts, name, policy),
                     wanted=meant.context)


def _judge_free(facts: PathFacts, policy: Policy) -> Judgement:
    """Judge a path that no unit and no profile names: should it have another label?"""
    inode, expected = facts.own, facts.expected
    if inode is None or not facts.live:
        return Judgement()
    if expected is None:
        return Judgement(notes=["no rule gives it a label: it keeps the one that it was made with, mostly its "
                                "directory's"])
    if inode.label is not None and _same(inode.label, expected, policy):
        return Judgement()
    if inode.label is not None and facts.customizable:
        return Judgement(notes=["restorecon leaves a label of this type alone (customizable_types(5))"])
    if inode.label is None or not facts.keeps_labels:
        return Judgement(causes.NO_LABEL_SUPPORT, _no_labels(facts.path), "what is there has to be elsewhere")
    command = "restorecon -v %s" % shlex.quote(facts.path)
    wrong = _types("It is", inode.label, expected)
    if facts.listeners and facts.listeners[0].pid != 1:
        return Judgement(causes.NOT_MADE_BY_SYSTEMD, "%s: %s made this socket, not systemd, and did not ask "
                         "the rules." % (wrong, facts.listeners[0]), None, command)
    return Judgement(causes.MADE_BEFORE_RULE, "%s: it was made before the rules were there, moved from elsewhere, "
                     "or labelled by hand." % wrong, None, command)


def _why(facts: PathFacts, socket: UnitSocket, cause: str, policy: Policy) -> str:
    """Say in plain words why the socket of a unit is as it is."""
    view, same = socket.view, policy.same_type
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
        decided = (one for one in socket.decisions if one.path == facts.verdict.path)
        admins = next((one.reason for one in decided if one.cause == causes.SHADOWED and one.action != rules.ADD), None)
        return _sentence(admins) if admins else _because(
            rules.reason_for(facts.verdict.path, view.wanted.type, policy), facts.verdict, view.wanted.type)
    if cause == causes.LABEL_CACHE_STALE:
        return "The rules are right, but PID 1 labels new sockets by an outdated copy of them%s." % (
            ": " + wrong if view.path_wrong(same) else ", and the next one will be wrong")
    if cause == causes.NOT_MADE_BY_SYSTEMD:
        return "%s made this socket, not systemd, and did not ask the rules: %s." % (
            facts.listeners[0] if facts.listeners else "Another program", wrong)
    if cause == causes.NO_LABEL_SUPPORT:
        return _no_labels(view.path)
    if cause == causes.SOCKET_LABEL:
        return "The path is labelled right; but the socket object that listens is %s, and a new one would be %s: " \
            "that comes from the label of the service's program, when the socket is made." % (
                view.seen.socket_label, view.wanted.socket_label)
    if cause == causes.MADE_BEFORE_RULE:
        return "The rules are right and %s, but %s: it was made before, or labelled by hand." % (
            _what_init_knows(socket.cache), wrong)
    return causes.named(cause).meaning


def _what_init_knows(cache: LabelCache) -> str:
    return {labelcache.FRESH: "PID 1 knows them",
            labelcache.STALE: "PID 1's older copy of them says the same" if cache.harmless else
            "PID 1 should see them when it next labels something",
            labelcache.UNKNOWN: "whether PID 1 knows them cannot be seen"}[cache.state]


def judge_client(judged: Judgement, client: ClientFacts) -> Judgement:
    """Judge what the policy denies to a client; that counts where nothing else is wrong."""
    refused = access.denied_for_good(client.checks)
    if refused and judged.cause in (None, causes.POLICY_DENIES):
        return Judgement(causes.POLICY_DENIES, *access.policy_denies(client.domain, refused, client.whys))
    return judged


def on_the_way(client: str) -> str:
    """Say why a client may not connect although the socket is right."""
    return _ON_THE_WAY % client


def view_of(facts: PathFacts, socket: Optional[UnitSocket], wanted: Optional[str],
            socket_label: Optional[str]) -> SocketView:
    """Return the view of a socket, of no unit if none has it; ``wanted`` is what a rule means it to have, if any."""
    if socket:
        view = socket.view
        return view._replace(wanted=view.wanted._replace(context=wanted or view.wanted.context))
    seen = Seen(False, facts.own is not None, None, facts.own.label if facts.own else None, socket_label,
                foreign=bool(facts.listeners))
    return SocketView("", "", facts.path, facts.expected, seen, Wanted(context=wanted or facts.expected))


def _because(reason: rules.Reason, verdict: Verdict, type_name: str) -> str:
    """Say in plain words why a path does not get a type, and what it gets instead."""
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
        return words + ". What libselinux answers comes from another rule, and which one could not be told."
    if verdict.rule is None:
        return words + ". So it gets no label."
    return "%s. So the rule %s wins: %s." % (words, _short(verdict.rule), _gives(verdict.rule))


def _short(rule: Rule) -> str:
    return "%s (%s:%d)" % (rule.regex, rule.file.rpartition("/")[2], rule.line)


def _gives(rule: Rule) -> str:
    if rule.context == NONE_CONTEXT:
        return "no label, and what is made there gets its directory's"
    return type_of(rule.context)


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:] + "."


def _types(start: str, label: Optional[str], right: Optional[str]) -> str:
    return "%s %s, and the rules say %s" % (start, type_of(label or "") or "not labelled", type_of(right or ""))


def _no_labels(path: str) -> str:
    return "The file system that holds %s keeps no labels: all its files have the one that it was mounted with." % path


def _fcontext(facts: PathFacts, type_name: str, policy: Policy) -> str:
    """Return the command that makes a rule for exactly this path."""
    canonical = facts.verdict.path
    file_type, _ = policy.effective(canonical)
    if file_type is None:
        return " && ".join(facts.host.command(one) for one in rules.equivalence_commands(canonical, type_name))
    return facts.host.command(fcontext_command(type_name, canonical, policy.local, file_type))


def fcontext_command(type_name: str, canonical: str, local: Sequence[Rule], file_type: str = ALL_FILES) -> str:
    """Return the command that makes a rule for exactly this path, which wins over all with special characters.

    ``file_type`` is the one that it has to be for to win: sockets, or all.
    """
    for one in reversed(local):
        if one.covers(SOCKET) and file_type in (ALL_FILES, one.file_type) and literal(one.regex) == canonical:
            return "semanage fcontext -m -f %s -t %s %s" % (
                LETTERS[one.file_type], type_name, shlex.quote(one.regex))
    return "semanage fcontext -a%s -t %s %s" % (
        " -f s" if file_type == SOCKET else "", type_name, shlex.quote(escape(canonical)))
