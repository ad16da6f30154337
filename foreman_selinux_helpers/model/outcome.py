"""What a verb found and did, as a value."""



from . import remedies, sockets
from .facts import Facts
from .plan import DONE, FAILED, REFUSED, Result, Step
from .typed import Optional, Sequence, Value


class SocketReport(Value):
    """One socket, judged; ``command`` is the remedy where that is a single command."""

    view: sockets.SocketView
    problem: Optional[str]
    remedy: Optional[str]
    command: Optional[str] = None


class Outcome(Value):
    """What a verb found and did.

    ``by_hand``: what is left for the administrator; ``error``: why the result could not be read.
    """

    facts: Facts
    plan: Sequence[Step]
    results: Sequence[Result]
    sockets: Sequence[SocketReport]
    by_hand: Sequence[str]
    error: Optional[str] = None

    @property
    def changed(self) -> bool:
        """Tell whether anything was done (asking PID 1 to look a label up changes nothing)."""
        return any(one.outcome == DONE and one.step != remedies.LOOK_A_LABEL_UP for one in self.results)

    @property
    def refused(self) -> bool:
        """Tell whether a guard refused something that is needed."""
        return any(one.outcome == REFUSED for one in self.results)

    @property
    def ok(self) -> bool:
        """Tell whether nothing is wrong any more."""
        return not any(one.problem for one in self.sockets) and not self.by_hand and self.error is None \
            and not any(one.outcome in (REFUSED, FAILED) and one.step != remedies.LOOK_A_LABEL_UP
                        for one in self.results)
