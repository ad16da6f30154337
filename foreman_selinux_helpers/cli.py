"""The command line: parses it, runs the verb, prints what it returns, and gives the exit status."""

import os
import sys
from types import SimpleNamespace

from . import PROGRAM, verbs
from .doors.deadline import DEFAULT_SECONDS, Deadline, seconds_in
from .doors.log import Log, one_line
from .model.errors import HelperError, NeedsRoot, UsageError
from .model.origin import SOS
from .model.typed import Any, Dict, List, Optional, Sequence, Tuple
from .verbs import documents

# Environment variables that control colour.
_TERMINAL = ("TERM", "NO_COLOR")
# The flags of every verb, and what parsing calls them.
_FLAGS = {"--json": "json", "-q": "quiet", "--quiet": "quiet", "-v": "verbose", "--verbose": "verbose"}
# The options of every verb that take the next word as their value.
_VALUED = ("--root", "--sos", "--timeout")

OK, WRONG, USAGE, NEEDS_ROOT, REFUSED = range(5)


def parse(argv: Sequence[str]) -> Any:
    """Parse a command line; raise UsageError for a wrong one.

    Options may stand before and after the verb and its words.
    """
    options, words = _split(argv)
    if not words or words[0] not in verbs.NAMES:
        from . import options as full

        full.parser(None, _write).parse_args(argv)  # prints help, or knows what is wrong
        raise UsageError("no verb given (%s --help tells more)" % PROGRAM)
    verb, rest = words[0], words[1:]
    plain = _plain(verb, options, rest)
    if plain:
        return plain
    from . import options as full

    # Last of all, an option without its value cannot take a word for it.
    ordered = options + ["--"] + rest if any(word.startswith("-") for word in rest) else rest + options
    return full.parser(verb, _write).parse_args(ordered, SimpleNamespace(verb=verb))


def _plain(verb: str, options: Sequence[str], words: Sequence[str]) -> Optional[SimpleNamespace]:
    """Return what parsing gives for a verb with nothing but names and flags, or None for any other command line.

    That is what RPM's transactions run: to import argparse and build a parser takes longer than a look at the host.
    """
    declared = verbs.load(verb).arguments
    ours = {one.names[0]: one.settings for one in declared}
    flags = {name: name[2:].replace("-", "_") for name in ours if ours[name].get("action") == "store_true"}
    if ours.keys() - flags.keys() != {"names"} or any(word.startswith("-") for word in words):
        return None
    made: Dict[str, Any] = dict(dict.fromkeys([*flags.values(), *_FLAGS.values()], False), names=list(words), root="/",
                                sos=None, timeout=DEFAULT_SECONDS, verb=verb)
    flags.update(_FLAGS)
    rest = iter(options)
    for option in rest:
        if option == "--timeout":
            made["timeout"] = seconds_in(next(rest, ""))
        elif option in flags:
            made[flags[option]] = True
        else:
            return None
    contradictory = made["quiet"] and made["verbose"]
    return None if contradictory or made["timeout"] is None else SimpleNamespace(**made)


def _split(argv: Sequence[str]) -> Tuple[List[str], List[str]]:
    """Return the options of a command line, with their values, and its other words.

    An option may precede the verb that declares it: whether it has a value is asked of every verb that is named.
    """
    valued = {name for verb in verbs.NAMES if verb in argv
              for one in verbs.load(verb).arguments if one.takes_next for name in one.names}
    valued.update(_VALUED)
    options: List[str] = []
    words: List[str] = []
    rest = iter(argv)
    for word in rest:
        if word == "--":
            words.extend(rest)
        elif word.startswith("-") and word != "-":
            options.append(word)
            if word in valued:
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

    def failed(self, verb: Optional[str], changed: Optional[bool], source: Optional[str], message: str) -> None:
        """Print the document of a run that was cut short, where one is wanted and none has begun."""
        if self.json and not self._begun:
            try:
                self.document(documents.failed(verb, changed, source, one_line(message)))
            except (HelperError, BrokenPipeError):
                pass  # standard error and the exit status still say that it failed


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the command; return its exit status.  Never raises.

    Without ``argv`` it is the program's own command line, and the process is all its own.
    """
    log = Log()
    words = sys.argv[1:] if argv is None else argv
    output = Output(False)
    arguments = verb = None
    try:
        options, others = _split(words)
        output.json = "--json" in options  # a wrong command line is answered as it asks, too
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
    # How far a repair came that was cut short, only the next run can tell.
    output.failed(verb, False if nothing_done else None,
                  _source(arguments) if arguments else None, message)
    return status


def end(status: int) -> None:
    """End the process.

    All that was opened is closed: to tear the interpreter down would only take time.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            pass  # closed by who called us, or full: main() has said what there was to say
    os._exit(status)


def _source(arguments: Any) -> Optional[str]:
    """Return what a run would read facts from; None where the root directory cannot be one."""
    if arguments.sos is not None:
        return SOS
    root = arguments.root
    try:
        return documents.source(os.path.realpath(root)) if root else None
    except (OSError, ValueError):
        return None


def _changes(arguments: Any) -> bool:
    return verbs.load(arguments.verb).changes and not getattr(arguments, "dry_run", False)


def internal_error(error: BaseException) -> str:
    """Describe a bug of ours in one line, and where it is."""
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    where = "%s:%d" % (os.path.basename(frames[-1].filename), frames[-1].lineno or 0) if frames else "?"
    return "internal error at %s: %s: %s; please report this" % (where, type(error).__name__, error)


def run(arguments: Any, log: Log, output: Optional[Output] = None) -> int:
    """Run one verb; raise KeyboardInterrupt, with the number of the signal, where one asks to stop."""
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
    """Tell whether the output goes to somebody who sees colours (https://no-color.org)."""
    return sys.stdout is not None and sys.stdout.isatty() and not os.environ.get("NO_COLOR") \
        and os.environ.get("TERM") != "dumb"


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
