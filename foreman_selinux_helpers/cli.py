"""The command line."""

import argparse
import os
import sys
from typing import TYPE_CHECKING, Any, Callable, Dict, List, NamedTuple, NoReturn, Optional, Sequence, Tuple

from . import PROGRAM, __version__
from .doors.log import Log, one_line
from .model.errors import HelperError, NeedsRoot, UsageError

if TYPE_CHECKING:
    from .doors.deadline import Deadline
    from .doors.run import Runner
    from .model.facts import Host
    from .model.profiles import Profiles, SocketProfile
    from .repair.converge import Converge

DEFAULT_TIMEOUT = 300.0
# What of the caller's environment colours depend on.
_TERMINAL = ("TERM", "NO_COLOR")

OK, WRONG, USAGE, NEEDS_ROOT, REFUSED = range(5)


class _Parser(argparse.ArgumentParser):
    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        raise UsageError("%s (%s --help tells more)" % (message, PROGRAM))

    def _print_message(self, message: str, file: Any = None) -> None:
        """--help and --version, whose output can fail as any other's."""
        _write(message)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError("%r is not a number of seconds" % text)
    return value


_NAMES = (("names",), {"nargs": "*", "metavar": "NAME", "help": "a profile or a socket unit (default: all)"})
_DRY_RUN = (("--dry-run",), {"action": "store_true", "help": "say what would be done, and do nothing"})
FILE_TYPES = ("socket", "file", "directory", "symlink", "pipe", "character device", "block device")
_CHANGING = ("repair", "register", "unregister", "reexec", "restart")
LINT_TARGETS = ("el7", "el8", "el9", "el10", "fedora", "debian", "host")
VERBS: Dict[str, Tuple[str, Sequence[Tuple[Tuple[str, ...], Dict[str, Any]]]]] = {
    "status": ("say of every socket what is wrong and what would mend it", [_NAMES]),
    "repair": ("register the rules, refresh PID 1, restart or relabel, verify", [_NAMES, _DRY_RUN]),
    "register": ("register the rules alone", [_NAMES, _DRY_RUN]),
    "unregister": ("remove the rules that register added", [_NAMES, _DRY_RUN]),
    "detect": ("say when this systemd renews its label cache, and how that is known", []),
    "reexec": ("re-execute PID 1 if its label cache is stale and no guard refuses", [_DRY_RUN]),
    "restart": ("restart or relabel the sockets of one unit if they are wrong", [(("unit",), {"metavar": "UNIT"})]),
    "explain": ("say why a path has the label it has, and what would mend it", [
        (("path",), {"metavar": "PATH"}),
        (("--as",), {"dest": "kind", "metavar": "TYPE", "choices": FILE_TYPES,
                     "help": "look at it as this file type: %s (default: that of what is there, or a socket)"
                             % ", ".join(FILE_TYPES)}),
        (("--client",), {"metavar": "DOMAIN", "help": "ask whether this domain may connect (default: the profile's)"}),
    ]),
    "stale": ("say which processes label by outdated rules, and what renews them", []),
    "lint": ("say what is wrong with a package's file contexts before it ships", [
        (("files",), {"nargs": "+", "metavar": "FILE.fc", "help": "the source of a policy module's file contexts"}),
        (("--target",), {"action": "append", "default": [], "choices": LINT_TARGETS, "metavar": "TARGET",
                         "help": "judge for %s (may repeat; default: all)" % ", ".join(LINT_TARGETS)}),
        (("--units",), {"action": "append", "default": [], "metavar": "DIR",
                        "help": "the socket units in DIR say which paths are sockets (may repeat)"}),
        (("--strict",), {"action": "store_true", "help": "exit with 1 for warnings as well"})]),
}


# The options of all verbs that take the next word as their value.
VALUED = ("--root", "--timeout", "--as", "--client", "--target", "--units")


