"""The facts about a host: its kind, and everything a judgement depends on.  Pure."""

import shlex

from .. import PROGRAM
from .access import ClientFacts
from .attempts import Attempts
from .causes import NO_SUCH_TYPE
from .filecontexts import Rule
from .guards import CHROOT_OR_IMAGE, NOT_BOOTED, SELINUX_DISABLED
from .labelcache import NONE, UNKNOWN, LabelCache
from .origin import SOS, of_root
from .record import Record
from .refresh import Build
from .rules import Decision
from .sockets import Executable, ForeignSocket, SameType, SocketView
from .typed import TYPE_CHECKING, Dict, List, Mapping, Optional, Sequence, Value
from .units import SocketUnit

if TYPE_CHECKING:
    from .processfacts import ProcessFacts
    from .refresh import SystemdFacts


class Host(Value):
    """The host, or the image, below one root directory.

    ``policy``: the policy type that it is configured for (``targeted``), or None; ``elsewhere`` says why it is not
    PID 1's own root directory, or is None; ``notes``: what is not done here, and why; ``report``: the
    sos report that tells of it, whose files are below ``root`` for a while.
    """

    root: str
    policy_type: Optional[str]
    selinux_enabled: bool
    booted: bool
    elsewhere: Optional[str]
    notes: Sequence[str] = ()
    report: Optional[str] = None

    @property
    def own_root(self) -> bool:
        """Return whether this is the host that PID 1 manages."""
        return self.elsewhere is None

    @property
    def offline(self) -> Optional[str]:
        """The name of the guard that forbids runtime effects here, or None if PID 1 manages this root directory."""
        if not self.own_root:
            return CHROOT_OR_IMAGE
        if not self.booted:
            return NOT_BOOTED
        return None if self.selinux_enabled else SELINUX_DISABLED

    @property
    def why_offline(self) -> str:
        """Return the reason for ``offline`` in words."""
        if self.elsewhere:
            return self.elsewhere
        return "SELinux is disabled in the running kernel" if self.booted else "this host was not booted with systemd"

    @property
    def source(self) -> str:
        """Where its facts come from."""
        return SOS if self.report else of_root(self.root)

    def shown(self, file: str) -> str:
        """Return the path of a file of its policy as it is shown: of a report, without where it is for a while."""
        inside = self.report and file.startswith(self.root + "/")
        return file[len(self.root):] if inside else file

    def command(self, line: str) -> str:
        """Return a command line for this host as it is typed: for an image, outside of it."""
        if self.root == "/" or self.report:
            return line
        program, _, arguments = line.partition(" ")
        root = shlex.quote(self.root)
        return "%s --root %s %s" % (program, root, arguments) if program == PROGRAM else "chroot %s %s" % (root, line)


class RuleFacts(Value):
    """The local rules, the record of ours, and the decision about each wanted rule."""

    record: Record = Record({}, {})
    local: Sequence[Rule] = ()
    decisions: Sequence[Decision] = ()


class Dates(Value):
    """When the rules on disk changed, the kernel loaded a policy, and the host was booted.

    In seconds since the epoch; None: unknown.
    """

    rules_changed: Optional[float] = None
    policy_loaded: Optional[float] = None
    booted: Optional[float] = None

    @property
    def policy_load_due(self) -> bool:
        """Return whether the kernel has not loaded a policy since the rules on disk changed."""
        return self.rules_changed is not None and (
            self.policy_loaded is None or self.policy_loaded < self.rules_changed)

    @property
    def rules_in_force_since(self) -> Optional[float]:
        """Since when a PID 1 that renews its label cache must have the rules on disk; None: unknown."""
        return None if self.rules_changed is None or self.policy_load_due else self.policy_loaded


class InitFacts(Value):
    """PID 1 and its label cache.

    ``directory``: the label database on disk.  ``generation``: a text that changes whenever the database does.
    ``attempts``: the remedies that were tried before.  ``build``: the running systemd.  The last three, and
    when the host was booted, are read only if the cache may be wrong.
    """

    cache: LabelCache
    directory: str = ""
    dates: Dates = Dates()
    generation: str = ""
    attempts: Attempts = Attempts()
    build: Optional[Build] = None


class Facts(Value):
    """Everything a judgement depends on; ``hidden``: what could not be read, and why.

    ``same_type``: returns whether two names stand for one type.  ``privileged``: the facts were read by root.
    ``units`` is empty if the manager is not this host's.  ``clients``: what the policy answers for the client domain
    of a profile, by the path of the socket.  ``stopped``: units that an interrupted restart has left stopped.
    ``systemd``, ``processes`` and ``foreign`` (sockets in /run that no unit created) are read only for the verbs that
    need them.
    """

    host: Host
    rules: RuleFacts
    init: InitFacts
    same_type: SameType
    privileged: bool
    units: Mapping[str, SocketUnit] = NONE
    sockets: Sequence[SocketView] = ()
    executables: Mapping[str, Executable] = NONE
    clients: Mapping[str, ClientFacts] = NONE
    stopped: Sequence[str] = ()
    systemd: "Optional[SystemdFacts]" = None
    processes: "Optional[ProcessFacts]" = None
    foreign: Optional[Sequence[ForeignSocket]] = None
    hidden: Sequence[str] = ()

    @property
    def cache(self) -> LabelCache:
        """PID 1's label cache."""
        return self.init.cache

    @property
    def relevant(self) -> bool:
        """Return whether PID 1's label cache matters for any of the sockets."""
        return self.host.offline is None and any(view.wanted.cause != NO_SUCH_TYPE for view in self.sockets)

    @property
    def wanted_contexts(self) -> Dict[str, str]:
        """The contexts that PID 1 should give to sockets, by path."""
        return {view.path: view.wanted.context for view in self.sockets if view.wanted.context and not view.idle}

    @property
    def unseen_cache(self) -> List[str]:
        """Why PID 1's label cache could not be read or queried; empty if it could.  An image has none."""
        if self.host.offline:
            return []
        why = self.cache.unasked or ("; ".join(self.cache.evidence) if self.cache.state == UNKNOWN else None)
        return ["PID 1's label cache: %s" % why] if why else []

    @property
    def unseen(self) -> List[str]:
        """What could not be seen, and why."""
        why = "the report does not tell its label" if self.host.report else "permission denied"
        return [*self.hidden, *self.unseen_cache, *(
            "%s: %s" % (view.path, why) for view in self.sockets
            if view.seen.in_use and view.seen.exists is None), *(
            view.seen.reach.unseen for view in self.sockets if view.seen.reach.unseen)]
