"""The only door to libselinux, and to the label attributes that the kernel keeps.

Every function that speaks of a policy takes the root directory whose policy is meant.
"""

import errno
import os
import stat
from typing import Any, Optional

from .equivalence import Equivalences, parse
from .errors import HelperError

CONFIG = "etc/selinux/config"
_FILE_CONTEXTS = "contexts/files/file_contexts"
_ATTRIBUTE = "security.selinux"
# A new inode here for each policy load: selinuxfs rebuilds the tree (kernel
# security/selinux/selinuxfs.c, sel_make_policy_nodes).
_POLICY_NODE = "/sys/fs/selinux/class/process"


def _binding() -> Any:
    try:
        import selinux  # the distribution's binding; only looked for where it is needed
    except ImportError as error:
        raise HelperError("the Python binding of libselinux is missing: %s (install python3-libselinux)"
                          % error) from error
    return selinux


def enabled() -> bool:
    """Tell whether the running kernel has SELinux switched on with a policy loaded."""
    return bool(_binding().is_selinux_enabled() > 0)


def policy_type(root: str) -> Optional[str]:
    """Return SELINUXTYPE of a root directory, or None when no such policy is installed there."""
    try:
        with open(os.path.join(root, CONFIG), encoding="utf-8", errors="surrogateescape") as config:
            lines = config.read().split("\n")
    except OSError:
        return None
    policy = "targeted"
    for line in lines:
        name, _, value = line.partition("=")
        if name.strip() == "SELINUXTYPE" and value.strip():
            policy = value.split()[0]
    if "/" in policy or not os.path.exists(os.path.join(root, "etc/selinux", policy, _FILE_CONTEXTS)):
        return None
    return policy


class LabelDatabase:
    """The file contexts on disk of one root directory, as libselinux reads them now."""

    def __init__(self, root: str, policy: str) -> None:
        """Open the database; raise HelperError if it cannot be read."""
        self.directory = os.path.join(root, "etc/selinux", policy, "contexts/files")
        self._selinux = _binding()
        if root != "/":
            self._selinux.selinux_set_policy_root(os.path.join(root, "etc/selinux", policy))
        try:
            self._handle = self._selinux.selabel_open(self._selinux.SELABEL_CTX_FILE, None, 0)
        except OSError as error:
            raise HelperError("libselinux cannot read the file contexts in %s: %s"
                              % (self.directory, error.strerror)) from error
        if self._handle is None:  # some versions of the binding do not raise
            raise HelperError("libselinux cannot read the file contexts in %s" % self.directory)

    def close(self) -> None:
        """Give the memory back; a new look needs a new database."""
        if self._handle is not None:
            self._selinux.selabel_close(self._handle)
            self._handle = None

    def lookup(self, path: str, mode: int = stat.S_IFSOCK) -> Optional[str]:
        """Return the context for a path and file type, or None (no rule, or ``<<none>>``)."""
        try:
            _, context = self._selinux.selabel_lookup_raw(self._handle, path, mode)
        except OSError as error:
            if error.errno == errno.ENOENT:
                return None
            raise HelperError("libselinux cannot look up %s: %s" % (path, error.strerror)) from error
        return str(context)

    def equivalences(self) -> Equivalences:
        """Return the substitutions that libselinux applies to a path before it looks it up."""
        def read(suffix: str) -> Any:
            file = os.path.join(self.directory, "file_contexts" + suffix)
            try:
                with open(file, encoding="utf-8", errors="surrogateescape") as stream:
                    return parse(stream.read(), file)
            except FileNotFoundError:
                return []
            except OSError as error:
                raise HelperError("cannot read %s: %s" % (file, error.strerror)) from error
        return Equivalences(read(".subs"), read(".subs_dist"))


def created_socket_label(creator: str, executable: str) -> Optional[str]:
    """Return the label that systemd gives a listening socket object.

    ``creator`` is PID 1's context, ``executable`` the label of the service's program on disk:
    the label of a process that runs it (systemd ``src/core/socket.c``,
    socket_determine_selinux_label).
    """
    selinux = _binding()
    try:
        return str(selinux.security_compute_create_raw(
            creator, executable, selinux.string_to_security_class("process"))[1])
    except OSError:
        return None


def path_label(path: str) -> Optional[str]:
    """Return the label on an inode, not following a link; None where there is none.

    Raises FileNotFoundError or another OSError when the path cannot be looked at.
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

    The inode is opened first and looked at, then labelled through that descriptor: what is put
    in its place meanwhile is not touched.  Raises HelperError for another kind of file.
    """
    descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if stat.S_IFMT(os.fstat(descriptor).st_mode) != kind:
            raise HelperError("%s is not the kind of file that is to be relabelled; it is left alone" % path)
        os.setxattr("/proc/self/fd/%d" % descriptor, _ATTRIBUTE, context.encode() + b"\0")
    finally:
        os.close(descriptor)


def policy_loaded_at() -> Optional[float]:
    """Return when the kernel last loaded a policy (seconds since the epoch), or None if unknown."""
    try:
        return os.stat(_POLICY_NODE).st_mtime
    except OSError:
        return None


def is_customizable(context: str) -> bool:
    """Tell whether restorecon(8) would leave such a label alone (customizable_types(5))."""
    return bool(_binding().is_context_customizable(context) > 0)
