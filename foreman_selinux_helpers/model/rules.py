"""Rules that are wanted, what is decided about each, and why a path does not get a type.  Pure."""

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
    """What a transaction does to one local rule."""

    action: str
    rule: Rule


class Want(Value):
    """A path (in the spelling it was given) or a regex whose sockets must have a type.

    ``named``: the profile names the path; any other is one that its unit listens on.
    """

    unit: str
    profile: str
    type: str
    path: Optional[str] = None
    regex: Optional[str] = None
    named: bool = True


class Decision(Value):
    """What is done about one rule, and why; ``path`` is canonical and empty for a regex.

    ``given`` is the path as it was given: libselinux is asked for that one, never for ``path``,
    which it might substitute once more.  ``own_word`` is the context that the policy itself gives the path,
    where that counts for more than the profile.  ``commands`` undo the cause, where no repair does; ``no_effect``: no
    local rule for the path has any, and ``reason`` says what works; ``covered``: a regex that is added is for the path.
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


class Policy(Value):
    """The file contexts of a host, as functions, so that deciding stays pure.

    ``lookup``: what libselinux answers for a path, as it was given, and a socket; ``primary``: the name
    of the type that a name or an alias means, None for no type; ``same_type``: whether two names
    are of one type; ``rules_for``: the rules, the policy's own and the local ones, that give a type; read only
    where a reason is needed; ``lookup_without_ours``: what libselinux would answer if none of our rules were there;
    ``effective``: the file type under which a local rule for a canonical path wins, or None and the rule that beats it.
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
    """Return the commands that give sockets at a canonical path a type where no local rule for it has an effect."""
    import shlex

    substitute = "%s-local" % path
    return ("semanage fcontext -a -f s -t %s %s" % (type_name, shlex.quote(escape(substitute))),
            "semanage fcontext -a -e %s %s" % (shlex.quote(substitute), shlex.quote(path)))


class Reason(Value):
    """Why a path does not get a type: the cause, the rule that would give it, and the spelling that one is for.

    A rule for another spelling may have a second fault, which no cause is for: it is not for sockets.
    """

    cause: str
    rule: Optional[Rule] = None
    spelling: str = ""

    @property
    def also_wrong_file_type(self) -> bool:
        """Tell whether the rule would not cover a socket in the right spelling either."""
        return self.cause == ALIASED_PATH and self.rule is not None and not self.rule.covers(SOCKET)


def reason_for(path: str, type_name: str, policy: Policy) -> Reason:
    """Return why libselinux does not answer this type for a canonical path."""
    meant = policy.rules_for(type_name)
    right = matching(meant, path)
    for rule in right:
        if not rule.covers(SOCKET):
            return Reason(WRONG_FILE_TYPE, rule)
    for spelling in policy.equivalences.spellings(path):
        for rule in sorted(matching(meant, spelling), key=lambda rule: not rule.covers(SOCKET)):
            return Reason(ALIASED_PATH, rule, spelling)
    return Reason(SHADOWED, right[0]) if right else Reason(NO_RULE)


def explain_expected(path: str, type_name: str, policy: Policy) -> Tuple[str, str]:
    """Return why libselinux does not answer this type for a canonical path: a cause, and words."""
    reason = reason_for(path, type_name, policy)
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
    """Return the directories that a regex begins with, as far as they stand for themselves."""
    directory = re.match(r"(?:/[A-Za-z0-9_-]+)*(?=/)", regex)
    return directory.group() if directory else ""
