"""The time that a run may take, shared by everything that waits."""

import time

from ..model.errors import DeadlineExceeded
from ..model.typed import Optional

DEFAULT_SECONDS = 300.0


def seconds_in(text: str) -> Optional[float]:
    """Return the number of seconds that a text gives, or None where it gives none."""
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
        """Return the seconds that are left; raise DeadlineExceeded if there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise DeadlineExceeded("the time limit of %g s is used up; run again with a larger --timeout"
                                   % self.seconds)
        return left

    def at_least(self, seconds: float) -> "Deadline":
        """Return another deadline at the same time, or a later one if less than ``seconds`` are left."""
        later = Deadline(max(seconds, self._end - time.monotonic()))
        later.seconds = self.seconds
        return later

    def pause(self, seconds: float) -> None:
        """Sleep for ``seconds``, but not past the deadline."""
        time.sleep(min(seconds, self.remaining()))
