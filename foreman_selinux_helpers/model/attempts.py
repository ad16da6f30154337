"""What was done for PID 1's label cache since the host was booted, and for which rules.  Pure.

A remedy that did not help would not help the next run either; and where the label cache cannot be seen, this
record alone tells that it was renewed, and what it has answered since.
"""

from .typed import Dict, Optional, Tuple, Value


class Attempts(Value):
    """What was done.

    ``rules``: the generation of the rules on disk then; ``reexecuted``: PID 1 was re-executed for them;
    ``before``: where PID 1 had itself mapped before that, as long as its end was not seen; ``answers``: the contexts
    that it must have read for the wanted sockets; ``tried``: milder remedies that did not help.
    """

    rules: str = ""
    reexecuted: bool = False
    before: str = ""
    answers: Optional[Dict[str, str]] = None
    tried: Tuple[str, ...] = ()

    def done_for(self, rules: str) -> "Attempts":
        """Return the part that was done for this generation of the rules."""
        return self if self.rules == rules else self._replace(rules=rules, reexecuted=False, tried=())


NOTHING = Attempts()
