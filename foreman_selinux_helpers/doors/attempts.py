"""The file that records what was done for PID 1's label cache.  It does not survive a reboot."""

from ..model.attempts import NOTHING, Attempts
from . import runfiles

# The directory also has files that are named like units; this is not the name of a unit.
_NAME = "reexecuted"


def load(mapped_at: str) -> Attempts:
    """Return what is recorded.  ``mapped_at`` is the current address of PID 1's own program.

    A re-exec whose end was not observed counts if that address has changed.
    """
    try:
        content = runfiles.read(_NAME)
        if content is None:
            return NOTHING
        import json

        document = json.loads(content.decode("utf-8"))
        attempts = Attempts(str(document["rules"]), bool(document["reexecuted"]), str(document["before"]),
                            {str(path): str(label) for path, label in document["answers"].items()},
                            tuple(document["tried"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return NOTHING  # it is not a record
    if attempts.before and attempts.before == mapped_at:
        return attempts._replace(reexecuted=False, answers={})
    return attempts


def save(attempts: Attempts) -> None:
    """Replace the record.  Raises OSError if it cannot be written."""
    import json

    runfiles.write(_NAME, json.dumps(dict(attempts._asdict(), answers=attempts.answers or {})).encode("utf-8"))
