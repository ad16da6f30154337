"""May a domain connect to a socket?  The loaded policy is asked, for the labels as they are and as they should be.

Connecting takes: searching each directory on the way, writing the socket's inode, and connecting
to the socket object that listens (Linux ``security/selinux/hooks.c``,
selinux_socket_unix_stream_connect and selinux_socket_unix_may_send).
"""

import os

from ..doors import labels, procfs, selinuxlib
from ..model.access import SOCKET_OBJECT, Check, ClientFacts, denied, denied_for_good
from ..model.sockets import SocketView
from ..model.typed import Callable, List, Optional, Sequence, Tuple


def context_of(domain: str) -> Optional[str]:
    """Return the context of a service in this domain, or None if the loaded policy has no such domain.

    It is PID 1's with another type, at its lowest level: a service without a level of its own.
    """
    parts = (procfs.context(1) or "").split(":", 3)
    if len(parts) < 3:
        return None
    context = ":".join(parts[:2] + [domain] + [level.split("-")[0] for level in parts[3:]])
    return context if selinuxlib.valid(context) else None


def connecting(client: str, view: SocketView, right_label: Callable[[str], Optional[str]]) -> List[Check]:
    """Return what connecting to a socket takes of a client (a context), from the outermost directory on.

    ``right_label`` gives the label that a directory should have, or None for any.
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
    """Ask whether a domain may connect; None: the loaded policy has no such domain, so nobody is kept out.

    What each directory should be labelled, and why something is denied, is asked only where it matters.
    """
    context = context_of(domain)
    if context is None:
        return None
    checks = connecting(context, view, lambda path: None)
    return client_facts(domain, context, view, right_label) if denied(checks) else ClientFacts(
        domain, context, checks, [])


def client_facts(domain: str, context: str, view: SocketView,
                 right_label: Callable[[str], Optional[str]]) -> ClientFacts:
    """Ask what connecting to a socket takes of a domain, and why the policy denies what no label can cure."""
    checks = connecting(context, view, right_label)
    return ClientFacts(domain, context, checks, _why_denied(context, denied_for_good(checks)))


def _why_denied(client: str, refused: Sequence[Check]) -> List[Optional[selinuxlib.Why]]:
    """Ask why each of these is denied to a client (a context)."""
    return [selinuxlib.why_denied(client, one.right_label or "", one.file_class, one.permission) for one in refused]


def _check(client: str, what: Tuple[str, str, str], label: Optional[str], right: Optional[str]) -> Check:
    """Ask the policy about a target, its class and a permission, for the label that it has and the right one."""
    target, file_class, permission = what
    now = selinuxlib.allowed(client, label, file_class, permission) if label else None
    then = now if right == label else selinuxlib.allowed(client, right, file_class, permission) if right else None
    return Check(target, file_class, permission, label, now, right, then)


def _directories(path: str) -> List[str]:
    """Return the directories on the way to a path, links followed, from / on."""
    found = [os.path.realpath(os.path.dirname(path))]
    while found[-1] != "/":
        found.append(os.path.dirname(found[-1]))
    return found[::-1]
