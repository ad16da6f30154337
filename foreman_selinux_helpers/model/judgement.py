"""Judge what is wrong with each socket, and find the remedy: facts in, reports out.  Pure."""

import shlex

from . import access, causes, evidence, modes, plan, remedies, rules, sockets
from .access import ClientFacts
from .facts import Facts
from .filecontexts import type_of
from .labelcache import STALE, UNKNOWN
from .outcome import SocketReport
from .sockets import SocketView
from .typed import List, Optional, Tuple

# A remedy in words, if a command is not enough, and the command, if there is one.
Remedy = Tuple[Optional[str], Optional[str]]


def reports(facts: Facts) -> List[SocketReport]:
    """Judge every socket."""
    outdated = evidence.outdated(facts) is True
    cache = facts.cache
    looks_old = cache.state == STALE or (cache.state == UNKNOWN and not facts.host.offline and facts.privileged
                                         and evidence.why_current(facts) is None)
    wrong = None if cache.wrong is None else [socket.path for socket in cache.wrong]
    judged = []
    for view in facts.sockets:
        # Where PID 1 was not asked, its cache may matter for what a profile is about, and for what is wrong.
        concerned = view.path in wrong if wrong is not None else (
            view.wanted.restart != sockets.RELABEL_ONLY or view.path_wrong(facts.same_type))
        cause = sockets.problem(view, outdated and concerned, facts.same_type, looks_old and concerned)
        client = facts.clients.get(view.path)
        report = SocketReport(view, None, None)
        if cause:
            report = _report(facts, view, cause)
        elif client and view.seen.exists and view.present:
            report = client_report(facts, view, client)
        judged.append(report if report.problem else _mode_report(view))
    return judged


def client_report(facts: Facts, view: SocketView, client: ClientFacts) -> SocketReport:
    """Judge whether a domain may connect to a socket that is otherwise right."""
    denied = access.denied(client.checks)
    if denied is None:
        return SocketReport(view, None, None)
    if denied.right_allowed is False and view.idle and view.own_word is None:
        return _report(facts, view, causes.NO_SUCH_TYPE)
    if denied.right_allowed is False:
        why = access.policy_denies(client.domain, access.denied_for_good(client.checks), client.whys)
        return SocketReport(view, causes.POLICY_DENIES, "the policy has to allow %s to %s %s (%s); %s%s" % (
            client.domain, denied.permission, type_of(denied.label or ""), denied.file_class, why.remedy,
            ": " + why.command if why.command else ""), why.command)
    if denied.target == access.SOCKET_OBJECT:
        return _report(facts, view, causes.SOCKET_LABEL)
    command = "restorecon -vF %s" % shlex.quote(denied.target)
    return SocketReport(view, causes.MADE_BEFORE_RULE, command, command)


def _mode_report(view: SocketView) -> SocketReport:
    """Judge whether file modes let the profile's user connect to a socket that is otherwise right."""
    refused = modes.refusal(view.seen.reach) if view.present else None
    if refused is None:
        return SocketReport(view, None, None)
    remedy = modes.remedy(refused, view.unit if view.seen.listening else "")
    words = "%s: %s" % (remedy.words, remedy.command) if remedy.command else remedy.words
    return SocketReport(view, causes.MODE_DENIES, words, remedy.command)


def _report(facts: Facts, view: SocketView, cause: str) -> SocketReport:
    words, command = _remedy(facts, view, cause)
    return SocketReport(view, cause, words or command, command)


def _remedy(facts: Facts, view: SocketView, cause: str) -> Remedy:
    """Return the remedy for a cause: from the table, or from the decision about the rule, or a command."""
    own = causes.named(cause).remedy
    if own:
        return own.format(type=view.wanted.type, path=view.path), None
    decided = view.wanted.decided
    if decided and decided.commands:
        command = " && ".join(facts.host.command(line) for line in decided.commands)
        if decided.no_effect:
            return decided.reason, command
        return "%s; to have it back: %s" % (decided.reason, command), command
    if decided and decided.cause == causes.SHADOWED and decided.action in (rules.SKIP, rules.REMOVE):
        return "%s; change or delete it with semanage fcontext" % decided.reason, None
    return _command(facts, view, cause)


def _command(facts: Facts, view: SocketView, cause: str) -> Remedy:
    """Return the command that repairs a socket; a unit without a profile has no ``repair``, only single steps."""
    unit = shlex.quote(view.unit)
    if view.wanted.restart == "never" and view.socket_wrong(facts.same_type):
        command = "systemctl restart %s" % unit
        return "%s (the profile forbids an automatic restart)" % command, command
    if view.profile:
        return None, facts.host.command("%s %s" % (plan.REPAIR_COMMAND, unit))
    if cause != causes.LABEL_CACHE_STALE:
        return None, "%s %s" % (plan.RESTART_COMMAND, unit)
    milder = remedies.milder(facts)
    return None, milder.command if milder else plan.REEXEC_COMMAND
