"""Why a socket is not as it should be: the name of each cause, and what it means in words.

The remedy for each is in repair/judge.py, and what ``explain`` says of it in model/explanation.py.
"""

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

MEANINGS = {
    NO_RULE: "No rule gives this path the type that is wanted.",
    WRONG_FILE_TYPE: "The rule for this path does not cover sockets.",
    ALIASED_PATH: "The rule is written on the substituted side of an equivalence and can never match.",
    SHADOWED: "Another rule wins.",
    NO_SUCH_TYPE: "The policy does not have the type that is wanted, and the client may not connect.",
    LABEL_CACHE_STALE: "The rules are right, but PID 1 labels by an outdated label database.",
    MADE_BEFORE_RULE: "The rules are right; what is there was labelled before them, or by hand.",
    NOT_MADE_BY_SYSTEMD: "Not systemd but another program made this socket.",
    NO_LABEL_SUPPORT: "The file system keeps no labels.",
    SOCKET_LABEL: "The path is right; the socket object that listens has another label than a new one gets.",
    POLICY_DENIES: "All labels are right, and the policy still does not let the client connect.",
}
