"""Owners, modes and access control lists of inodes, as the kernel stores them."""

import errno
import os
import stat

from ..model.modes import AclEntry, Permissions, Reach, parse_acl
from ..model.typed import Dict, List, Optional
from . import users

_ACL = "system.posix_acl_access"
# The limit of the kernel (path_resolution(7)).
_MOST_LINKS = 40


def reach(path: str) -> Reach:
    """Return the permissions that matter for connecting to the socket at ``path``; a final link is not followed.

    The permissions of links do not matter; those of the directories that contain links do.
    """
    directories: Dict[str, Permissions] = {}
    socket = None
    try:
        directories["/"] = _permissions("/", os.lstat("/"))
        here, names, links = "/", path.split("/"), 0
        while names:
            name = names.pop(0)
            if name in ("", "."):
                continue
            if name == "..":
                here = os.path.dirname(here)
                continue
            place = os.path.join(here, name)
            status = os.lstat(place)
            if not names:
                socket = _permissions(place, status) if stat.S_ISSOCK(status.st_mode) else None
            elif stat.S_ISLNK(status.st_mode):
                links += 1
                if links > _MOST_LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), place)
                target = os.readlink(place)
                here = "/" if target.startswith("/") else here
                names = target.split("/") + names
            else:
                here = place
                directories[here] = _permissions(here, status)
    except (FileNotFoundError, NotADirectoryError):
        return Reach(list(directories.values()))
    except OSError as error:
        return Reach(list(directories.values()), None, "who may connect to %s: %s" % (path, error.strerror))
    except ValueError as error:
        return Reach(list(directories.values()), None, "who may connect to %s: %s" % (path, error))
    return Reach(list(directories.values()), socket)


def permissions(path: str) -> Optional[Permissions]:
    """Return the permissions of an inode, or None if they cannot be read; a link is not followed."""
    try:
        return _permissions(path, os.lstat(path))
    except (OSError, ValueError):
        return None


def _permissions(path: str, status: os.stat_result) -> Permissions:
    acl = [] if stat.S_ISLNK(status.st_mode) else _acl(path)
    return Permissions(path, status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode),
                       users.user_name(status.st_uid), users.group_name(status.st_gid), acl)


def _acl(path: str) -> List[AclEntry]:
    try:
        return parse_acl(os.getxattr(path, _ACL, follow_symlinks=False))
    except OSError as error:
        if error.errno in (errno.ENODATA, errno.ENOTSUP):
            return []
        raise
