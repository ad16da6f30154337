"""The permissions that a client needs to connect to a socket, and which of them the policy denies.  Pure."""

from .filecontexts import type_of
from .typed import List, Optional, Sequence, Tuple, Value

SOCKET_OBJECT = "the socket object"
# Why the policy denies a permission, and the booleans with the value that would allow it; any one is enough.
Why = Tuple[str, Sequence[Tuple[str, bool]]]


class Check(Value):
    """One permission that a client needs; None: unknown (there is no label, or the policy has no answer).

    ``target`` is a path, or SOCKET_OBJECT.  ``right_label``, ``right_allowed``: the same with all labels right.
    """

    target: str
    file_class: str
    permission: str
    label: Optional[str]
    allowed: Optional[bool]
    right_label: Optional[str]
    right_allowed: Optional[bool]


class ClientFacts(Value):
    """What the loaded policy answers for a client domain; ``whys``: why it denies what right labels do not allow."""

    domain: str
    context: str
    checks: Sequence[Check]
    whys: Sequence[Optional[Why]]


def denied(checks: Sequence[Check]) -> Optional[Check]:
    """Return a permission that the policy denies now; prefer one that it also denies with all labels right."""
    now = [check for check in checks if check.allowed is False]
    return next((check for check in now if check.right_allowed is False), next(iter(now), None))


def denied_for_good(checks: Sequence[Check]) -> List[Check]:
    """Return the permissions that the policy denies with all labels right."""
    return [check for check in checks if check.right_allowed is False]


class Denied(Value):
    """Why the policy denies a permission although all labels are right, and what would allow it."""

    words: str
    remedy: str
    command: Optional[str]


def policy_denies(client: str, refused: Sequence[Check], whys: Sequence[Optional[Why]]) -> Denied:
    """Return what the policy denies, why, and what would allow it, which the administrator has to decide."""
    words = "All labels are right, and the policy still does not let %s %s." % (
        client, ", nor ".join("%s %s" % (check.permission, described(check.file_class, check.target, check.right_label))
                              for check in refused))
    for why in whys:
        for name, value in why[1] if why else ():
            words += " audit2why says: the boolean %s would allow it." % name
            return Denied(words, "whether a boolean is to be set is for you to decide",
                          "setsebool -P %s %s" % (name, "on" if value else "off"))
    reasons = list(dict.fromkeys(why[0] for why in whys if why))
    if reasons:
        words += " audit2why says: %s." % "; ".join(reasons)
    command = None
    if all(why is None or why[0].startswith("no allow rule") for why in whys):
        statements = " ".join("(allow %s %s (%s (%s)))" % (client, type_of(check.right_label or ""), check.file_class,
                                                           check.permission) for check in refused)
        command = "echo '%s' >my-%s.cil && semodule -i my-%s.cil" % (statements, client, client)
    return Denied(words, "a policy module has to allow it: that is for its maintainer, or for you, to decide", command)


def described(file_class: str, target: str, label: Optional[str]) -> str:
    """Return how an object of the policy is named in messages."""
    return "%s %s (%s)" % (file_class, target, type_of(label or "") or "?")
