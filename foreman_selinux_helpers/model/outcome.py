"""The outcome of a verb as a value: what it found and did.  Pure."""

from . import remedies, sockets
from .facts import Facts
from .plan import DONE, FAILED, REFUSED, Result, Step
from .typed import Optional, Sequence, Value


class SocketReport(Value):
    """One judged socket; ``command`` is the remedy if that is a single command."""

    view: sockets.SocketView
    problem: Optional[str]
    remedy: Optional[str]
    command: Optional[str] = None


class Outcome(Value):
    """What a verb found and did.

    ``by_hand``: messages on what the administrator has to do.  ``error``: why the result could not be read.
    """

    facts: Facts
    plan: Sequence[Step]
    results: Sequence[Result]
    sockets: Sequence[SocketReport]
    by_hand: Sequence[str]
    error: Optional[str] = None

    @property
    def changed(self) -> bool:
        """Return whether anything was changed (a label look-up by PID 1 changes nothing)."""
        return any(result.outcome == DONE and result.step != remedies.LOOK_A_LABEL_UP for result in self.results)

    @property
    def refused(self) -> bool:
        """Return whether a guard refused something that is needed."""
        return any(result.outcome == REFUSED for result in self.results)

    @property
    def ok(self) -> bool:
        """Return whether nothing is wrong any more."""
        failed = any(result.outcome in (REFUSED, FAILED) and result.step != remedies.LOOK_A_LABEL_UP
                     for result in self.results)
        return not failed and not any(socket.problem for socket in self.sockets) and not self.by_hand \
            and self.error is None
