"""Read the facts about one path from a sos report: its rules and denials, and whether a client may connect."""

import json
import os

from ..doors import apart
from ..doors.policyfile import PolicyFile
from ..doors.run import Runner
from ..doors.selinuxlib import Why
from ..model.access import SOCKET_OBJECT, Check, ClientFacts, denied_for_good
from ..model.denials import Denial
from ..model.equivalence import Equivalences
from ..model.errors import HelperError
from ..model.facts import Host
from ..model.filecontexts import SOCKET, Rule, type_of
from ..model.pathfacts import Inode, PathFacts
from ..model.rules import FileContexts
from ..model.sockets import SocketView
from ..model.sosfacts import labels
from ..model.typed import Dict, List, Optional, Sequence, Tuple
from ..model.winner import Verdict
from .filecontexts import FileContextsOnDisk
from .pathfacts import HostPaths, Place
from .report import ReportSource

# Of libsepol's reader: seconds, bytes of memory, of files, and of the answer.
_LIMITS = apart.Limits(60.0, 2 << 30, 1 << 10, 1 << 22)


class SosPaths(HostPaths):
    """The source of facts about one path in a report."""

    def __init__(self, host: Host, on_disk: FileContextsOnDisk, runner: Runner, report: ReportSource) -> None:
        super().__init__(host, on_disk, runner)
        self._report = report

    def inode(self, path: str) -> Optional[Inode]:
        """Return the socket at a path if its label is known: a report holds no other fact about the inode."""
        label = labels(self._report.document("status"), self._report.labels_to_change()).paths.get(path)
        told = label or next((denial.target for denial in reversed(self._report.denials(path))
                              if denial.file_class == "sock_file"), None)
        return Inode(SOCKET, told, None) if told else None

    def followed(self, path: str, equivalences: Equivalences) -> str:
        """Return the path itself: a report does not hold the symbolic links on the way."""
        return path

    def facts(self, contexts: FileContexts, place: Place, of_unit: bool, profiled: bool) -> PathFacts:
        """Return the rules for a path; the processes that listen there are not known."""
        facts = self._rules(contexts, place, profiled)
        return facts._replace(verdict=_as_on(self.host, facts.verdict))

    def client(self, domain: str, view: SocketView) -> Optional[ClientFacts]:
        """Return what connecting takes of a domain by the policy in the report, or None if that cannot be told."""
        answers, fault = ask_policy([(domain, view)], self.host, self._report, self.on_disk)
        self.no_client = fault or self.no_client
        return answers.get(view.path)

    def enforcing(self) -> bool:
        """Return whether the kernel enforced its policy; this is assumed if the report does not hold the mode."""
        return self._report.selinux().mode != "permissive"

    def denials(self, path: str) -> Tuple[List[Denial], List[str]]:
        """Return the last denials for a socket, and which facts about it are missing, with the reasons."""
        hidden = [] if self._report.document("status") else [
            "who listens, and the labels of sockets: only the plugin of this program puts them into a report"]
        return self._report.denials(path), hidden + self._report.unseen


def _as_on(host: Host, verdict: Verdict) -> Verdict:
    """Return a verdict with the paths of files on the host instead of those of the unpacked files."""
    def moved(rule: Rule) -> Rule:
        return rule._replace(file=host.shown(rule.file))

    return verdict._replace(
        rule=moved(verdict.rule) if verdict.rule else None, beaten=[moved(rule) for rule in verdict.beaten],
        mismatched=[moved(rule) for rule in verdict.mismatched],
        substitutions=[line._replace(file=host.shown(line.file)) for line in verdict.substitutions],
        broken=moved(verdict.broken) if verdict.broken else None)


def ask_policy(asked: Sequence[Tuple[str, SocketView]], host: Host, report: ReportSource,
               on_disk: FileContextsOnDisk) -> Tuple[Dict[str, ClientFacts], Optional[str]]:
    """Ask the policy in a report whether domains may connect to sockets; return the answers by path, or a fault.

    The file may be hostile, and libsepol reads it: that is done in a child process with limits.
    """
    file = report.policy() if asked else None
    if file is None:
        return {}, None

    def act() -> bytes:
        answers = PolicyFile(os.path.join(host.root, file or ""))
        found = {view.path: client(domain, view, answers, report, on_disk) for domain, view in asked}
        if answers.fault:
            raise HelperError(answers.fault)
        return json.dumps({path: facts for path, facts in found.items() if facts}).encode()

    ended = apart.call(act, _LIMITS)
    if ended.fault:
        return {}, "whether clients may connect: %s" % ended.fault
    return {path: ClientFacts(domain, context, [Check(*check) for check in checks], [why and Why(*why) for why in whys])
            for path, (domain, context, checks, whys) in json.loads(ended.answer.decode()).items()}, None


def client(domain: str, view: SocketView, answers: PolicyFile, report: ReportSource,
           on_disk: FileContextsOnDisk) -> Optional[ClientFacts]:
    """Check whether a domain may connect; return None if the policy has no such domain or cannot be read.

    A report does not hold the labels of directories: the right labels are used instead.
    """
    context = next((context for context in report.contexts_of_processes().values() if type_of(context) == domain),
                   "system_u:system_r:%s:s0" % domain)
    if answers.allowed(context, context, "process", "getattr") is None:
        return None
    checks: List[Check] = []
    directory = os.path.dirname(view.path)
    while True:
        label = on_disk.database.directory_label(directory)
        checks.insert(0, _check(answers, context, (directory, "dir", "search"), None, label))
        if directory == "/":
            break
        directory = os.path.dirname(directory)
    seen = view.seen
    checks.append(_check(answers, context, (view.path, "sock_file", "write"), seen.path_label, view.wanted.context))
    connect = ("unix_dgram_socket", "sendto") if seen.datagram else ("unix_stream_socket", "connectto")
    checks.append(_check(answers, context, (SOCKET_OBJECT, *connect), seen.socket_label, seen.socket_label))
    return ClientFacts(domain, context, checks, [
        answers.why_denied(context, check.right_label or "", check.file_class, check.permission)
        for check in denied_for_good(checks)])


def _check(answers: PolicyFile, context: str, what: Tuple[str, str, str], label: Optional[str],
           right: Optional[str]) -> Check:
    target, file_class, permission = what
    now, then = (answers.allowed(context, target_label, file_class, permission) if target_label else None
                 for target_label in (label, right))
    return Check(target, file_class, permission, label, now, right, then)
