"""The argparse parser of the command line: all options, the help, and the errors."""

import argparse

from . import PROGRAM, __version__, verbs
from .doors.deadline import DEFAULT_SECONDS, seconds_in
from .model.errors import UsageError
from .model.typed import Any, Callable, NoReturn, Optional


class _Parser(argparse.ArgumentParser):
    def __init__(self, write: Callable[[str], None], **settings: Any) -> None:
        super().__init__(allow_abbrev=False, **settings)
        self._write = write

    def error(self, message: str) -> NoReturn:
        raise UsageError("%s (%s --help tells more)" % (message, PROGRAM))

    def _print_message(self, message: str, file: Any = None) -> None:
        """Print --help and --version through the writer that handles failing output."""
        self._write(message)


def _seconds(text: str) -> float:
    value = seconds_in(text)
    if value is None:
        raise argparse.ArgumentTypeError("%r is not a number of seconds" % text)
    return value


def parser(verb: Optional[str], write: Callable[[str], None]) -> argparse.ArgumentParser:
    """Return the parser for the options and words of one verb, or one for the help that lists all verbs.

    ``write`` prints the help.
    """
    if verb:
        declared = verbs.load(verb)
        made = _Parser(write, prog="%s %s" % (PROGRAM, verb),
                       description=declared.help[0].upper() + declared.help[1:] + ".")
        for argument in declared.arguments:
            made.add_argument(*argument.names, **argument.settings)
    else:
        made = _Parser(write, prog=PROGRAM, description="Give systemd's sockets the SELinux label their policy wants.",
                       epilog="Options may precede or follow the verb. Exit status: 0 all is well or was repaired;"
                              " 1 something is still wrong; 2 wrong usage or a broken profile; 3 root is required;"
                              " 4 a guard refused.")
    made.add_argument("--version", action="version", version=PROGRAM + " " + __version__,
                      help="print the version and exit")
    made.add_argument("--json", action="store_true", help="print one JSON document")
    loud = made.add_mutually_exclusive_group()
    loud.add_argument("-v", "--verbose", action="store_true", help="report on standard error what is done")
    loud.add_argument("-q", "--quiet", action="store_true", help="print only errors")
    made.add_argument("--root", default="/", metavar="DIR", help="work on the host image below DIR: rules only")
    made.add_argument("--sos", metavar="REPORT", help="read a sos report, a directory or an archive, not this host")
    made.add_argument("--timeout", type=_seconds, default=DEFAULT_SECONDS, metavar="SECONDS",
                      help="give up after this time (default %(default)g)")
    if not verb:
        listed = made.add_subparsers(dest="verb", metavar="VERB", parser_class=argparse.ArgumentParser)
        for name in verbs.NAMES:
            listed.add_parser(name, help=verbs.load(name).help)
    return made
