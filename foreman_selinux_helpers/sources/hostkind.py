"""What kind of host this is, and what may be done on it."""

import os

from ..doors import procfs, selinuxlib, systemd, trust
from ..doors.policystore import Store
from ..model.facts import Host
from ..model.typed import List, Optional

CONFIG = "etc/foreman-selinux-helpers/foreman-selinux-helpers.conf"
# Set to forbid the re-exec for one run; a configuration file forbids it for good.
NO_REEXEC = "FOREMAN_SELINUX_HELPERS_NO_REEXEC"
_SYSTEMD_OFFLINE = "SYSTEMD_OFFLINE"
# The only variables of the caller's environment that count.
HEEDED = (NO_REEXEC, _SYSTEMD_OFFLINE)
_TRUE = ("1", "yes", "true", "on", "y", "t")


def read(root: str) -> Host:
    """Return what kind of host is below ``root`` (an absolute path)."""
    elsewhere = _elsewhere(root)
    host = Host(root, selinuxlib.policy_type(root), elsewhere is None and selinuxlib.enabled(),
                elsewhere is None and systemd.booted(), elsewhere)
    return host._replace(notes=_notes(host))


def store(host: Host) -> Optional[Store]:
    """Return the policy store, or None where there is none to change."""
    found = Store(host.root, host.policy_type) if host.policy_type else None
    return found if found and found.exists else None


def _notes(host: Host) -> List[str]:
    """Return what is not done on this host, and why, in words."""
    found = []
    if host.policy_type is None:
        found.append("no SELinux policy is installed (%s names none that is there)"
                     % os.path.join(host.root, selinuxlib.CONFIG))
    elif store(host) is None:
        directory = Store(host.root, host.policy_type).directory
        if os.access(directory if os.path.isdir(directory) else os.path.dirname(directory), os.X_OK):
            found.append("there is no policy store %s" % directory)
    if host.offline:
        found.append("%s (%s): only rules are registered; PID 1 and sockets are left alone"
                     % (host.why_offline, host.offline))
    return found


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
