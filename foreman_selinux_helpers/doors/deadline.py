"""The time limit of a run, which applies to everything that waits."""

import time

from ..model.errors import DeadlineExceeded
from ..model.typed import Optional

DEFAULT_SECONDS = 300.0


def seconds_in(text: str) -> Optional[float]:
    """Read a number of seconds from a text; None if it is not valid."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 < value < 1e6 else None


class Deadline:
    """A point in time, ``seconds`` from now, on the monotonic clock."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def remaining(self) -> float:
        """Return the remaining seconds; raise DeadlineExceeded if there are none."""
        remaining = self._end - time.monotonic()
        if remaining <= 0:
            raise DeadlineExceeded("the time limit of %g s is used up; run again with a larger --timeout"
                                   % self.seconds)
        return remaining

    def at_least(self, seconds: float) -> "Deadline":
        """Return a deadline at the same time, or a later one if less than ``seconds`` remain."""
        later = Deadline(max(seconds, self._end - time.monotonic()))
        later.seconds = self.seconds
        return later

    def pause(self, seconds: float) -> None:
        """Sleep for ``seconds``, but not past the deadline."""
        time.sleep(min(seconds, self.remaining()))
