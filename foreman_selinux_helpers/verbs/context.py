"""What a verb declares, what it is given to work with, and what it returns."""

import os

from ..doors.log import Log
from ..model.errors import UsageError
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


class Argument(Value):
    """One argument of a verb, as argparse takes it."""

    names: Tuple[str, ...]
    settings: Dict[str, Any]

    @property
    def takes_next(self) -> bool:
        """Tell whether it is an option that takes the next word as its value."""
        return self.names[0].startswith("-") and self.settings.get("action", "append") == "append"


def argument(*names: str, **settings: Any) -> Argument:
    """Return an argument."""
    return Argument(names, settings)


PROFILE_NAMES = argument("names", nargs="*", metavar="NAME", help="a profile or a socket unit (default: all)")
ALL = argument("--all", action="store_true", help="also the sockets of units without a profile")
DRY_RUN = argument("--dry-run", action="store_true", help="print what would be done, and do nothing")


class Request(Value):
    """What the command line asks a verb for; ``changes``: it may change the host."""

    arguments: Any
    log: Log
    deadline: "Deadline"
    changes: bool

    def root(self) -> str:
        """Return the absolute path of the root directory; raise UsageError if there is none."""
        given = self.arguments.root
        try:
            root: str = os.path.realpath(given)
            root.encode("utf-8")  # libselinux's Python binding takes no other
        except (OSError, UnicodeError) as error:
            raise UsageError("--root %r: the directory cannot be used: %s" % (given, error)) from error
        if not given or not os.path.isdir(root):
            raise UsageError("--root %r: there is no such directory" % given)
        return root


class Done(Value):
    """What a verb returns.

    ``text`` makes the document's text, with colours or without.  ``refused``: a guard refused something;
    ``broken``: a file that it was to read is broken; ``planned``: this is a plan, and what is wrong is no failure.
    """

    document: Document
    text: Callable[[Document, bool], str]
    refused: bool = False
    broken: bool = False
    planned: bool = False


class Verb(Value):
    """What a verb declares; ``changes``: it changes the host, and needs root, unless ``--dry-run`` is given."""

    help: str
    run: Callable[[Request], Done]
    arguments: Sequence[Argument] = ()
    changes: bool = False


class Run(Value):
    """What the verbs work with that look at a host."""

    arguments: Any
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

    @property
    def everything(self) -> bool:
        """Whether the sockets of all units are asked for; raise UsageError if names are given as well."""
        if self.arguments.all and self.arguments.names:
            raise UsageError("--all is for all sockets: give it, or names")
        return bool(self.arguments.all)

    def chosen(self) -> "List[SocketProfile]":
        """Return the profiles that the command line names: all, if it names none."""
        from ..model import profiles

        chosen, unknown = profiles.select(self.profiles.sockets, getattr(self.arguments, "names", ()))
        unknown -= {one.name for one in self.profiles.broken}
        if unknown:
            raise UsageError("%s: no profile and no socket unit of a profile has this name"
                             % ", ".join(sorted(unknown)))
        return chosen

    def source(self, chosen: "Sequence[SocketProfile]") -> "HostSource":
        """Return the source of facts about the sockets of some profiles."""
        from ..sources.host import HostSource

        return HostSource(self.host, chosen, self.known_units, self.runner)

    def flow(self, chosen: "Sequence[SocketProfile]") -> "Converge":
        """Return the flow for the sockets of some profiles."""
        from ..repair.converge import Converge

        return Converge(self.source(chosen), self.runner, self.log)


def on_host(work: Callable[[Run], Done]) -> Callable[[Request], Done]:
    """Make the ``run`` of a verb that looks at a host, and at its profiles, first."""
    def run(request: Request) -> Done:
        from ..doors import profilefiles
        from ..doors.run import Runner
        from ..sources import hostkind

        os.umask(0o022)  # the record and the label database are for everybody to read
        root = request.root()
        if request.changes:
            os.chdir("/")  # where nobody else can put what a library looks for, or keeps for a while
        host = hostkind.read(root)
        found = profilefiles.load(root)
        for one in found.broken:
            request.log.error("profile refused: %s" % str(one))
        done = work(Run(request.arguments, request.log, host, found, Runner(request.deadline)))
        return done._replace(document=documents.add_broken(done.document, found.broken), broken=bool(found.broken))
    return run
