"""Check the contexts of an ``.fc`` file.  Pure."""

import re

from ..model.filecontexts import NONE_CONTEXT
from ..model.typed import Optional, Tuple

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\Z")
_LEVEL = re.compile(r"[A-Za-z0-9_.,:-]+\Z")


def context_fault(context: str) -> Optional[Tuple[str, Optional[str]]]:
    """Return why a context is certainly wrong, and the right one (None: unknown); return None if it may be right."""
    if not context:
        return "there is no context; a rule is: REGEX [FILE TYPE] CONTEXT", None
    if context == NONE_CONTEXT:
        return None
    if context.startswith("gen_context("):
        return _macro_fault(context)
    words = context.split(None, 1)
    if len(words) > 1:
        return _behind(words[1]), words[0] if context_fault(words[0]) is None else None
    if not context.startswith("-") and re.search(r"[(`'$]", context):
        return None  # another macro
    if context.startswith("<"):
        return "%s: the only word in angle brackets is %s" % (context, NONE_CONTEXT), NONE_CONTEXT
    fields = context.split(":")
    if len(fields) < 3 or not all(_NAME.match(field) for field in fields[:3]) or not all(
            _LEVEL.match(field) for field in fields[3:]):
        return "%s is no context; one is gen_context(USER:ROLE:TYPE,LEVEL)" % context, None
    return None


def _behind(words: str) -> str:
    if words.startswith("dnl"):
        return "dnl removes the end of the line, so that the next line becomes a part of this one"
    return "after the context comes %r; a comment needs a line of its own" % words


def _macro_fault(context: str) -> Optional[Tuple[str, Optional[str]]]:
    if ")" not in context:
        return "gen_context( is not closed on this line", context + ")" if not context_fault(context + ")") else None
    call, _, behind = context.partition(")")
    if re.search(r"[(`'$]", call[len("gen_context("):]):
        return None  # a macro within
    if behind.strip():
        return _behind(behind.strip()), call + ")" if not _macro_fault(call + ")") else None
    arguments = [argument.strip() for argument in call[len("gen_context("):].split(",")]
    fields = arguments[0].split(":")
    if len(fields) > 3 and all(_NAME.match(field) for field in fields[:3]):
        if len(arguments) > 1:
            level, right = arguments[1], arguments[1:]
        else:
            level, right = fields[3], [":".join(fields[3:])]
        return "gen_context adds the level itself: %s belongs after a comma" % level, \
            "gen_context(%s)" % ",".join([":".join(fields[:3])] + right)
    if len(fields) != 3 or not all(_NAME.match(field) for field in fields):
        return "%s is not of the form USER:ROLE:TYPE" % (arguments[0] or "nothing"), None
    wrong = [argument for argument in arguments[1:] if argument and not _LEVEL.match(argument)]
    if wrong or len(arguments) > 3:
        return "%s is no level" % (wrong[0] if wrong else ",".join(arguments[1:])), None
    return None


def type_in(context: str) -> str:
    match = re.match(r"(?:gen_context\(\s*)?[\w.-]+:[\w.-]+:([A-Za-z_][\w.-]*)(?![\w$`'(])", context, re.ASCII)
    return match.group(1) if match else ""
