"""Read the facts about one path: its inode, the rule that wins, and the listening processes."""

import os
import stat

from ..doors import denials, filemodes, labeldatabase, labels, ownership, procfs, selinuxlib, trust, unixsockets
from ..doors.run import Runner
from ..model.access import ClientFacts
from ..model.denials import Denial
from ..model.equivalence import Equivalences
from ..model.facts import Host
from ..model.filecontexts import SOCKET, Rule, literal
from ..model.pathfacts import Inode, Listener, PathFacts
from ..model.rules import FileContexts
from ..model.sockets import SocketView
from ..model.typed import List, Optional, Tuple, Value
from ..model.winner import Verdict
from . import clients
from .filecontexts import FileContextsOnDisk

_KINDS = {mode: name for name, mode in labeldatabase.MODES.items()}


class Place(Value):
    """A path, the file type that it is looked up with, and its inode."""

    host: Host
    path: str
    file_type: str
    inode: Optional[Inode]


class HostPaths:
    """What tells of one path on a host, or in an image of one; ``no_client``: why client() returns None."""

    no_client = "the loaded policy has no such domain"

    def __init__(self, host: Host, on_disk: FileContextsOnDisk, runner: Runner) -> None:
        self.host = host
        self.on_disk = on_disk
        self._runner = runner

    def inode(self, path: str) -> Optional[Inode]:
        """Return the inode at a path, or None if there is none."""
        return read_inode(self.host.root, path, self.host.offline is None)

    def followed(self, path: str, equivalences: Equivalences) -> str:
        """Follow the links on the way, as restorecon(8) does, unless the substitutions lead to the same path."""
        root, (directory, name) = self.host.root, os.path.split(path)
        if path == "/":
            return path
        real = os.path.join(os.path.realpath(directory) if root == "/" else
                            trust.inside(root, directory)[len(root):] or "/", name)
        return path if equivalences.canonical(real) == equivalences.canonical(path) else real

    def facts(self, contexts: FileContexts, place: Place, of_unit: bool, profiled: bool) -> PathFacts:
        """Return the facts that the path is judged by.

        ``of_unit``: it is a socket of a unit that can be read; ``profiled``: it is also a socket of a profile.
        """
        facts = self._rules(contexts, place, profiled)
        if facts.file_type == SOCKET and facts.own and facts.live:
            facts = facts._replace(listeners=_listeners(facts.path))
        if not of_unit and facts.live and facts.own and facts.own.label:
            real = os.path.join(os.path.realpath(os.path.dirname(facts.path)), os.path.basename(facts.path))
            facts = facts._replace(customizable=selinuxlib.is_customizable(facts.own.label),
                                   keeps_labels=procfs.keeps_labels(real))
        return facts

    def _rules(self, contexts: FileContexts, place: Place, profiled: bool) -> PathFacts:
        """Return the facts about the rules for a path."""
        host, path, file_type, inode = place
        verdict = self.on_disk.database.verdict(path, file_type)
        # libselinux gives no answer at all if it fails at a regex.
        expected = None if verdict.broken else self.on_disk.lookup_as(path, file_type)
        meant = _meant(self.on_disk, contexts, verdict) if file_type == SOCKET and not profiled else None
        return PathFacts(host, path, file_type, inode, verdict, expected, (), meant)

    def client(self, domain: str, view: SocketView) -> Optional[ClientFacts]:
        """Return the checks for a domain that connects, or None if the policy has no such domain."""
        context = clients.context_of(domain)
        return clients.client_facts(domain, context, view, self.on_disk.database.directory_label) if context else None

    def enforcing(self) -> bool:
        """Return whether the kernel enforces its policy."""
        return selinuxlib.enforcing()

    def denials(self, path: str) -> Tuple[List[Denial], List[str]]:
        """Return the recent denials for a socket, and which facts about it cannot be read, with the reasons."""
        recent, unseen = denials.recent(path, self._runner)
        hidden = [unseen] if unseen else []
        if os.geteuid() != 0:
            hidden.append("who listens, the socket label and PID 1's label cache may only be seen by root")
        return recent, hidden


def read_inode(root: str, path: str, live: bool) -> Optional[Inode]:
    """Return the inode at a path, or None; a symbolic link at the end of the path is not followed."""
    directory, name = os.path.split(path)
    place = os.path.join(trust.inside(root, directory), name)
    try:
        mode = os.lstat(place).st_mode
        label = labels.path_label(place) if live else None  # the labels of an image or a chroot mean nothing
        return Inode(_KINDS[stat.S_IFMT(mode)], label, os.readlink(place) if stat.S_ISLNK(mode) else None,
                     filemodes.permissions(place) if live else None)
    except OSError:
        return None


def contexts_of(host: Host, on_disk: FileContextsOnDisk) -> FileContexts:
    """Return the file contexts for the pure code, with our own rules marked."""
    local = on_disk.store.local_rules()
    return on_disk.contexts(local, ownership.load(host.root, host.policy_type or "").ours(local))


def _listeners(path: str) -> List[Listener]:
    """Return the processes that listen at the path, under any of its spellings."""
    name, directory = os.path.basename(path), os.path.realpath(os.path.dirname(path))
    inodes = {socket.inode for spelling, at_spelling in unixsockets.Listeners(1).sockets.items()
              if os.path.basename(spelling) == name and os.path.realpath(os.path.dirname(spelling)) == directory
              for socket in at_spelling}
    return [Listener(socket.pid, procfs.comm(socket.pid), procfs.unit_of(socket.pid),
                     labels.socket_label(socket.pid, socket.descriptor)) for socket in unixsockets.holders(inodes)]


def _meant(on_disk: FileContextsOnDisk, contexts: FileContexts, verdict: Verdict) -> Optional[Rule]:
    """Find a rule for exactly this path that does not match: for another file type, or in another spelling."""
    mismatched = next((rule for rule in verdict.mismatched if literal(rule.regex) == verdict.path), None)
    others = contexts.equivalences.spellings(verdict.path) if mismatched is None else []
    respelt = [rule for rule in on_disk.database.rules() if (rule.covers(SOCKET) or rule.file_type == "file")
               and literal(rule.regex) in others] if others else []
    respelt.sort(key=lambda rule: not rule.covers(SOCKET))
    return mismatched or next(iter(respelt), None)
