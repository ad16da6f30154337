"""Parse profiles: which socket units a package owns, and which type their sockets must have.  Pure."""

import re

from .errors import Refused, UsageError
from .typed import TYPE_CHECKING, Dict, List, Optional, Sequence, Set, Tuple, Value

if TYPE_CHECKING:
    import configparser

# The sections of a profile, and the values of each by key.
Sections = Dict[str, Dict[str, str]]

RESTARTS = ("auto", "always", "never")
_KEYS = ("type", "path", "regex", "client", "user", "restart")
# systemd.unit(5): the characters of a unit name and its length.  The first may not be "-": it would be an option.
# A template without an instance is not a unit: systemctl would refuse the whole command line.
_UNIT = r"(?=.{1,255}\Z)[A-Za-z0-9:_.\\][A-Za-z0-9:_.\\-]*(?:@[A-Za-z0-9:_.\\@-]+)?\.socket\Z"
_TYPE = r"[A-Za-z_][A-Za-z0-9_.-]*\Z"
# The strict mode of systemd (src/basic/user-util.c), and dots.
_USER = r"[A-Za-z_][A-Za-z0-9_.-]{0,30}\Z"
# A repeated group that ends in a repetition: matching such a regex may take exponential time.
_EXPLODING = r"(?:[*+]|,\})[?+]?\)(?:[*+]|\{[0-9]*,\})"
_PRINTABLE = r"[^\x00-\x1f\x7f]+\Z"


class SocketProfile(Value):
    """One section of a profile: a socket unit and what is wanted of its sockets."""

    unit: str
    profile: str
    type: str
    paths: Tuple[str, ...] = ()
    regexes: Tuple[str, ...] = ()
    client: Optional[str] = None
    restart: str = "auto"
    user: Optional[str] = None


class BrokenProfile(Value):
    """A profile that is refused, and the reason; ``line`` is 0 where no line can be named."""

    name: str
    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        where = "%s:%d" % (self.file, self.line) if self.line else self.file
        return "%s: %s" % (where, self.reason)


class Profiles(Value):
    """All profiles of a host: the sockets of those that are valid, and those that are refused."""

    sockets: Sequence[SocketProfile]
    broken: Sequence[BrokenProfile]


def parse(text: str, profile: str) -> List[SocketProfile]:
    """Parse the text of a profile; raise Refused if it is not valid."""
    sections = _plain(text)
    if sections is None:
        sections = _by_configparser(text, profile)
    if not sections:
        raise Refused("has no section; write one for each socket unit, such as [foreman.socket]")
    return [_section(section, unit, profile, text) for unit, section in sections.items()]


def _plain(text: str) -> Optional[Sections]:
    """Parse a text that has only plain lines; return None for any other.

    Most profiles are plain, and importing configparser is slow.
    """
    sections: Sections = {}
    section: Optional[Dict[str, str]] = None
    for line in text.split("\n"):
        if not line or line[0] in "#;":
            continue
        if line != line.strip() or "#" in line or "\0" in line:
            return None
        name = line[1:-1]
        if line == "[%s]" % name and name and "[" not in name and "]" not in name and name not in sections:
            section = sections[name] = {}
            continue
        key, equals, value = line.partition("=")
        key = key.rstrip().lower()
        if line[0] == "[" or section is None or not equals or not key or key in section:
            return None
        section[key] = value.lstrip()
    return sections


def _by_configparser(text: str, profile: str) -> Sections:
    """Parse any text; raise Refused if it is not valid."""
    import configparser

    parser = configparser.ConfigParser(
        interpolation=None, delimiters=("=",), comment_prefixes=("#", ";"),
        inline_comment_prefixes=("#",), empty_lines_in_values=False, default_section="\0",
    )
    try:
        parser.read_string(text, profile)
    except configparser.Error as error:
        raise Refused(*_explain(error, text)) from error
    return {unit: dict(parser[unit]) for unit in parser.sections()}