def parser(verb: Optional[str] = None) -> argparse.ArgumentParser:
    """Return the parser of one verb's options and words, or one for the help that names all verbs."""
    if verb:
        what, arguments = VERBS[verb]
        made = _Parser(prog="%s %s" % (PROGRAM, verb), description=what[0].upper() + what[1:] + ".")
        for names, settings in arguments:
            made.add_argument(*names, **settings)
    else:
        made = _Parser(prog=PROGRAM, description="Give systemd's sockets the SELinux label their policy wants.",
                       epilog="Options may stand before or after the verb. Exit status: 0 all is well or was put right;"
                              " 1 something is still wrong; 2 usage or a broken profile; 3 needs root;"
                              " 4 a guard refused.")
    made.add_argument("--version", action="version", version=PROGRAM + " " + __version__,
                      help="print the version and exit")
    made.add_argument("--json", action="store_true", help="print one JSON document")
    loud = made.add_mutually_exclusive_group()
    loud.add_argument("-v", "--verbose", action="store_true", help="say on standard error what is done")
    loud.add_argument("-q", "--quiet", action="store_true", help="print nothing but errors")
    made.add_argument("--root", default="/", metavar="DIR", help="work on the host image below DIR: rules only")
    made.add_argument("--timeout", type=_seconds, default=DEFAULT_TIMEOUT, metavar="SECONDS",
                      help="give up after this time (default %(default)g)")
    if not verb:
        verbs = made.add_subparsers(dest="verb", metavar="VERB")
        for name, (what, _) in VERBS.items():
            verbs.add_parser(name, help=what)
    return made


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Parse a command line; raise UsageError for a wrong one.

    Options may stand before and after the verb and its words.  Only the parser of the verb is built:
    building one takes most of the time.
    """
    options, words = _split(argv)
    if not words or words[0] not in VERBS:
        parser().parse_args(argv)  # prints help, or knows what is wrong
        raise UsageError("no verb given (%s --help tells more)" % PROGRAM)
    verb, rest = words[0], words[1:]
    # Last of all, an option without its value cannot take a word for it.
    ordered = options + ["--"] + rest if any(word.startswith("-") for word in rest) else rest + options
    return parser(verb).parse_args(ordered, argparse.Namespace(verb=verb))


def _split(argv: Sequence[str]) -> Tuple[List[str], List[str]]:
    """Return the options of a command line, with their values, and its other words."""
    options: List[str] = []
    words: List[str] = []
    rest = iter(argv)
    for word in rest:
        if word == "--":
            words.extend(rest)
        elif word.startswith("-") and word != "-":
            options.append(word)
            if word in VALUED:
                options.extend(value for value in [next(rest, None)] if value is not None)
        else:
            words.append(word)
    return options, words


class Output:
    """What one run prints on standard output: one document or text, and nothing after it."""

    def __init__(self, json: bool) -> None:
        self.json = json
        self._begun = False

    def document(self, document: Dict[str, Any]) -> None:
        """Print a JSON document."""
        import json

        self.text(json.dumps(document, indent=2) + "\n")

    def text(self, content: str) -> None:
        """Print a text."""
        self._begun = True
        _write(content)

    def failed(self, verb: Optional[str], changed: Optional[bool], message: str) -> None:
        """Print the document of a run that was cut short, where one is wanted and none has begun."""
        if self.json and not self._begun:
            try:
                self.document({"schema": 1, "command": verb, "ok": False, "changed": changed,
                               "error": one_line(message)})
            except (HelperError, BrokenPipeError):
                pass  # standard error and the exit status still say that it failed


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the command; return its exit status.  Never raises.

    Without ``argv`` it is the program's own command line, and the process is all its own.
    """
    log = Log()
    words = sys.argv[1:] if argv is None else argv
    output = Output("--json" in _split(words)[0])  # a wrong command line is answered as it asks, too
    arguments = None
    try:
        arguments = parse(words)
        log = Log(1 if arguments.verbose else -1 if arguments.quiet else 0)
        if argv is None:
            from .doors.run import forget_the_caller
            from .sources.host import HEEDED

            forget_the_caller(HEEDED + _TERMINAL)
        return run(arguments, log, output)
    except BrokenPipeError:
        return WRONG
    except HelperError as error:
        message, status = str(error), error.exit_status
        nothing_done = isinstance(error, (UsageError, NeedsRoot))
    except KeyboardInterrupt as signal:
        message, nothing_done = "interrupted; running it again goes on where this stopped", False
        status = 128 + (signal.args[0] if signal.args else 2)
    except Exception as error:  # pylint: disable=broad-except
        message, nothing_done, status = internal_error(error), False, WRONG
    log.error(message)
    nothing_done = nothing_done or arguments is None or not _changes(arguments)
    # How far a repair came that was cut short, only the next run can tell.
    output.failed(arguments.verb if arguments else _verb(words), False if nothing_done else None, message)
    return status


