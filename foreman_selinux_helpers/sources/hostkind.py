"""Read the kind of this host, and what may be changed on it."""

import os

from ..doors import procfs, selinuxlib, systemd, trust
from ..doors.policystore import Store
from ..model.facts import Host
from ..model.typed import List, Optional

CONFIG = "etc/foreman-selinux-helpers/foreman-selinux-helpers.conf"
# Set to forbid the re-exec for one run; the configuration file forbids it permanently.
NO_REEXEC = "FOREMAN_SELINUX_HELPERS_NO_REEXEC"
_SYSTEMD_OFFLINE = "SYSTEMD_OFFLINE"
# The only variables that are taken from the caller's environment.
HEEDED = (NO_REEXEC, _SYSTEMD_OFFLINE)
_TRUE = ("1", "yes", "true", "on", "y", "t")


def read(root: str) -> Host:
    """Return the kind of the host below ``root`` (an absolute path)."""
    elsewhere = _elsewhere(root)
    host = Host(root, selinuxlib.policy_type(root), elsewhere is None and selinuxlib.enabled(),
                elsewhere is None and systemd.booted(), elsewhere)
    return host._replace(notes=_notes(host))


def store(host: Host) -> Optional[Store]:
    """Return the policy store, or None if there is none to change."""
    policy_store = Store(host.root, host.policy_type) if host.policy_type else None
    return policy_store if policy_store and policy_store.exists else None


def _notes(host: Host) -> List[str]:
    """Return what is not done on this host, and why, as messages."""
    notes = []
    if host.policy_type is None:
        notes.append("no SELinux policy is installed (%s names none that is there)"
                     % os.path.join(host.root, selinuxlib.CONFIG))
    elif store(host) is None:
        directory = Store(host.root, host.policy_type).directory
        if os.access(directory if os.path.isdir(directory) else os.path.dirname(directory), os.X_OK):
            notes.append("there is no policy store %s" % directory)
    if host.offline:
        notes.append("%s (%s): only rules are registered; PID 1 and sockets are left alone"
                     % (host.why_offline, host.offline))
    return notes


def _elsewhere(root: str) -> Optional[str]:
    if root != "/":
        return "%s is an image" % root
    if os.environ.get(_SYSTEMD_OFFLINE, "").lower() in _TRUE:
        return "%s is set" % _SYSTEMD_OFFLINE
    if not procfs.shares_root(1):
        return "this is a chroot or a sandbox: / is not seen to be PID 1's root directory"
    return None


def reexec_switched_off(root: str) -> Optional[str]:
    """Return what forbids a re-exec of PID 1 here, or None.

    A configuration file that cannot be read also forbids it: its author meant to be careful.
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