def _section(section: Dict[str, str], unit: str, profile: str, text: str) -> SocketProfile:
    def refuse(reason: str, key: str = "") -> Refused:
        return Refused(reason, line_of(text, unit, key))

    if not re.match(_UNIT, unit):
        raise refuse("[%s] is not the name of a socket unit" % unit)
    for key in section:
        if key not in _KEYS:
            raise refuse("unknown key %r; known are %s" % (key, ", ".join(_KEYS)), key)
    type_name = section.get("type", "")
    if not re.match(_TYPE, type_name):
        raise refuse("[%s] needs type = NAME_OF_A_TYPE" % unit if not type_name
                     else "type = %r is not the name of a type" % type_name, "type")
    client = section.get("client")
    if client is not None and not re.match(_TYPE, client):
        raise refuse("client = %r is not the name of a domain" % client, "client")
    user = section.get("user")
    if user is not None and not re.match(_USER, user):
        raise refuse("user = %r is not the name of a user" % user, "user")
    restart = section.get("restart", "auto")
    if restart not in RESTARTS:
        raise refuse("restart = %r must be one of %s" % (restart, ", ".join(RESTARTS)), "restart")
    paths = _lines(section.get("path", ""))
    for path in paths:
        if not path.startswith("/") or not re.match(_PRINTABLE, path) or ".." in path.split("/"):
            raise refuse("path = %r is not an absolute path" % path, "path")
        if re.search(r"[\s,]/", path):
            raise refuse("path = %r: write each path on a line of its own" % path, "path")
        if path.endswith("/") or "." in path.split("/"):
            raise refuse("path = %r is that of a directory, or not in its shortest form; a socket's is needed"
                         % path, "path")
    regexes = _lines(section.get("regex", ""))
    for regex in regexes:
        if not regex.startswith(("/", "(/")) or not re.match(r"[!#-&(-~]+\Z", regex):
            raise refuse("regex = %r must begin with / and have no white space, no quotes and no non-ASCII characters"
                         % regex, "regex")
        if re.search(_EXPLODING, regex):
            raise refuse("regex = %r repeats a group that ends in a repetition, such as (a+)+: matching it may take"
                         " forever" % regex, "regex")
        import warnings

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about what PCRE reads differently, such as [[:alnum:]]
                re.compile(regex)
        except (re.error, RecursionError, OverflowError) as error:
            raise refuse("regex = %r does not compile: %s" % (regex, error), "regex") from error
    return SocketProfile(unit, profile, type_name, paths, regexes, client, restart, user)


def _lines(value: str) -> Tuple[str, ...]:
    return tuple(line for line in value.split("\n") if line)


def _explain(error: "configparser.Error", text: str) -> Tuple[str, int]:
    """Return an error of configparser as one line of text, and the line number."""
    import configparser

    line = getattr(error, "lineno", None) or 0
    if isinstance(error, configparser.DuplicateSectionError):
        return "section [%s] is given twice" % error.section, line
    if isinstance(error, configparser.DuplicateOptionError):
        return "%s is given twice in [%s]; write each value on a line of its own" % (error.option, error.section), line
    if isinstance(error, configparser.MissingSectionHeaderError):
        return "there is text before the first [section]", line
    if isinstance(error, configparser.ParsingError) and error.errors:
        line = error.errors[0][0]
        return "not of the form key = value: %s" % text.split("\n")[line - 1].strip(), line
    return str(error).split("\n")[0], line


def line_of(text: str, unit: str, key: str = "") -> int:
    """Return the line number of a section, or of a key in it, or 0."""
    inside = False
    start = 0
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if stripped.startswith("["):
            inside = stripped.startswith("[%s]" % unit)
            start = number if inside else start
        elif inside and key and re.match(re.escape(key) + r"\s*=", stripped, re.IGNORECASE):
            return number
    return start


def select(sockets: Sequence[SocketProfile], names: Sequence[str]) -> Tuple[List[SocketProfile], Set[str]]:
    """Return the sockets that the names (of profiles or units) select, and the names that select none."""
    if not names:
        return list(sockets), set()
    chosen = [profile for profile in sockets if profile.unit in names or profile.profile in names]
    known = {profile.unit for profile in chosen} | {profile.profile for profile in chosen}
    return chosen, set(names) - known


def unprofiled(unit: str, restart: str = "auto") -> SocketProfile:
    """Return a profile for a unit that has none: it has no type, so the policy alone determines the labels.

    Raises UsageError if ``unit`` is not the name of a socket unit.
    """
    if not re.match(_UNIT, unit):
        raise UsageError("%s is not the name of a socket unit" % unit)
    return SocketProfile(unit, "", "", restart=restart)
