"""Check whether the loaded policy lets a domain connect to a socket, with the present labels and the right ones.

A client must be allowed to search each directory on the way, to write to the socket's inode, and to connect
to the listening socket object (Linux ``security/selinux/hooks.c``,
selinux_socket_unix_stream_connect and selinux_socket_unix_may_send).
"""

import os

from ..doors import labels, procfs, selinuxlib
from ..model.access import SOCKET_OBJECT, Check, ClientFacts, denied, denied_for_good
from ..model.sockets import SocketView
from ..model.typed import Callable, List, Optional, Sequence, Tuple


def context_of(domain: str) -> Optional[str]:
    """Return the context of a service in this domain, or None if the loaded policy has no such domain.

    It is PID 1's context with another type, at its lowest level, as for a service without its own level.
    """
    parts = (procfs.context(1) or "").split(":", 3)
    if len(parts) < 3:
        return None
    context = ":".join(parts[:2] + [domain] + [level.split("-")[0] for level in parts[3:]])
    return context if selinuxlib.valid(context) else None


def connecting(client: str, view: SocketView, right_label: Callable[[str], Optional[str]]) -> List[Check]:
    """Return the checks for a client (a context) that connects to a socket, beginning with the outermost directory.

    ``right_label`` returns the label that a directory should have, or None if any label will do.
    """
    checks = []
    for directory in _directories(view.path):
        try:
            label = labels.path_label(directory)
        except OSError:
            label = None
        checks.append(_check(client, (directory, "dir", "search"), label, right_label(directory) or label))
    checks.append(_check(client, (view.path, "sock_file", "write"), view.seen.path_label if view.seen.exists else None,
                         view.wanted.context or view.seen.path_label))
    connect = ("unix_dgram_socket", "sendto") if view.seen.datagram else ("unix_stream_socket", "connectto")
    checks.append(_check(client, (SOCKET_OBJECT, *connect), view.seen.socket_label,
                         view.wanted.socket_label or view.seen.socket_label))
    return checks


def read(domain: str, view: SocketView, right_label: Callable[[str], Optional[str]]) -> Optional[ClientFacts]:
    """Check whether a domain may connect; return None if the loaded policy has no such domain: nothing is denied to it.

    The right labels of directories and the reasons for denials are read only if something is denied.
    """
    context = context_of(domain)
    if context is None:
        return None
    checks = connecting(context, view, lambda path: None)
    return client_facts(domain, context, view, right_label) if denied(checks) else ClientFacts(
        domain, context, checks, [])


def client_facts(domain: str, context: str, view: SocketView,
                 right_label: Callable[[str], Optional[str]]) -> ClientFacts:
    """Check the permissions that a domain needs to connect, and why any is denied with the right labels too."""
    checks = connecting(context, view, right_label)
    return ClientFacts(domain, context, checks, _why_denied(context, denied_for_good(checks)))


def _why_denied(client: str, refused: Sequence[Check]) -> List[Optional[selinuxlib.Why]]:
    """Return why each of these permissions is denied to a client (a context)."""
    return [selinuxlib.why_denied(client, check.right_label or "", check.file_class, check.permission)
            for check in refused]


def _check(client: str, what: Tuple[str, str, str], label: Optional[str], right: Optional[str]) -> Check:
    """Check a permission on a target of a class, with the label that the target has and with the right one."""
    target, file_class, permission = what
    now = selinuxlib.allowed(client, label, file_class, permission) if label else None
    then = now if right == label else selinuxlib.allowed(client, right, file_class, permission) if right else None
    return Check(target, file_class, permission, label, now, right, then)


def _directories(path: str) -> List[str]:
    """Return the directories on the way to a path, beginning with /; symbolic links are followed."""
    directories = [os.path.realpath(os.path.dirname(path))]
    while directories[-1] != "/":
        directories.append(os.path.dirname(directories[-1]))
    return directories[::-1]
