"""The labels on inodes and on the sockets that processes hold, as the kernel stores them."""

import errno
import os
import stat

from ..model.errors import HelperError
from ..model.typed import Optional
from . import trust

_ATTRIBUTE = "security.selinux"


def path_label(path: str) -> Optional[str]:
    """Return the label on an inode, not following a link; None if there is none.

    Raises FileNotFoundError or another OSError if the path cannot be accessed.
    """
    return _attribute(path, follow_symlinks=False)


def socket_label(pid: int, descriptor: int) -> Optional[str]:
    """Return the label of the socket object that a process holds under this descriptor."""
    try:
        return _attribute("/proc/%d/fd/%d" % (pid, descriptor), follow_symlinks=True)
    except OSError:
        return None


def _attribute(path: str, follow_symlinks: bool) -> Optional[str]:
    try:
        value = os.getxattr(path, _ATTRIBUTE, follow_symlinks=follow_symlinks)
    except OSError as error:
        if error.errno in (errno.ENODATA, errno.ENOTSUP):
            return None
        raise
    return value.rstrip(b"\0").decode("utf-8", "surrogateescape")


def relabel(path: str, context: str, kind: int) -> None:
    """Set the label of the inode at ``path`` if it is of this kind (``stat.S_IFSOCK``, ...).

    The inode is opened and checked first, then labelled through that descriptor: a file that
    replaces it meanwhile is not changed.  Raises HelperError for another kind of file, and OSError.
    """
    descriptor = trust.open_path(path)
    try:
        if stat.S_IFMT(os.fstat(descriptor).st_mode) != kind:
            raise HelperError("%s is not the kind of file that is to be relabelled; it is left alone" % path)
        os.setxattr("/proc/self/fd/%d" % descriptor, _ATTRIBUTE, context.encode() + b"\0")
    finally:
        os.close(descriptor)
