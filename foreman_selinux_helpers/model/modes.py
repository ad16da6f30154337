"""Who may connect to a socket by file modes and access control lists.  Pure.

connect(2) and sendto(2) require search permission on each directory in the path, and write permission on the inode
of the socket, whatever its type (unix(7)).  A socket in the abstract namespace has neither an inode nor a path.
"""

import shlex

from .typed import List, Optional, Sequence, Tuple, Value

# Permissions as in a mode.
WRITE = 2
SEARCH = 1
_VERBS = {WRITE: "write", SEARCH: "search"}

# Which entry decides about a permission.
OWNER = "being its owner"
GROUP = "being in its group"
OTHERS = "being neither its owner nor in its group"
ACL_USER = "by the entry for this user in its access control list"
ACL_GROUPS = "by the entries for groups in its access control list"
ACL_OTHERS = "not being named in its access control list"

# linux/posix_acl_xattr.h and linux/posix_acl.h
_VERSION = 2
_USER_OBJ, _USER, _GROUP_OBJ, _GROUP, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20


class AclEntry(Value):
    """An entry of an access control list (acl(5)); ``id``: the user or the group that it names."""

    tag: int
    permissions: int
    id: int


class Permissions(Value):
    """The permissions of an inode; ``owner`` and ``group`` are names, or numbers if there is no name."""

    path: str
    uid: int
    gid: int
    mode: int
    owner: str
    group: str
    acl: Sequence[AclEntry] = ()

    def __str__(self) -> str:
        return "%s:%s %s" % (self.owner, self.group, octal(self.mode))


class User(Value):
    """The credentials of a user; ``groups`` includes the primary group, whose name is ``group``."""

    name: str
    uid: int
    groups: Sequence[int]
    group: str


class Reach(Value):
    """The file modes that matter to a client of a socket, and the user that the profile names.

    ``directories``: in the order in which they are searched.  ``socket``: None: it does not exist, or was not read.
    ``unseen``: why not all of this could be read.  ``user``: None: the profile names none, or it does not exist.
    """

    directories: Sequence[Permissions] = ()
    socket: Optional[Permissions] = None
    unseen: Optional[str] = None
    user: Optional[User] = None


class Refusal(Value):
    """A permission that a user does not have; ``why``: which entry decided."""

    user: User
    inode: Permissions
    permission: int
    why: str

    def __str__(self) -> str:
        comma = "," if self.why in (OWNER, GROUP, OTHERS, ACL_OTHERS) else ""
        return "%s may not %s %s (%s)%s %s" % (
            self.user.name, _VERBS[self.permission], self.inode.path, self.inode, comma, self.why)


def octal(mode: int) -> str:
    """Return a mode in the notation of systemd and chmod(1)."""
    return "%04o" % mode


def parse_acl(value: bytes) -> List[AclEntry]:
    """Parse an access control list from its extended attribute; raise ValueError if it is not valid.

    The format (linux/posix_acl_xattr.h): a version of four bytes, then for each entry its tag and its permissions (two
    bytes each) and its ID (four bytes), all little-endian.
    """
    if len(value) % 8 != 4 or int.from_bytes(value[:4], "little") != _VERSION:
        raise ValueError("not an access control list of version %d" % _VERSION)
    return [AclEntry(*(int.from_bytes(value[start + begin:start + end], "little")
                       for begin, end in ((0, 2), (2, 4), (4, 8)))) for start in range(4, len(value), 8)]


def allowed(inode: Permissions, user: User, permission: int) -> Tuple[bool, str]:
    """Return whether a user has a permission, and which entry decided.

    This implements acl_permission_check() of Linux (fs/namei.c).  Unlike acl(5), Linux ignores an access control list
    with an empty mask: then a user who is not in the group has the permissions of others, even if an entry names the
    user.
    """
    if user.uid == inode.uid:
        return _has(inode.mode >> 6, permission), OWNER
    if inode.acl and inode.mode & 0o070:
        return _allowed_by_acl(inode, user, permission)
    if inode.gid in user.groups:
        return _has(inode.mode >> 3, permission), GROUP
    return _has(inode.mode, permission), OTHERS


def _has(permissions: int, wanted: int) -> bool:
    return permissions & wanted == wanted


def _allowed_by_acl(inode: Permissions, user: User, permission: int) -> Tuple[bool, str]:
    """Implement posix_acl_permission() of Linux (fs/posix_acl.c) for users other than the owner."""
    mask = next((entry.permissions for entry in inode.acl if entry.tag == _MASK), 7)
    for entry in inode.acl:
        if entry.tag == _USER and entry.id == user.uid:
            return _has(entry.permissions & mask, permission), ACL_USER
    groups = [entry.permissions for entry in inode.acl
              if (entry.tag == _GROUP_OBJ and inode.gid in user.groups)
              or (entry.tag == _GROUP and entry.id in user.groups)]
    if groups:
        return any(_has(permissions & mask, permission) for permissions in groups), ACL_GROUPS
    return any(_has(entry.permissions, permission) for entry in inode.acl if entry.tag == _OTHER), ACL_OTHERS


def refusal(reach: Reach) -> Optional[Refusal]:
    """Return the first permission that the user of the profile lacks; None: there is none, or it is unknown.

    Root is assumed to have CAP_DAC_OVERRIDE.
    """
    user = reach.user
    if user is None or user.uid == 0 or reach.socket is None or reach.unseen:
        return None
    for inode, permission in [(directory, SEARCH) for directory in reach.directories] + [(reach.socket, WRITE)]:
        granted, why = allowed(inode, user, permission)
        if not granted:
            return Refusal(user, inode, permission, why)
    return None


def open_to_all(reach: Reach) -> bool:
    """Return whether every user may connect who is neither the owner, nor in the group, nor named in an entry."""
    return reach.socket is not None and not reach.unseen and _has(reach.socket.mode, WRITE) \
        and all(_has(directory.mode, SEARCH) for directory in reach.directories)


class Remedy(Value):
    """What would give a user a permission, in words, and the command, if there is one."""

    words: str
    command: Optional[str]


def remedy(refused: Refusal, unit: str) -> Remedy:
    """Return what would let the user connect to a socket of a unit (empty: no unit created the socket)."""
    inode, user = refused.inode, refused.user
    path, name, socket = shlex.quote(inode.path), shlex.quote(user.name), refused.permission == WRITE
    if inode.acl and refused.why != OWNER:
        command = "setfacl -m u:%s:%s %s" % (name, "rw" if socket else "x", path)
        words = "the access control list of %s has to let %s %s" % (inode.path, user.name, _VERBS[refused.permission])
        return Remedy(words + ("; a new socket inherits the default list of its directory" if socket else ""), command)
    if not socket:
        letter = {OWNER: "u", GROUP: "g"}.get(refused.why, "o")
        words = "%s has to be searchable by %s" % (inode.path, user.name)
        if unit:
            words += "; if systemd makes this directory, set DirectoryMode= in the [Socket] section of %s" % unit
        return Remedy(words, "chmod %s+x %s" % (letter, path))
    if not unit:
        return Remedy("the program that made %s decides its owner and mode" % inode.path, None)
    mode = inode.mode | (0o600 if refused.why == OWNER else 0o060)
    settings = ["SocketGroup=%s" % user.group] if refused.why == OTHERS else []
    settings += ["SocketMode=%s" % octal(mode)] if mode != inode.mode else []
    return Remedy("SocketUser=, SocketGroup= or SocketMode= in the [Socket] section of %s have to let %s write, such "
                  "as %s; restart the unit after that" % (unit, user.name, " and ".join(settings)),
                  "systemctl edit %s" % shlex.quote(unit))
