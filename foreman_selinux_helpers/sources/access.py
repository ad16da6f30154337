"""May a domain connect to a socket?  The loaded policy is asked, for the labels as they are and as they should be.

Connecting takes: searching each directory on the way, writing the socket's inode, and connecting
to the socket object that listens (Linux ``security/selinux/hooks.c``,
selinux_socket_unix_stream_connect and selinux_socket_unix_may_send).
"""

import os
from typing import Callable, List, NamedTuple, Optional, Sequence

from ..doors import labels, procfs, selinuxlib
from ..model.filecontexts import type_of
from ..model.sockets import SocketView

SOCKET_OBJECT = "the socket object"


class Check(NamedTuple):
    """One thing that connecting takes; ``None`` where nobody knows (no label, or the policy has no answer).

    ``target`` is a path, or SOCKET_OBJECT.
    """

    target: str
    file_class: str
    permission: str
    label: Optional[str]
    right_label: Optional[str]
    allowed: Optional[bool] = None
    right_allowed: Optional[bool] = None


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
        checks.append(Check(directory, "dir", "search", label, right_label(directory) or label))
    checks.append(Check(view.path, "sock_file", "write", view.path_label if view.exists else None,
                        view.wanted or view.path_label))
    file_class, permission = ("unix_dgram_socket", "sendto") if view.datagram else ("unix_stream_socket", "connectto")
    checks.append(Check(SOCKET_OBJECT, file_class, permission, view.socket_label,
                        view.expected_socket_label or view.socket_label))
    return [_asked(client, one) for one in checks]


def denied(checks: Sequence[Check]) -> Optional[Check]:
    """Return what the policy denies now: first what no label can cure, then what one can."""
    now = [one for one in checks if one.allowed is False]
    return next((one for one in now if one.right_allowed is False), next(iter(now), None))


def denied_for_good(checks: Sequence[Check]) -> List[Check]:
    """Return what the policy denies with all labels right."""
    return [one for one in checks if one.right_allowed is False]


class Denied(NamedTuple):
    """Why the policy denies something although all labels are right: in words, and what would allow it."""

    words: str
    remedy: str
    command: Optional[str]


def policy_denies(client: str, refused: Sequence[Check],
                  whys: Sequence[Optional[selinuxlib.Why]]) -> Denied:
    """Say what the policy denies, why, and what would allow it: that is not for us to decide."""
    words = "All labels are right, and the policy still does not let %s %s." % (
        client, ", nor ".join("%s %s" % (one.permission, described(one.file_class, one.target, one.right_label))
                              for one in refused))
    for why in whys:
        for name, value in why.booleans if why else ():
            words += " audit2why says: the boolean %s would allow it." % name
            return Denied(words, "whether a boolean is to be set is for you to decide",
                          "setsebool -P %s %s" % (name, "on" if value else "off"))
    said = list(dict.fromkeys(why.reason for why in whys if why))
    if said:
        words += " audit2why says: %s." % "; ".join(said)
    command = None
    if all(why is None or why.reason.startswith("no allow rule") for why in whys):
        statements = " ".join("(allow %s %s (%s (%s)))" % (client, type_of(one.right_label or ""), one.file_class,
                                                           one.permission) for one in refused)
        command = "echo '%s' >my-%s.cil && semodule -i my-%s.cil" % (statements, client, client)
    return Denied(words, "a policy module has to allow it: that is for its maintainer, or for you, to decide", command)


def described(file_class: str, target: str, label: Optional[str]) -> str:
    """Name an object of the policy."""
    return "%s %s (%s)" % (file_class, target, type_of(label or "") or "?")


def why_denied(client: str, refused: Sequence[Check]) -> List[Optional[selinuxlib.Why]]:
    """Ask why each of these is denied to a client (a context)."""
    return [selinuxlib.why_denied(client, one.right_label or "", one.file_class, one.permission) for one in refused]


def _asked(client: str, one: Check) -> Check:
    """Return a check with what the loaded policy says to it."""
    def allowed(label: Optional[str]) -> Optional[bool]:
        return selinuxlib.allowed(client, label, one.file_class, one.permission) if label else None

    now = allowed(one.label)
    return one._replace(allowed=now, right_allowed=now if one.right_label == one.label else allowed(one.right_label))


def _directories(path: str) -> List[str]:
    """Return the directories on the way to a path, links followed, from / on."""
    found = [os.path.realpath(os.path.dirname(path))]
    while found[-1] != "/":
        found.append(os.path.dirname(found[-1]))
    return found[::-1]
