"""What is seen of a host, as values: what kind of host it is, and all that a judgement stands on."""

import shlex

from .. import PROGRAM
from .filecontexts import Rule
from .guards import CHROOT_OR_IMAGE, NOT_BOOTED, SELINUX_DISABLED
from .labelcache import LabelCache
from .record import Record
from .rules import Decision
from .sockets import Executable, SocketView
from .typed import Dict, Optional, Sequence, Value
from .units import SocketUnit


class Host(Value):
    """The host, or the image, below one root directory; ``elsewhere`` says why it is not PID 1's, or is None."""

    root: str
    policy: Optional[str]
    selinux_enabled: bool
    booted: bool
    elsewhere: Optional[str]

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
        program, _, rest = line.partition(" ")
        root = shlex.quote(self.root)
        return "%s --root %s %s" % (program, root, rest) if program == PROGRAM else "chroot %s %s" % (root, line)


class Observation(Value):
    """What was seen.  ``units`` is empty where the manager is not ours."""

    host: Host
    record: Record
    local: Sequence[Rule]
    decisions: Sequence[Decision]
    units: Dict[str, SocketUnit]
    views: Sequence[SocketView]
    executables: Dict[str, Executable]
    cache: LabelCache
    cache_directory: str
    relevant: bool
