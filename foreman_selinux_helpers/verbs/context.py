"""The interface of a verb: its declaration, its request, and its result."""

import os

from ..doors.log import Log
from ..model.errors import HelperError, UsageError
from ..model.typed import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Sequence, Tuple, Value
from . import documents
from .documents import Document

if TYPE_CHECKING:
    from ..doors.deadline import Deadline
    from ..doors.run import Runner
    from ..model.facts import Host
    from ..model.profiles import Profiles, SocketProfile
    from ..repair.converge import Converge
    from ..sources.host import HostSource
    from ..sources.report import ReportSource


class Argument(Value):
    """One argument of a verb, as argparse takes it."""

    names: Tuple[str, ...]
    settings: Dict[str, Any]

    @property
    def takes_next(self) -> bool:
        """Tell whether it is an option that takes the next word as its value."""
        return self.names[0].startswith("-") and self.settings.get("action", "append") == "append"


def argument(*names: str, **settings: Any) -> Argument:
    """Return an argument; a shorthand for Argument."""
    return Argument(names, settings)


PROFILE_NAMES = argument("names", nargs="*", metavar="NAME", help="a profile or a socket unit (default: all)")
ALL = argument("--all", action="store_true", help="also the sockets of units without a profile")
DRY_RUN = argument("--dry-run", action="store_true", help="print the plan without changing anything")


class Request(Value):
    """The request to a verb; ``changes``: it may change the host."""

    arguments: Any
    log: Log
    deadline: "Deadline"
    changes: bool

    def root(self) -> str:
        """Return the absolute path of the root directory; raise UsageError if there is none."""
        given = self.arguments.root
        try:
            root: str = os.path.realpath(given)
            root.encode("utf-8")  # libselinux's Python binding accepts only UTF-8
        except (OSError, UnicodeError) as error:
            raise UsageError("--root %r: the directory cannot be used: %s" % (given, error)) from error
        if not given or not os.path.isdir(root):
            raise UsageError("--root %r: there is no such directory" % given)
        return root


class Done(Value):
    """The result of a verb.

    ``text`` renders the document as text, with or without colour.  ``refused``: a guard refused something.
    ``broken``: an input file is broken.  ``planned``: this is a plan, so that what is wrong is not a failure.
    """

    document: Document
    text: Callable[[Document, bool], str]
    refused: bool = False
    broken: bool = False
    planned: bool = False


class Verb(Value):
    """What a verb declares.

    ``changes``: it changes the host, and needs root, unless ``--dry-run`` is given; ``reads_reports``: it takes
    ``--sos``.
    """

    help: str
    run: Callable[[Request], Done]
    arguments: Sequence[Argument] = ()
    changes: bool = False
    reads_reports: bool = False


class Run(Value):
    """The context of a verb that works on a host."""

    arguments: Any
    log: Log
    host: "Host"
    profiles: "Profiles"
    runner: "Runner"
    report: "Optional[ReportSource]" = None

    def need_rules(self) -> None:
        """Raise HelperError where a report does not have the rules: nothing could be said of labels then."""
        if self.report and self.host.policy_type is None and self.host.selinux_enabled:
            why = next((words for words in self.report.unseen if words.startswith("rules")), "it has no rules")
            raise HelperError("%s: %s" % (self.host.report, why))

    @property
    def dry_run(self) -> bool:
        """Whether nothing may be changed."""
        return bool(getattr(self.arguments, "dry_run", False))

    @property
    def known_units(self) -> Optional[List[str]]:
        """The units of all profiles, or None if a profile cannot be read."""
        return None if self.profiles.broken else [profile.unit for profile in self.profiles.sockets]

    @property
    def everything(self) -> bool:
        """Whether the sockets of all units are requested; raise UsageError if names are given as well."""
        if self.arguments.all and self.arguments.names:
            raise UsageError("--all cannot be combined with names")
        return bool(self.arguments.all)

    def chosen(self) -> "List[SocketProfile]":
        """Return the profiles that the command line names, or all if it names none."""
        from ..model import profiles

        chosen, unknown = profiles.select(self.profiles.sockets, getattr(self.arguments, "names", ()))
        unknown -= {profile.name for profile in self.profiles.broken}
        if unknown:
            raise UsageError("%s: no profile and no socket unit of a profile has this name"
                             % ", ".join(sorted(unknown)))
        return chosen

    def source(self, chosen: "Sequence[SocketProfile]") -> "HostSource":
        """Return the source of facts about the sockets of some profiles."""
        if self.report is not None:
            from ..sources.sos import SosSource

            return SosSource(self.host, self.report, chosen, self.runner)
        from ..sources.host import HostSource

        return HostSource(self.host, chosen, self.known_units, self.runner)

    def flow(self, chosen: "Sequence[SocketProfile]") -> "Converge":
        """Return the flow for the sockets of some profiles."""
        from ..repair.converge import Converge

        return Converge(self.source(chosen), self.runner, self.log)


def on_host(work: Callable[[Run], Done]) -> Callable[[Request], Done]:
    """Make the ``run`` of a verb that reads a host, or a report of one, and its profiles first."""
    def run(request: Request) -> Done:
        from ..doors import profilefiles
        from ..doors.run import Runner
        from ..sources import hostkind

        if request.arguments.sos is not None:
            return _on_report(work, request)
        os.umask(0o022)  # the record and the label database are for everybody to read
        root = request.root()
        if request.changes:
            os.chdir("/")  # where no other user can create files that a library looks for
        host = hostkind.read(root)
        profiles = profilefiles.load(root)
        for broken in profiles.broken:
            request.log.error("profile refused: %s" % str(broken))
        done = work(Run(request.arguments, request.log, host, profiles, Runner(request.deadline)))
        return done._replace(document=documents.add_broken(done.document, profiles.broken),
                             broken=bool(profiles.broken))
    return run


def _on_report(work: Callable[[Run], Done], request: Request) -> Done:
    """Do the work of a verb with a sos report; its profiles, where it has none those that are installed here."""
    from ..doors import profilefiles
    from ..doors.run import Runner
    from ..sources import sos

    if request.arguments.root != "/":
        raise UsageError("--sos and --root exclude each other")
    with sos.opened(request.arguments.sos) as (host, report):
        own = report.profiles()
        found = own if own.sockets else profilefiles.load("/")
        return work(Run(request.arguments, request.log, host, found, Runner(request.deadline), report))
