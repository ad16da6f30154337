"""The facts about processes that label by outdated rules.  Pure."""

from .labelcache import NONE, LabelCache
from .refresh import Build
from .typed import List, Mapping, Optional, Sequence, Value


class Program(Value):
    """A process before it is judged.

    ``systemd``: it runs one of systemd's programs, the one on disk.  ``manager``: it is a manager of units.
    """

    pid: int
    unit: Optional[str]
    user: str
    user_id: int
    systemd: bool
    manager: bool


class Holder(Value):
    """A process that holds outdated databases.

    ``held``, ``since``: as in Process.  ``answers``: the labels that its own copy gives to sockets, by path, or None;
    then ``unasked`` says why.  ``assumed``: what was assumed about its copy.
    """

    program: Program
    comm: str
    cache: LabelCache
    held: List[str]
    since: Optional[int]
    answers: Optional[Mapping[str, Optional[str]]] = None
    unasked: Optional[str] = None
    assumed: Optional[str] = None


class ProcessFacts(Value):
    """All processes that label by rules.

    ``fresh``: the number that hold the databases on disk.  ``unseen``: the number that the caller may not read.
    ``unknown``: for each process whose state is unknown, the reason.  ``expected``: the labels that the rules on disk
    give to the sockets.  ``build``: the running systemd, if one of its programs is outdated.
    """

    outdated: Sequence[Holder] = ()
    fresh: int = 0
    unseen: int = 0
    unknown: Sequence[str] = ()
    expected: Mapping[str, Optional[str]] = NONE
    build: Optional[Build] = None
    policy_load_due: bool = False
