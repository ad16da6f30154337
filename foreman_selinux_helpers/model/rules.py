"""Wanted rules, the decision about each, and why a path does not get a type.  Pure."""

import re

from .causes import ALIASED_PATH, NO_RULE, SHADOWED, WRONG_FILE_TYPE
from .equivalence import Equivalences
from .filecontexts import ALL_FILES, SOCKET, Rule, escape, matching
from .typed import Callable, Optional, Sequence, Tuple, Value

ADD = "add"
MODIFY = "modify"
REMOVE = "remove"
KEEP = "keep"
SKIP = "skip"


class Change(Value):
    """A change of one local rule in a transaction."""

    action: str
    rule: Rule


class Want(Value):
    """A path (as it was given) or a regex, and the type that its sockets must have.

    ``named``: the profile names the path; otherwise only its unit listens there.
    """

    unit: str
    profile: str
    type: str
    path: Optional[str] = None
    regex: Optional[str] = None
    named: bool = True


class Decision(Value):
    """What is done about one rule, and why.

    ``path``: the canonical path, empty for a regex.  ``given``: the path as it was given; libselinux is queried for
    this one, never for ``path``, which it might substitute once more.  ``own_word``: the context that the policy
    itself gives the path, if that takes precedence over the profile.  ``commands``: undo the cause where ``repair``
    does not.  ``no_effect``: no local rule for the path has an effect; ``reason`` says what works instead.
    ``covered``: a regex that is added matches the path.
    """

    rule: Rule
    action: str
    reason: str
    unit: str
    path: str = ""
    cause: Optional[str] = None
    given: str = ""
    own_word: Optional[str] = None
    commands: Tuple[str, ...] = ()
    no_effect: bool = False
    covered: bool = False


class FileContexts(Value):
    """The file contexts of a host, as functions, so that deciding stays pure.

    ``lookup``: returns what libselinux answers for a path, as it was given, and a socket.  ``primary``: returns the
    name of the type that a name or an alias stands for, or None.  ``same_type``: returns whether two names stand for
    one type.  ``rules_for``: returns the rules that give a type, the policy's own and the local ones; called only
    where a reason is needed.  ``lookup_without_ours``: returns what libselinux would answer without our rules.
    ``effective``: returns the file type that a local rule for a canonical path needs to win, or None and the rule that
    beats it.
    """

    lookup: Callable[[str], Optional[str]]
    primary: Callable[[str], Optional[str]]
    same_type: Callable[[str, str], bool]
    rules_for: Callable[[str], Sequence[Rule]]
    local: Sequence[Rule]
    equivalences: Equivalences
    mls: bool
    lookup_without_ours: Callable[[str], Optional[str]]
    effective: Callable[[str], Tuple[Optional[str], Optional[Rule]]] = lambda path: (ALL_FILES, None)


def equivalence_commands(path: str, type_name: str) -> Tuple[str, str]:
    """Return the commands that give sockets at a canonical path a type where a local rule has no effect."""
    import shlex

    substitute = "%s-local" % path
    return ("semanage fcontext -a -f s -t %s %s" % (type_name, shlex.quote(escape(substitute))),
            "semanage fcontext -a -e %s %s" % (shlex.quote(substitute), shlex.quote(path)))


class Reason(Value):
    """Why a path does not get a type: the cause, the rule that would give it, and the spelling in that rule.

    A rule for another spelling may have a second fault, which has no cause of its own: it does not cover sockets.
    """

    cause: str
    rule: Optional[Rule] = None
    spelling: str = ""

    @property
    def also_wrong_file_type(self) -> bool:
        """Return whether the rule would not cover a socket even in the right spelling."""
        return self.cause == ALIASED_PATH and self.rule is not None and not self.rule.covers(SOCKET)


def reason_for(path: str, type_name: str, contexts: FileContexts) -> Reason:
    """Return the reason why libselinux does not answer this type for a canonical path."""
    meant = contexts.rules_for(type_name)
    right = matching(meant, path)
    for rule in right:
        if not rule.covers(SOCKET):
            return Reason(WRONG_FILE_TYPE, rule)
    for spelling in contexts.equivalences.spellings(path):
        for rule in sorted(matching(meant, spelling), key=lambda rule: not rule.covers(SOCKET)):
            return Reason(ALIASED_PATH, rule, spelling)
    return Reason(SHADOWED, right[0]) if right else Reason(NO_RULE)


def explain_expected(path: str, type_name: str, contexts: FileContexts) -> Tuple[str, str]:
    """Return the cause why libselinux does not answer this type for a canonical path, and an explanation."""
    reason = reason_for(path, type_name, contexts)
    cause, rule, spelling = reason
    if rule is None:
        return cause, "%s: no rule gives %s to %s" % (cause, type_name, path)
    where = "%s:%d" % (rule.file, rule.line)
    return cause, "%s: %s" % (cause, {
        WRONG_FILE_TYPE: "%s is a rule for type %r only: %s" % (where, rule.file_type, rule),
        ALIASED_PATH: "%s is written for %s, which libselinux turns into %s%s: %s" % (
            where, spelling, path,
            ", and for type %r only" % rule.file_type if reason.also_wrong_file_type else "", rule),
        SHADOWED: "another rule beats %s: %s" % (where, rule),
    }[cause])


def canonical_regex(regex: str, equivalences: Equivalences) -> str:
    """Return a regex with its literal leading directories in the canonical spelling."""
    directory = literal_directories(regex)
    return equivalences.canonical(directory) + regex[len(directory):] if directory else regex


def literal_directories(regex: str) -> str:
    """Return the literal directories that a regex begins with."""
    directory = re.match(r"(?:/[A-Za-z0-9_-]+)*(?=/)", regex)
    return directory.group() if directory else ""
