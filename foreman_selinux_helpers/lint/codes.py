"""The codes of lint's findings: how severe each is, and whether a line can be suggested instead.  Pure.

A code is one row here; lint/judge.py and lint/rules.py tell when it applies.
"""

from ..model.typed import Sequence, Value

ALIASED_PATH = "aliased-path"
REGULAR_FILE_ONLY = "regular-file-only"
UNESCAPED_DOT = "unescaped-dot"
UNREACHABLE = "unreachable"
DUPLICATE = "duplicate"
BAD_REGEX = "bad-regex"
BAD_CONTEXT = "bad-context"
UNKNOWN_TYPE = "unknown-type"
NEVER_MATCHES = "never-matches"

ERROR = "error"
WARNING = "warning"


class Code(Value):
    """One code: its name, its severity, and whether a finding suggests what to write instead.

    A warning is about what may be meant, or does no harm: it fails nobody's build unless asked to.
    """

    name: str
    severity: str = ERROR
    suggests: bool = True


CODES: Sequence[Code] = (
    Code(ALIASED_PATH),
    Code(REGULAR_FILE_ONLY),
    Code(UNESCAPED_DOT, WARNING),
    Code(UNREACHABLE, suggests=False),
    Code(DUPLICATE, WARNING, suggests=False),
    Code(BAD_REGEX, suggests=False),
    Code(BAD_CONTEXT),
    Code(UNKNOWN_TYPE, suggests=False),
    Code(NEVER_MATCHES),
)


def named(name: str) -> Code:
    """Return the code of this name."""
    return next(code for code in CODES if code.name == name)
