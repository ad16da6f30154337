"""The only door to libselinux: its binding, the policy that it would use, and the loaded policy of the kernel."""

import os

from ..model.errors import HelperError
from ..model.typed import Any, Optional, Tuple, Value
from . import trust
from .stderr import standard_error_kept

CONFIG = "etc/selinux/config"
_FILE_CONTEXTS = "contexts/files/file_contexts"
# Each policy load creates a new inode here: selinuxfs rebuilds the tree (kernel
# security/selinux/selinuxfs.c, sel_make_policy_nodes).
_POLICY_NODE = "/sys/fs/selinux/class/process"


def binding() -> Any:
    """Return the Python binding; raise HelperError if it is missing."""
    try:
        import selinux  # the distribution's binding, imported only if it is needed
    except ImportError as error:
        raise HelperError("the Python binding of libselinux is missing: %s (install python3-libselinux)"
                          % error) from error
    return selinux


def load() -> None:
    """Load libselinux, so that child processes for lookups need not."""
    binding()


def policy_type(root: str) -> Optional[str]:
    """Return SELINUXTYPE of a root directory, or None if no such policy is installed there.

    Raises OutsideImage if a link would lead libselinux, or this program, out of an image.
    """
    trust.refuse_links_out(root, CONFIG)
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
    file = os.path.join(root, "etc/selinux", policy, _FILE_CONTEXTS)
    if "/" in policy or policy in (".", "..") or not policy.isprintable():
        return None
    trust.refuse_links_out_of_tree(root, "etc/selinux/" + policy)
    return policy if os.path.exists(file) else None


def label_directory(root: str, policy: str) -> str:
    """Return the directory of a policy type's file contexts."""
    return os.path.join(root, "etc/selinux", policy, "contexts/files")


def open_at(selinux: Any, file: str) -> Any:
    """Open the database whose files have this path as a prefix; None, or OSError, if it cannot be read."""
    option = selinux.selinux_opt()
    option.type, option.value = selinux.SELABEL_OPT_PATH, file
    return selinux.selabel_open(selinux.SELABEL_CTX_FILE, option, 1)


def lookup(selinux: Any, handle: Any, path: str, mode: int) -> str:
    """Return the label in an open database.  Raises OSError, and HelperError for a path that cannot be looked up."""
    try:
        path.encode("utf-8")
    except UnicodeError:
        pass
    else:
        if "\0" not in path:
            return str(selinux.selabel_lookup_raw(handle, path, mode)[1])
    raise HelperError("the Python binding of libselinux cannot look up %r: it takes neither NUL nor what is "
                      "not UTF-8" % path)


def enabled() -> bool:
    """Return whether the running kernel has SELinux enabled, with a policy loaded."""
    return bool(binding().is_selinux_enabled() > 0)


def enforcing() -> bool:
    """Return whether the running kernel enforces the policy."""
    return bool(binding().security_getenforce() == 1)


def policy_loaded_at() -> Optional[float]:
    """Return when the kernel last loaded a policy (seconds since the epoch), or None if unknown."""
    try:
        return os.stat(_POLICY_NODE).st_mtime
    except OSError:
        return None


def valid(context: str) -> bool:
    """Return whether a context is valid in the loaded policy."""
    try:
        return bool(binding().security_check_context_raw(context) == 0)
    except OSError:
        return False


def is_customizable(context: str) -> bool:
    """Return whether restorecon(8) would not change such a label (customizable_types(5))."""
    try:
        return bool(binding().is_context_customizable(context) > 0)
    except OSError:
        return False  # this policy has no list of customizable types


def allowed(source: str, target: str, file_class: str, permission: str) -> Optional[bool]:
    """Return whether the loaded policy allows an access; None: it does not know the contexts or the permission.

    A permissive domain is allowed everything.  Nothing is logged.
    """
    selinux = binding()
    number = selinux.string_to_security_class(file_class)
    wanted = selinux.string_to_av_perm(number, permission) if number else 0
    decision = selinux.av_decision()
    try:
        if not wanted or selinux.security_compute_av_flags_raw(source, target, number, wanted, decision) < 0:
            return None
    except OSError:
        return None
    permissive = decision.flags & selinux.SELINUX_AVD_FLAGS_PERMISSIVE
    return bool(decision.allowed & wanted or permissive)


class Why(Value):
    """Why the policy denies an access, and the booleans of which any one, set to this value, would allow it."""

    reason: str
    booleans: Tuple[Tuple[str, bool], ...] = ()


def why_denied(source: str, target: str, file_class: str, permission: str) -> Optional[Why]:
    """Ask audit2why(1) why the loaded policy denies an access; None if that is unknown."""
    try:
        from selinux import audit2why
    except ImportError:
        return None
    with standard_error_kept():
        try:
            audit2why.init()
        except (RuntimeError, ValueError, OSError):
            return None  # only root may read the loaded policy
        try:
            kind, data = audit2why.analyze(source, target, file_class, [permission])
        except (RuntimeError, ValueError, TypeError, OSError):
            return None
        finally:
            audit2why.finish()
    return why_of(audit2why, kind, data)


def why_of(audit2why: Any, kind: int, data: Any) -> Optional[Why]:
    """Return what an answer of audit2why's analyze() means, or None if it is not a denial."""
    reasons = {
        audit2why.TERULE: "no allow rule", audit2why.BOOLEAN: "boolean", audit2why.CONSTRAINT: "constraint",
        audit2why.RBAC: "role", audit2why.BOUNDS: "bounds", audit2why.DONTAUDIT: "no allow rule, and not audited",
    }
    if kind not in reasons:
        return None
    booleans = tuple((str(name), bool(value)) for name, value in data or ()) if kind == audit2why.BOOLEAN else ()
    return Why(reasons[kind], booleans)


def created_socket_label(creator: str, executable: str) -> Optional[str]:
    """Return the label that systemd gives to a listening socket object.

    ``creator`` is PID 1's context, ``executable`` the label of the service's program on disk.  The
    socket gets the label of a process that runs the program (systemd ``src/core/socket.c``,
    socket_determine_selinux_label).
    """
    selinux = binding()
    try:
        return str(selinux.security_compute_create_raw(
            creator, executable, selinux.string_to_security_class("process"))[1])
    except OSError:
        return None
