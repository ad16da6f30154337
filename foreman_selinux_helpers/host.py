"""What kind of host this is, and so what may be done here."""

import os
import shlex
from typing import List, NamedTuple, Optional

from . import procfs, selinuxlib, systemd, trust
from .guards import CHROOT_OR_IMAGE, NOT_BOOTED, SELINUX_DISABLED
from .log import IDENTIFIER
from .policystore import Store

CONFIG = "etc/foreman-selinux-helpers/foreman-selinux-helpers.conf"
# Set to forbid the re-exec for one run; a configuration file forbids it for good.
NO_REEXEC = "FOREMAN_SELINUX_HELPERS_NO_REEXEC"
_SYSTEMD_OFFLINE = "SYSTEMD_OFFLINE"
# All that the caller's environment may say.
HEEDED = (NO_REEXEC, _SYSTEMD_OFFLINE)
_TRUE = ("1", "yes", "true", "on", "y", "t")


class Host(NamedTuple):
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
    def store(self) -> Optional[Store]:
        """The policy store, or None where there is none to change."""
        store = Store(self.root, self.policy) if self.policy else None
        return store if store and store.exists else None

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
        return "%s --root %s %s" % (program, root, rest) if program == IDENTIFIER else "chroot %s %s" % (root, line)

    def notes(self) -> List[str]:
        """Say in words what is not done here, and why."""
        notes = []
        if self.policy is None:
            notes.append("no SELinux policy is installed (%s names none that is there)"
                         % os.path.join(self.root, selinuxlib.CONFIG))
        elif self.store is None:
            directory = Store(self.root, self.policy).directory
            if os.access(directory if os.path.isdir(directory) else os.path.dirname(directory), os.X_OK):
                notes.append("there is no policy store %s" % directory)
        if self.offline:
            notes.append("%s (%s): only rules are registered; PID 1 and sockets are left alone"
                         % (self.why_offline, self.offline))
        return notes


def look(root: str) -> Host:
    """Look at the host below ``root`` (an absolute path)."""
    elsewhere = _elsewhere(root)
    return Host(root, selinuxlib.policy_type(root), elsewhere is None and selinuxlib.enabled(),
                elsewhere is None and systemd.booted(), elsewhere)


def _elsewhere(root: str) -> Optional[str]:
    if root != "/":
        return "%s is an image" % root
    if os.environ.get(_SYSTEMD_OFFLINE, "").lower() in _TRUE:
        return "%s is set" % _SYSTEMD_OFFLINE
    if not procfs.shares_root(1):
        return "this is a chroot or a sandbox: / is not seen to be PID 1's root directory"
    return None


def reexec_switched_off(root: str) -> Optional[str]:
    """Say what forbids a re-exec of PID 1 here, or None.

    A configuration that cannot be read forbids it too: who wrote one meant to be careful.
    """
    if os.environ.get(NO_REEXEC, "").lower() in _TRUE:
        return "%s is set" % NO_REEXEC
    import configparser

    file = trust.inside(root, CONFIG)
    parser = configparser.ConfigParser(interpolation=None, inline_comment_prefixes=("#",))
    try:
        with open(file, encoding="utf-8") as stream:
            parser.read_file(stream, file)
        if not parser.getboolean("daemon-reexec", "allowed", fallback=True):
            return "%s says so" % file
    except FileNotFoundError:
        pass
    except (OSError, ValueError, configparser.Error) as error:
        return "%s cannot be read: %s" % (file, str(error).split("\n")[0])
    return None
