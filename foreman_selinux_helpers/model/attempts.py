"""The remedies that were tried for PID 1's label cache since boot, and for which rules.  Pure.

A remedy that did not help once will not help the next run.  Where the label cache cannot be read, only this record
shows that the cache was renewed, and what it answers since then.
"""

from .typed import Dict, Optional, Tuple, Value


class Attempts(Value):
    """The remedies that were tried.

    ``rules``: the generation of the rules on disk at that time.  ``reexecuted``: PID 1 was re-executed for them.
    ``before``: the address of PID 1's program before the re-exec, until the re-exec is known to have finished.
    ``answers``: the contexts that PID 1 must have read for the wanted sockets.  ``tried``: milder remedies that did
    not help.
    """

    rules: str = ""
    reexecuted: bool = False
    before: str = ""
    answers: Optional[Dict[str, str]] = None
    tried: Tuple[str, ...] = ()

    def done_for(self, rules: str) -> "Attempts":
        """Return the attempts that were made for this generation of the rules."""
        return self if self.rules == rules else self._replace(rules=rules, reexecuted=False, tried=())


NOTHING = Attempts()
