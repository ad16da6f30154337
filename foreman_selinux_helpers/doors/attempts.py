"""The file that records what was done for PID 1's label cache: gone with the next boot."""

from ..model.attempts import NOTHING, Attempts
from . import runfiles

# Beside the units that are noted there, and no name of a unit.
_NAME = "reexecuted"


def load(mapped_at: str) -> Attempts:
    """Return what is recorded; ``mapped_at``: where PID 1 has itself mapped now.

    A re-exec whose end was not seen counts if it has itself mapped elsewhere than before.
    """
    try:
        content = runfiles.read(_NAME)
        if content is None:
            return NOTHING
        import json

        found = json.loads(content.decode("utf-8"))
        attempts = Attempts(str(found["rules"]), bool(found["reexecuted"]), str(found["before"]),
                            {str(path): str(label) for path, label in found["answers"].items()}, tuple(found["tried"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return NOTHING  # it is no record
    if attempts.before and attempts.before == mapped_at:
        return attempts._replace(reexecuted=False, answers={})
    return attempts


def save(attempts: Attempts) -> None:
    """Record this in the place of what was recorded; raises OSError where nothing can be."""
    import json

    runfiles.write(_NAME, json.dumps(dict(attempts._asdict(), answers=attempts.answers or {})).encode("utf-8"))
