"""Parse the command line, run the verb, print its result, and return the exit status."""

import os
import sys
from types import SimpleNamespace

from . import PROGRAM, verbs
from .doors.deadline import DEFAULT_SECONDS, Deadline, seconds_in
from .doors.log import Log, one_line
from .model.errors import HelperError, NeedsRoot, UsageError
from .model.origin import SOS, of_root
from .model.typed import Any, Dict, List, Optional, Sequence, Tuple
from .verbs import documents

# Environment variables that control colour.
_TERMINAL = ("TERM", "NO_COLOR")
# The flags of every verb, and the names of their parsed values.
_FLAGS = {"--json": "json", "-q": "quiet", "--quiet": "quiet", "-v": "verbose", "--verbose": "verbose"}
# The options of every verb that take the next word as their value.
_VALUED = ("--root", "--sos", "--timeout")

OK, WRONG, USAGE, NEEDS_ROOT, REFUSED = range(5)


def parse(argv: Sequence[str]) -> Any:
    """Parse a command line; raise UsageError for a wrong one.

    Options may precede or follow the verb and its words.
    """
    options, words = _split(argv)
    if not words or words[0] not in verbs.NAMES:
        from . import options as full

        full.parser(None, _write).parse_args(argv)  # prints the help, or raises the error
        raise UsageError("no verb given (%s --help tells more)" % PROGRAM)
    verb, operands = words[0], words[1:]
    plain = _plain(verb, options, operands)
    if plain:
        return plain
    from . import options as full

    # An option without its value comes last, so that it cannot take a word as its value.
    ordered = options + ["--"] + operands if any(word.startswith("-") for word in operands) else operands + options
    return full.parser(verb, _write).parse_args(ordered, SimpleNamespace(verb=verb))


def _plain(verb: str, options: Sequence[str], words: Sequence[str]) -> Optional[SimpleNamespace]:
    """Parse the command line of a verb with only names and flags; return None for any other command line.

    RPM's transactions run such command lines: importing argparse and building a parser takes longer than reading
    the facts of the host.
    """
    declared = verbs.load(verb).arguments
    ours = {argument.names[0]: argument.settings for argument in declared}
    flags = {name: name[2:].replace("-", "_") for name in ours if ours[name].get("action") == "store_true"}
    if ours.keys() - flags.keys() != {"names"} or any(word.startswith("-") for word in words):
        return None
    made: Dict[str, Any] = dict(dict.fromkeys([*flags.values(), *_FLAGS.values()], False), names=list(words), root="/",
                                sos=None, timeout=DEFAULT_SECONDS, verb=verb)
    flags.update(_FLAGS)
    remaining = iter(options)
    for option in remaining:
        if option == "--timeout":
            made["timeout"] = seconds_in(next(remaining, ""))
        elif option in flags:
            made[flags[option]] = True
        else:
            return None
    contradictory = made["quiet"] and made["verbose"]
    return None if contradictory or made["timeout"] is None else SimpleNamespace(**made)


def _split(argv: Sequence[str]) -> Tuple[List[str], List[str]]:
    """Return the options of a command line, with their values, and its other words.

    An option may precede the verb that declares it, so all verbs on the command line tell which options have values.
    """
    valued = {name for verb in verbs.NAMES if verb in argv
              for argument in verbs.load(verb).arguments if argument.takes_next for name in argument.names}
    valued.update(_VALUED)
    options: List[str] = []
    words: List[str] = []
    remaining = iter(argv)
    for word in remaining:
        if word == "--":
            words.extend(remaining)
        elif word.startswith("-") and word != "-":
            options.append(word)
            if word in valued:
                options.extend(value for value in [next(remaining, None)] if value is not None)
        else:
            words.append(word)
    return options, words


