"""What is known of the processes that label by outdated rules, as values.  Pure."""



from .labelcache import NONE, LabelCache
from .refresh import Build
from .typed import List, Mapping, Optional, Sequence, Value


class Seen(Value):
    """What is known of a process before it is judged: who it is, and what it runs.

    ``systemd``: it is one of systemd's programs, and still the one on disk; ``manager``: it is a manager of units.
    """

    pid: int
    unit: Optional[str]
    user: str
    user_id: int
    systemd: bool
    manager: bool


class Holder(Value):
    """A process that holds outdated databases.

    ``held``, ``since``: as in Process; ``answers``: the labels that its own copy gives to sockets, by path, or None:
    ``unasked`` says why; ``assumed``: what was taken for granted of its copy.
    """

    seen: Seen
    comm: str
    cache: LabelCache
    held: List[str]
    since: Optional[int]
    answers: Optional[Mapping[str, Optional[str]]] = None
    unasked: Optional[str] = None
    assumed: Optional[str] = None


class ProcessFacts(Value):
    """All processes that label by rules.

    ``fresh``: how many hold the databases on disk; ``unseen``: how many may not be read; ``unknown``: a reason for
    each of which it cannot be told whether it is outdated; ``expected``: the labels that the rules on disk give to
    the sockets; ``build``: the running systemd, where a program of it is outdated.
    """

    outdated: Sequence[Holder] = ()
    fresh: int = 0
    unseen: int = 0
    unknown: Sequence[str] = ()
    expected: Mapping[str, Optional[str]] = NONE
    build: Optional[Build] = None
    policy_load_due: bool = False