def _verb(argv: Sequence[str]) -> Optional[str]:
    """Return the verb of a wrong command line."""
    return next((word for word in _split(argv)[1][:1] if word in VERBS), None)


def _changes(arguments: argparse.Namespace) -> bool:
    return arguments.verb in _CHANGING and not getattr(arguments, "dry_run", False)


def internal_error(error: BaseException) -> str:
    """Describe a bug of ours in one line, and where it is."""
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    where = "%s:%d" % (os.path.basename(frames[-1].filename), frames[-1].lineno or 0) if frames else "?"
    return "internal error at %s: %s: %s; please report this" % (where, type(error).__name__, error)


def run(arguments: argparse.Namespace, log: Log, output: Optional[Output] = None) -> int:
    """Run one verb; raise KeyboardInterrupt, with the number of the signal, where one asks to stop."""
    from .doors import interrupts
    from .doors.deadline import Deadline

    deadline = Deadline(arguments.timeout)
    with interrupts.heard(deadline):
        return _run(arguments, log, deadline, output or Output(arguments.json))


class _Run(NamedTuple):
    """What every verb but lint works with."""

    arguments: argparse.Namespace
    log: Log
    host: "Host"
    profiles: "Profiles"
    runner: "Runner"

    @property
    def dry_run(self) -> bool:
        """Tell whether nothing is to be changed."""
        return bool(getattr(self.arguments, "dry_run", False))

    @property
    def known_units(self) -> Optional[List[str]]:
        """Return the units of all profiles, or None where one of these cannot be read."""
        return None if self.profiles.broken else [one.unit for one in self.profiles.sockets]

    def flow(self, chosen: Sequence["SocketProfile"]) -> "Converge":
        """Return the flow for the sockets of some profiles."""
        from .repair.converge import Converge

        return Converge(self.host, chosen, self.known_units, self.runner, self.log)


def _run(arguments: argparse.Namespace, log: Log, deadline: "Deadline", output: Output) -> int:
    if arguments.verb == "lint":
        return _lint(arguments, log, output)
    from .doors import profilefiles
    from .doors.run import Runner
    from .sources import host as hosts
    from .verbs import report

    changes = _changes(arguments)
    if changes and os.geteuid() != 0:
        raise NeedsRoot("%s changes the host and needs root" % arguments.verb)
    os.umask(0o022)  # the record and the label database are for everybody to read
    root = _root(arguments)
    if changes:
        os.chdir("/")  # where nobody else can put what a library looks for, or keeps for a while
    host = hosts.look(root)
    found = profilefiles.load(root)
    for one in found.broken:
        log.error("profile refused: %s" % str(one))
    own = {"explain": _explain, "stale": _stale, "detect": _detect, "unregister": _unregister}
    done = own.get(arguments.verb, _flow)(_Run(arguments, log, host, found, Runner(deadline)))
    report.add_broken(done.document, found.broken)
    _print(done.document, arguments, done.text, output)
    if found.broken:
        return USAGE
    if done.refused:
        return REFUSED
    planned = arguments.verb == "repair" and arguments.dry_run
    return OK if done.document["ok"] or planned else WRONG


class _Done(NamedTuple):
    """What a verb has to say: the document, its text (with colours or without), and whether a guard refused."""

    document: Dict[str, Any]
    text: Callable[[Dict[str, Any], bool], str]
    refused: bool = False


def _flow(run: _Run) -> _Done:
    """status, repair, register, reexec and restart."""
    from .model import profiles
    from .verbs import report

    arguments = run.arguments
    if arguments.verb == "restart":
        chosen = [one for one in run.profiles.sockets if one.unit == arguments.unit] \
            or [profiles.unprofiled(arguments.unit)]
    else:
        chosen, unknown = profiles.select(run.profiles.sockets, getattr(arguments, "names", ()))
        unknown -= {one.name for one in run.profiles.broken}
        if unknown:
            raise UsageError("%s: no profile and no socket unit of a profile has this name"
                             % ", ".join(sorted(unknown)))
    flow = run.flow(chosen)
    outcome = {
        "status": flow.status,
        "repair": lambda: flow.repair(run.dry_run),
        "register": lambda: flow.register(run.dry_run),
        "reexec": lambda: flow.reexec(run.dry_run),
        "restart": flow.restart,
    }[arguments.verb]()
    for line in outcome.rest:
        run.log.warning(line)
    return _Done(report.outcome_document(arguments.verb, outcome),
                 lambda document, colour: report.text(document, run.dry_run, colour), outcome.refused)


