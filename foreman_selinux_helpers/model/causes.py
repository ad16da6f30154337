"""The causes: why a socket is not as it should be.  Pure.

A cause is one row here; model/sockets.py and model/judgement.py tell when it applies.
"""

from .typed import Optional, Sequence, Value

NO_RULE = "no-rule"
WRONG_FILE_TYPE = "wrong-file-type"
ALIASED_PATH = "aliased-path"
SHADOWED = "shadowed"
NO_SUCH_TYPE = "no-such-type"
LABEL_CACHE_STALE = "label-cache-stale"
MADE_BEFORE_RULE = "made-before-rule"
NOT_MADE_BY_SYSTEMD = "not-made-by-systemd"
NO_LABEL_SUPPORT = "no-label-support"
SOCKET_LABEL = "socket-label"
POLICY_DENIES = "policy-denies"
MODE_DENIES = "mode-denies"


class Cause(Value):
    """One cause: its name, what it means in words, and the remedy where that is no command of ours.

    ``{type}`` and ``{path}`` in a remedy stand for what is wanted, and where.
    """

    name: str
    meaning: str
    remedy: Optional[str] = None


CAUSES: Sequence[Cause] = (
    Cause(NO_RULE, "No rule gives this path the type that is wanted."),
    Cause(WRONG_FILE_TYPE, "The rule for this path does not cover sockets."),
    Cause(ALIASED_PATH, "The rule is written on the substituted side of an equivalence and can never match."),
    Cause(SHADOWED, "Another rule wins."),
    Cause(NO_SUCH_TYPE, "The policy does not have the type that is wanted, and the client may not connect.",
          "install the policy module that defines {type}"),
    Cause(LABEL_CACHE_STALE, "The rules are right, but PID 1 labels by an outdated label database."),
    Cause(MADE_BEFORE_RULE, "The rules are right; what is there was labelled before them, or by hand."),
    Cause(NOT_MADE_BY_SYSTEMD, "Not systemd but another program made this socket."),
    Cause(NO_LABEL_SUPPORT, "The file system keeps no labels.",
          "the file system of {path} keeps no labels: the socket has to be elsewhere"),
    Cause(SOCKET_LABEL, "The path is right; the socket object that listens has another label than a new one gets."),
    Cause(POLICY_DENIES, "All labels are right, and the policy still does not let the client connect."),
    Cause(MODE_DENIES, "Labels and policy are right; file modes do not let the user connect."),
)


def named(name: str) -> Cause:
    """Return the cause of this name."""
    return next(cause for cause in CAUSES if cause.name == name)
