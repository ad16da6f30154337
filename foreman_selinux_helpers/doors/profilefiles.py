"""The profiles that are installed on a host."""

import os

from ..model.errors import Refused
from ..model.profiles import BrokenProfile, Profiles, SocketProfile, line_of, parse
from ..model.typed import Dict, List, Optional
from . import trust

VENDOR_DIR = "usr/share/foreman-selinux-helpers/profiles.d"
ADMIN_DIR = "etc/foreman-selinux-helpers/profiles.d"
# The default profiles of this package; a profile that a unit's own package installs takes precedence.
_DEFAULTS = tuple("%s/%s.conf" % (VENDOR_DIR, name) for name in ("foreman", "pulpcore"))
# Far more than any real profile needs.
MAX_SIZE = 64 * 1024


def load(root: str) -> Profiles:
    """Read every profile below ``root``; the administrator's file masks the packaged file with the same name."""
    files: Dict[str, str] = {}
    broken: List[BrokenProfile] = []
    for place in (VENDOR_DIR, ADMIN_DIR):
        directory = os.path.join(root, place)
        reason = trust.distrust(root, place)
        if reason:
            broken.append(BrokenProfile(place, directory, 0, reason))
            continue
        try:
            names = os.listdir(directory)
        except FileNotFoundError:
            continue
        except OSError as error:
            broken.append(BrokenProfile(place, directory, 0, "cannot be read: %s" % error.strerror))
            continue
        for name in names:
            if name.endswith(".conf") and not name.startswith("."):
                files[name] = os.path.join(directory, name)
    sockets: List[SocketProfile] = []
    units: Dict[str, str] = {}
    defaults = [os.path.join(root, path) for path in _DEFAULTS]
    for name in sorted(files, key=lambda name: (files[name] in defaults, name)):
        profile = name[:-len(".conf")]
        try:
            text = _read(files[name])
            if text is None:
                continue
            parsed = parse(text, profile)
            if files[name] in defaults:
                parsed = [socket for socket in parsed if socket.unit not in units]
            for socket in parsed:
                if socket.unit in units:
                    raise Refused("%s is already claimed by profile %s; one of the two must go"
                                   % (socket.unit, units[socket.unit]), line_of(text, socket.unit))
        except Refused as refused:
            broken.append(BrokenProfile(profile, files[name], refused.line, refused.reason))
            continue
        units.update((socket.unit, profile) for socket in parsed)
        sockets.extend(parsed)
    return Profiles(sorted(sockets, key=lambda socket: socket.profile), broken)


def _read(file: str) -> Optional[str]:
    """Return the text of a profile that only root can change, or None if a link to /dev/null masks it."""
    if os.path.islink(file) and os.readlink(file) == os.devnull:
        return None
    try:
        handle = trust.open_regular(file)
    except OSError as error:
        if os.path.islink(file):
            raise Refused("is a symbolic link; only a link to /dev/null is accepted") from error
        raise Refused("cannot be read: %s" % error.strerror) from error
    with os.fdopen(handle, "rb") as stream:
        status = os.fstat(handle)
        if status.st_uid != 0:
            raise Refused("is owned by uid %d; a profile must be owned by root (chown root)" % status.st_uid)
        if not trust.roots_alone(status):
            raise Refused("can be written by others than root (chmod go-w)")
        content = stream.read(MAX_SIZE + 1)
    if len(content) > MAX_SIZE:
        raise Refused("is larger than %d bytes" % MAX_SIZE)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refused("is not UTF-8 text", content.count(b"\n", 0, error.start) + 1) from error
