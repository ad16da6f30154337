"""What is known of a host, as values: what kind of host it is, and all that a judgement stands on.  Pure."""

import shlex

from .. import PROGRAM
from .access import ClientFacts
from .attempts import Attempts
from .causes import NO_SUCH_TYPE
from .filecontexts import Rule
from .guards import CHROOT_OR_IMAGE, NOT_BOOTED, SELINUX_DISABLED
from .labelcache import NONE, UNKNOWN, LabelCache
from .record import Record
from .refresh import Build
from .rules import Decision
from .sockets import Executable, SameType, SocketView
from .typed import TYPE_CHECKING, Dict, List, Mapping, Optional, Sequence, Value
from .units import SocketUnit

if TYPE_CHECKING:
    from .processfacts import ProcessFacts
    from .refresh import SystemdFacts


class Host(Value):
    """The host, or the image, below one root directory.

    ``policy``: the policy type that it is configured for (``targeted``), or None; ``elsewhere`` says why it is not
    PID 1's own root directory, or is None; ``notes``: what is not done here, and why.
    """

    root: str
    policy: Optional[str]
    selinux_enabled: bool
    booted: bool
    elsewhere: Optional[str]
    notes: Sequence[str] = ()

    @property
    def own_root(self) -> bool:
        """Tell whether this is the host that PID 1 manages."""
        return self.elsewhere is None

    @property
    def offline(self) -> Optional[str]:
        """The name of the guard that forbids runtime effects here, or None where PID 1 is ours."""
        if not self.own_root:
            return CHROOT_OR_IMAGE
        if not self.booted:
            return NOT_BOOTED
        return None if self.selinux_enabled else SELINUX_DISABLED

    @property
    def why_offline(self) -> str:
        """Say in words what ``offline`` names."""
        if self.elsewhere:
            return self.elsewhere
        return "SELinux is disabled in the running kernel" if self.booted else "this host was not booted with systemd"

    def command(self, line: str) -> str:
        """Return a command line for this host as it is typed: for an image, outside of it."""
        if self.root == "/":
            return line
        program, _, arguments = line.partition(" ")
        root = shlex.quote(self.root)
        return "%s --root %s %s" % (program, root, arguments) if program == PROGRAM else "chroot %s %s" % (root, line)


class RuleFacts(Value):
    """The local rules, the record of those that are ours, and what was decided about each that is wanted."""

    record: Record = Record({}, {})
    local: Sequence[Rule] = ()
    decisions: Sequence[Decision] = ()


class Dates(Value):
    """When the rules on disk changed, the kernel loaded a policy, and was booted.

    In seconds since the epoch; None: not known.
    """

    rules_changed: Optional[float] = None
    policy_loaded: Optional[float] = None
    booted: Optional[float] = None

    @property
    def policy_load_due(self) -> bool:
        """Tell whether the kernel has not loaded a policy since the rules on disk changed."""
        return self.rules_changed is not None and (
            self.policy_loaded is None or self.policy_loaded < self.rules_changed)

    @property
    def rules_in_force_since(self) -> Optional[float]:
        """Since when a PID 1 that renews its label cache must have had the rules on disk, or None if not known."""
        return None if self.rules_changed is None or self.policy_load_due else self.policy_loaded


class InitFacts(Value):
    """PID 1 and its label cache.

    ``directory``: the label database on disk; ``generation``: a text that changes whenever that does; ``attempts``:
    what was done for the cache before; ``build``: the systemd that runs.  The last three are read where the cache
    may be wrong.
    """

    cache: LabelCache
    directory: str = ""
    dates: Dates = Dates()
    generation: str = ""
    attempts: Attempts = Attempts()
    build: Optional[Build] = None


class Facts(Value):
    """All that a judgement stands on: what was seen, and (``hidden``) what could not be, and why.

    ``units`` is empty where the manager is not ours.  ``clients``: what the policy answers for the domain that a
    profile names, by the path of the socket; ``stopped``: units that an interrupted restart has left down;
    ``same_type``: whether two names are one type; ``privileged``: whether root looked.  ``systemd`` and ``processes``
    are read where a verb asks for them.
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
    hidden: Sequence[str] = ()

    @property
    def cache(self) -> LabelCache:
        """PID 1's label cache."""
        return self.init.cache

    @property
    def relevant(self) -> bool:
        """Tell whether PID 1's label cache matters for any of the sockets."""
        return self.host.offline is None and any(view.wanted.cause != NO_SUCH_TYPE for view in self.sockets)

    @property
    def wanted_contexts(self) -> Dict[str, str]:
        """The contexts that PID 1 should give to sockets, by path."""
        return {view.path: view.wanted.context for view in self.sockets if view.wanted.context and not view.idle}

    @property
    def unseen_cache(self) -> List[str]:
        """Why PID 1's label cache could not be seen or asked, if so.  On an image it is not looked for."""
        if self.host.offline:
            return []
        why = self.cache.unasked or ("; ".join(self.cache.evidence) if self.cache.state == UNKNOWN else None)
        return ["PID 1's label cache: %s" % why] if why else []

    @property
    def unseen(self) -> List[str]:
        """What could not be seen, and why."""
        return [*self.hidden, *self.unseen_cache, *(
            "%s: permission denied" % view.path for view in self.sockets
            if view.seen.in_use and view.seen.exists is None)]
