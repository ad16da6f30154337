"""The users and groups of this host, as the name service knows them."""

import os

from ..model.modes import User
from ..model.typed import Any, Callable, Dict, Optional, Sequence

# Every host has these; so the usual case needs no query to the name service.
_users: Dict[int, str] = {0: "root"}
_groups: Dict[int, str] = {0: "root"}


def find(name: str) -> Optional[User]:
    """Return the credentials of a user, or None if the host does not have it.

    The groups are those of the group database.  What a service adds or removes (SupplementaryGroups=, Group=,
    CapabilityBoundingSet=) is not known here.
    """
    import pwd

    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return User(name, entry.pw_uid, os.getgrouplist(name, entry.pw_gid), group_name(entry.pw_gid))


def user_name(uid: int) -> str:
    """Return the name of a user, or the number if there is no name."""
    if uid not in _users:
        from pwd import getpwuid

        _users[uid] = _name(getpwuid, uid)
    return _users[uid]


def group_name(gid: int) -> str:
    """Return the name of a group, or the number if there is no name."""
    if gid not in _groups:
        from grp import getgrgid

        _groups[gid] = _name(getgrgid, gid)
    return _groups[gid]


def _name(entry: Callable[[int], Sequence[Any]], number: int) -> str:
    """Return the name in the entry for a number, which is its first field, or the number if there is no entry."""
    try:
        return str(entry(number)[0])
    except KeyError:
        return str(number)
