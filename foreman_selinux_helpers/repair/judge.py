"""What is wrong with each socket, and what mends it."""

import os
import shlex
from contextlib import closing

from ..doors import labeldatabase
from ..model import causes, labelcache, plan, rules, sockets
from ..model.facts import Host, Observation
from ..model.filecontexts import type_of
from ..model.labelcache import STALE
from ..model.outcome import SocketReport
from ..model.profiles import SocketProfile
from ..model.typed import List, Optional, Sequence, Tuple
from .evidence import Evidence


class Judge:
    """Judges the sockets of some profiles on one host."""

    def __init__(self, host: Host, profiles: Sequence[SocketProfile], evidence: Evidence) -> None:
        self._host = host
        self._clients = {one.unit: one.client for one in profiles if one.client}
        self._evidence = evidence

    def reports(self, seen: Observation) -> List[SocketReport]:
        """Judge every socket that was seen."""
        outdated = self._evidence.outdated(seen) is True
        looks_old = seen.cache.state == STALE or (
            seen.cache.state == labelcache.UNKNOWN and not self._host.offline and os.geteuid() == 0
            and self._evidence.why_current(seen) is None)
        wrong = None if seen.cache.wrong is None else [one.path for one in seen.cache.wrong]
        reports = []
        for view in seen.views:
            concerned = wrong is None or view.path in wrong
            cause = sockets.problem(view, outdated and concerned, self._evidence.same, looks_old and concerned)
            client = self._clients.get(view.unit)
            if cause:
                words, command = self._remedy(view, cause, seen)
                reports.append(SocketReport(view, cause, words or command, command))
            elif client and view.exists and (view.listening or view.foreign):
                reports.append(self.client(client, view, seen))
            else:
                reports.append(SocketReport(view, None, None))
        return reports

    def client(self, domain: str, view: sockets.SocketView, seen: Observation) -> SocketReport:
        """Judge whether a domain may connect to a socket with which nothing else is wrong."""
        from ..model import access
        from ..sources import clients

        client = clients.context_of(domain)
        denied = access.denied(clients.connecting(client, view, lambda path: None)) if client else None
        if client is None or denied is None:
            return SocketReport(view, None, None)  # where there is no such domain, nobody is kept out
        # Only now is it worth to know which label each directory should have.
        with closing(labeldatabase.LabelDatabase(self._host.root, self._host.policy or "")) as database:
            checks = clients.connecting(client, view, database.directory_label)
        denied = access.denied(checks) or denied
        if denied.right_allowed is False and view.idle and view.own_word is None:
            return SocketReport(view, causes.NO_SUCH_TYPE, *self._remedy(view, causes.NO_SUCH_TYPE, seen))
        if denied.right_allowed is False:
            refused = access.denied_for_good(checks)
            why = access.policy_denies(domain, refused, clients.why_denied(client, refused))
            return SocketReport(view, causes.POLICY_DENIES, "the policy has to allow %s to %s %s (%s); %s%s" % (
                domain, denied.permission, type_of(denied.label or ""), denied.file_class, why.remedy,
                ": " + why.command if why.command else ""), why.command)
        if denied.target == access.SOCKET_OBJECT:
            words, command = self._remedy(view, causes.SOCKET_LABEL, seen)
            return SocketReport(view, causes.SOCKET_LABEL, words or command, command)
        command = "restorecon -vF %s" % shlex.quote(denied.target)
        return SocketReport(view, causes.MADE_BEFORE_RULE, command, command)

    def _remedy(self, view: sockets.SocketView, cause: str,
                seen: Observation) -> Tuple[Optional[str], Optional[str]]:
        """Return the remedy: words, where a command does not say it all, and the command, where there is one."""
        if cause == causes.NO_SUCH_TYPE:
            return "install the policy module that defines %s" % view.type, None
        unit = shlex.quote(view.unit)
        decided = view.decided
        if decided and decided.commands:
            command = " && ".join(self._host.command(one) for one in decided.commands)
            if decided.no_effect:
                return decided.reason, command
            return "%s; to have it back: %s" % (decided.reason, command), command
        if decided and decided.cause == causes.SHADOWED and decided.action in (rules.SKIP, rules.REMOVE):
            return "%s; change or delete it with semanage fcontext" % decided.reason, None
        if cause == causes.NO_LABEL_SUPPORT:
            return "the file system of %s keeps no labels: the socket has to be elsewhere" % view.path, None
        if view.restart == "never" and view.socket_wrong(self._evidence.same):
            command = "systemctl restart %s" % unit
            return "%s (the profile forbids to do it for you)" % command, command
        if view.profile:
            return None, self._host.command("%s %s" % (plan.REPAIR_COMMAND, unit))
        # No profile, no repair: one step at a time.
        if cause != causes.LABEL_CACHE_STALE:
            return None, "%s %s" % (plan.RESTART_COMMAND, unit)
        milder = self._evidence.milder(seen)
        return None, milder.command if milder else plan.REEXEC_COMMAND