def _unregister(run: _Run) -> _Done:
    from .model import profiles
    from .repair.unregistration import unregister
    from .verbs import report

    chosen, unknown = profiles.select(run.profiles.sockets, run.arguments.names)
    # The profile may be gone while its rules are there: a unit's name is enough.
    units = {one.unit for one in chosen} | unknown
    choice = (lambda _, owned, __: owned.unit in units) if run.arguments.names else None
    document = report.unregister_document(*unregister(run.host, choice, run.runner, run.log, run.dry_run))
    return _Done(document, lambda document, colour: report.text(document, run.dry_run, colour))


def _detect(run: _Run) -> _Done:
    from .sources import host as hosts
    from .verbs import report

    flow, offline = run.flow(run.profiles.sockets), run.host.offline
    systemd = flow.detection
    document = report.detect_document(systemd.running(offline), systemd.installed(), systemd.libselinux(),
                                      systemd.reexec_due(offline), flow.look().cache, hosts.notes(run.host))
    return _Done(document, lambda document, colour: report.text(document, colour=colour))


def _stale(run: _Run) -> _Done:
    from .doors.systemd import Systemd
    from .verbs import stale

    def paths() -> List[str]:
        found = Systemd(run.runner).listening_paths().values()
        return list(dict.fromkeys([path for one in found for path in one]
                                  + [path for one in run.profiles.sockets for path in one.paths]))

    flow = run.flow(())
    return _Done(stale.stale(run.host, lambda: flow.detection.running(run.host.offline), paths), stale.text)


def _explain(run: _Run) -> _Done:
    from .verbs import explain

    arguments = run.arguments
    return _Done(explain.explain(run.host, run.profiles.sockets, run.known_units, run.runner, run.log, arguments.path,
                                 arguments.kind, arguments.client), explain.text)


def _colour() -> bool:
    """Tell whether the output goes to somebody who sees colours (https://no-color.org)."""
    return sys.stdout is not None and sys.stdout.isatty() and not os.environ.get("NO_COLOR") \
        and os.environ.get("TERM") != "dumb"


def _lint(arguments: argparse.Namespace, log: Log, output: Output) -> int:
    from .verbs import lint as lintfiles

    request = lintfiles.Request(arguments.files, arguments.target, arguments.units, arguments.strict)
    document = lintfiles.run(request, _root(arguments), log)
    _print(document, arguments, lambda shown, _: lintfiles.text(shown), output)
    if "broken_files" in document:
        return USAGE
    return OK if document["ok"] else WRONG


def _root(arguments: argparse.Namespace) -> str:
    try:
        root: str = os.path.realpath(arguments.root)
        root.encode("utf-8")  # libselinux's Python binding takes no other
    except (OSError, UnicodeError) as error:
        raise UsageError("--root %r: the directory cannot be used: %s" % (arguments.root, error)) from error
    if not arguments.root or not os.path.isdir(root):
        raise UsageError("--root %r: there is no such directory" % arguments.root)
    return root


def _print(document: Dict[str, Any], arguments: argparse.Namespace,
           text: Callable[[Dict[str, Any], bool], str], output: Output) -> None:
    if output.json:
        output.document(document)
    elif not arguments.quiet:
        output.text(text(document, _colour()))


def _write(content: str) -> None:
    if sys.stdout is None:
        return  # closed by who called us: the exit status is what is left
    try:
        # Not through the locale: Python 3.6 knows but ASCII in the one named C.
        sys.stdout.buffer.write(content.encode("utf-8", "backslashreplace"))
        sys.stdout.flush()
    except OSError as error:
        # What is still buffered would be tried again, and complained about, at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise
        raise HelperError("the report cannot be written: %s" % error.strerror) from error