class Output:
    """The standard output of one run: one document or text, and nothing after it."""

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

    def failed(self, verb: Optional[str], changed: Optional[bool], source: Optional[str], message: str) -> None:
        """Print the document of a failed run if JSON is requested and no output has begun."""
        if self.json and not self._begun:
            try:
                self.document(documents.failed(verb, changed, source, one_line(message)))
            except (HelperError, BrokenPipeError):
                pass  # standard error and the exit status still say that it failed


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the command and return its exit status.  Never raises.

    Without ``argv``, run the program's own command line; the process then runs nothing else.
    """
    log = Log()
    words = sys.argv[1:] if argv is None else argv
    output = Output(False)
    arguments = verb = None
    try:
        options, others = _split(words)
        output.json = "--json" in options  # an error in the command line is also reported as JSON
        verb = next((word for word in others[:1] if word in verbs.NAMES), None)
        arguments = parse(words)
        log = Log(1 if arguments.verbose else -1 if arguments.quiet else 0)
        if argv is None:
            from .doors.run import forget_the_caller
            from .sources.hostkind import HEEDED

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
    # Whether an interrupted repair has changed something is not known before the next run.
    output.failed(verb, False if nothing_done else None,
                  _source(arguments) if arguments else None, message)
    return status


def end(status: int) -> None:
    """End the process.

    All files are closed: finalizing the interpreter would only take time.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            pass  # closed by the caller, or full: main() has already reported the error
    os._exit(status)


def _source(arguments: Any) -> Optional[str]:
    """Return the source that a run would read facts from; None if the root directory is not valid."""
    if arguments.sos is not None:
        return SOS
    root = arguments.root
    try:
        return of_root(os.path.realpath(root)) if root else None
    except (OSError, ValueError):
        return None


def _changes(arguments: Any) -> bool:
    return verbs.load(arguments.verb).changes and not getattr(arguments, "dry_run", False)


def internal_error(error: BaseException) -> str:
    """Describe an internal error and its place in one line."""
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    where = "%s:%d" % (os.path.basename(frames[-1].filename), frames[-1].lineno or 0) if frames else "?"
    return "internal error at %s: %s: %s; please report this" % (where, type(error).__name__, error)


def run(arguments: Any, log: Log, output: Optional[Output] = None) -> int:
    """Run one verb; raise KeyboardInterrupt, with the number of the signal, if a signal ends the run."""
    from .doors import interrupts

    deadline = Deadline(arguments.timeout)
    with interrupts.heard(deadline):
        return _run(arguments, log, deadline, output or Output(arguments.json))


def _run(arguments: Any, log: Log, deadline: Deadline, output: Output) -> int:
    from .verbs.context import Request

    verb, changes = verbs.load(arguments.verb), _changes(arguments)
    if arguments.sos is not None and not verb.reads_reports:
        raise UsageError("%s takes no --sos" % arguments.verb)
    if changes and os.geteuid() != 0:
        raise NeedsRoot("%s changes the host and needs root" % arguments.verb)
    done = verb.run(Request(arguments, log, deadline, changes))
    if output.json:
        output.document(done.document)
    elif not arguments.quiet:
        output.text(done.text(done.document, _colour()))
    if done.broken:
        return USAGE
    if done.refused:
        return REFUSED
    return OK if done.document["ok"] or done.planned else WRONG


def _colour() -> bool:
    """Return whether the output is printed in colour (https://no-color.org)."""
    return sys.stdout is not None and sys.stdout.isatty() and not os.environ.get("NO_COLOR") \
        and os.environ.get("TERM") != "dumb"


def _write(content: str) -> None:
    if sys.stdout is None:
        return  # closed by the caller, which gets only the exit status
    try:
        # Do not encode by the locale: in the C locale Python 3.6 knows only ASCII.
        sys.stdout.buffer.write(content.encode("utf-8", "backslashreplace"))
        sys.stdout.flush()
    except OSError as error:
        # Python would write the buffered output again at exit and print the error.
        os.dup2(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise
        raise HelperError("the report cannot be written: %s" % error.strerror) from error
