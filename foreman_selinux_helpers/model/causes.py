"""The table of causes: why a socket is wrong.  Pure.

Each cause is one row here; model/sockets.py and model/judgement.py decide when it applies.
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
    """One cause: its name, its meaning in words, and its remedy, unless that is a command of this project.

    In a remedy, ``{type}`` is replaced with the wanted type, and ``{path}`` with the path.
    """

    name: str
    meaning: str
    remedy: Optional[str] = None


CAUSES: Sequence[Cause] = (
    Cause(NO_RULE, "No rule gives this path the wanted type."),
    Cause(WRONG_FILE_TYPE, "The rule for this path does not cover sockets."),
    Cause(ALIASED_PATH, "The rule is written on the substituted side of an equivalence and can never match."),
    Cause(SHADOWED, "Another rule wins."),
    Cause(NO_SUCH_TYPE, "The policy does not have the wanted type, and the client may not connect.",
          "install the policy module that defines {type}"),
    Cause(LABEL_CACHE_STALE, "The rules are right, but PID 1 labels by an outdated label database."),
    Cause(MADE_BEFORE_RULE, "The rules are right; the file was labelled before the rule existed, or by hand."),
    Cause(NOT_MADE_BY_SYSTEMD, "Another program created this socket, not systemd."),
    Cause(NO_LABEL_SUPPORT, "The file system keeps no labels.",
          "the file system of {path} keeps no labels: move the socket to one that does"),
    Cause(SOCKET_LABEL, "The path is right; the listening socket object has another label than a new one would get."),
    Cause(POLICY_DENIES, "All labels are right, and the policy still does not let the client connect."),
    Cause(MODE_DENIES, "Labels and policy are right; file modes do not let the user connect."),
)


def named(name: str) -> Cause:
    """Return the cause of this name."""
    return next(cause for cause in CAUSES if cause.name == name)
