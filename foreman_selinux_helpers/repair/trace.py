"""Log the results of the steps to the journal."""

from ..doors.log import Log
from ..model.plan import DONE, FAILED, REFUSED, Result


def tell(log: Log, result: Result) -> Result:
    """Log a result, and return it."""
    say = {DONE: log.info, FAILED: log.error, REFUSED: log.warning}.get(result.outcome)
    if say is not None:
        guard = " (%s)" % result.guard if result.guard else ""
        say("%s %s: %s%s: %s" % (result.step, result.target, result.outcome, guard, result.detail))
    return result
