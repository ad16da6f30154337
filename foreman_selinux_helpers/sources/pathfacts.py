"""What there is to see of one path: what is there, which rule wins, who listens."""

import os
import stat

from ..doors import denials, filemodes, labeldatabase, labels, ownership, procfs, selinuxlib, trust, unixsockets
from ..doors.denials import Denial
from ..doors.run import Runner
from ..model.access import ClientFacts
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
    """A path, the file type that it is looked at as, and what is there."""

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
        """Return what is at a path, or None if nothing is."""
        return read_inode(self.host.root, path, self.host.offline is None)

    def followed(self, path: str, equivalences: Equivalences) -> str:
        """Return a path with the links on the way followed; see followed()."""
        return followed(self.host.root, path, equivalences)

    def facts(self, contexts: FileContexts, place: Place, of_unit: bool, profiled: bool) -> PathFacts:
        """Return all that a judgement of the path takes; see read()."""
        return read(self.on_disk, contexts, place, of_unit, profiled)

    def client(self, domain: str, view: SocketView) -> Optional[ClientFacts]:
        """Return what connecting takes of a domain, or None if the policy has no such domain."""
        context = clients.context_of(domain)
        return clients.client_facts(domain, context, view, self.on_disk.database.directory_label) if context else None

    def enforcing(self) -> bool:
        """Return whether the kernel enforces its policy."""
        return selinuxlib.enforcing()

    def denials(self, path: str) -> Tuple[List[Denial], List[str]]:
        """Return the recent denials that are about a socket, and what could not be seen of it, and why."""
        found, unseen = denials.recent(path, self._runner)
        hidden = [unseen] if unseen else []
        if os.geteuid() != 0:
            hidden.append("who listens, the socket label and PID 1's label cache may only be seen by root")
        return found, hidden


def read_inode(root: str, path: str, live: bool) -> Optional[Inode]:
    """Return what is at a path, without following a link at its end, or None if nothing is."""
    directory, name = os.path.split(path)
    place = os.path.join(trust.inside(root, directory), name)
    try:
        mode = os.lstat(place).st_mode
        label = labels.path_label(place) if live else None  # elsewhere labels mean nothing
        return Inode(_KINDS[stat.S_IFMT(mode)], label, os.readlink(place) if stat.S_ISLNK(mode) else None,
                     filemodes.permissions(place) if live else None)
    except OSError:
        return None


def followed(root: str, path: str, equivalences: Equivalences) -> str:
    """Follow links on the way where they lead to what the substitutions do not, as restorecon(8) does."""
    if path == "/":
        return path
    directory, name = os.path.split(path)
    real = os.path.join(os.path.realpath(directory) if root == "/" else
                        trust.inside(root, directory)[len(root):] or "/", name)
    return path if equivalences.canonical(real) == equivalences.canonical(path) else real


def contexts_of(host: Host, on_disk: FileContextsOnDisk) -> FileContexts:
    """Return the file contexts as the pure code sees them, with our own rules marked."""
    local = on_disk.store.local_rules()
    return on_disk.contexts(local, ownership.load(host.root, host.policy_type or "").ours(local))


def read(on_disk: FileContextsOnDisk, contexts: FileContexts, place: Place, unit: bool, profile: bool) -> PathFacts:
    """Return all that a judgement of the path takes.

    ``unit``: it is a socket of a unit that can be read; ``profile``: and of a profile.
    """
    host, path, file_type, inode = place
    verdict = on_disk.database.verdict(path, file_type)
    # libselinux has no answer at all where it fails at a regex.
    expected = None if verdict.broken else on_disk.lookup_as(path, file_type)
    facts = PathFacts(host, path, file_type, inode, verdict, expected, ())
    if file_type == SOCKET and facts.own and facts.live:
        facts = facts._replace(listeners=_listeners(path))
    if file_type == SOCKET and not profile:
        facts = facts._replace(meant=meant(on_disk, contexts, verdict))
    if not unit and facts.live and facts.own and facts.own.label:
        real = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
        facts = facts._replace(customizable=selinuxlib.is_customizable(facts.own.label),
                               keeps_labels=procfs.keeps_labels(real))
    return facts


def _listeners(path: str) -> List[Listener]:
    """Return who listens at the path, under whichever of its spellings."""
    name, directory = os.path.basename(path), os.path.realpath(os.path.dirname(path))
    inodes = {one.inode for spelling, found in unixsockets.Listeners(1).sockets.items()
              if os.path.basename(spelling) == name and os.path.realpath(os.path.dirname(spelling)) == directory
              for one in found}
    return [Listener(one.pid, procfs.comm(one.pid), procfs.unit_of(one.pid),
                     labels.socket_label(one.pid, one.descriptor)) for one in unixsockets.holders(inodes)]


def meant(on_disk: FileContextsOnDisk, contexts: FileContexts, verdict: Verdict) -> Optional[Rule]:
    """Find a rule that names exactly this path, but for another file type, or in a spelling that cannot match."""
    meant = next((one for one in verdict.mismatched if literal(one.regex) == verdict.path), None)
    others = contexts.equivalences.spellings(verdict.path) if meant is None else []
    found = [one for one in on_disk.database.rules() if (one.covers(SOCKET) or one.file_type == "file")
             and literal(one.regex) in others] if others else []
    found.sort(key=lambda one: not one.covers(SOCKET))
    return meant or next(iter(found), None)
