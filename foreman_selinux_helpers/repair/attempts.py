"""The record of what was done for PID 1's label cache: for which rules, until the host boots.

A remedy that did not help would not help the next run either; and where the label cache cannot be seen, this
record alone tells that it was renewed, and what it has said since.
"""

import os

from ..model.typed import Dict, Optional, Tuple, Value
from .stopped import DIRECTORY

# Beside the units that are noted there, and no name of a unit.
_NAME = "reexecuted"
_LARGEST = 1 << 20


class Attempts(Value):
    """What was done.

    ``rules``: the rules on disk then (labelfiles.generation()); ``reexecuted``: PID 1 was re-executed for them;
    ``before``: where PID 1 had itself mapped before that, as long as its end was not seen; ``answers``: the contexts
    that it must have read for the wanted sockets; ``tried``: milder remedies that did not help.
    """

    rules: str = ""
    reexecuted: bool = False
    before: str = ""
    answers: Optional[Dict[str, str]] = None
    tried: Tuple[str, ...] = ()

    def done_for(self, rules: str) -> "Attempts":
        """Return what of it was done for these rules on disk (labelfiles.generation())."""
        return self if self.rules == rules else self._replace(rules=rules, reexecuted=False, tried=())


NOTHING = Attempts()


def _file() -> str:
    return os.path.join(DIRECTORY, _NAME)


def load(mapped_at: str) -> Attempts:
    """Return what is recorded; ``mapped_at``: where PID 1 has itself mapped now.

    A re-exec whose end was not seen counts if it has itself mapped elsewhere than before.
    """
    try:
        descriptor = os.open(_file(), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return NOTHING
    import json

    try:
        found = json.loads(os.read(descriptor, _LARGEST).decode("utf-8"))
        attempts = Attempts(str(found["rules"]), bool(found["reexecuted"]), str(found["before"]),
                            {str(path): str(one) for path, one in found["answers"].items()}, tuple(found["tried"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return NOTHING  # it is no record
    finally:
        os.close(descriptor)
    if attempts.before and attempts.before == mapped_at:
        return attempts._replace(reexecuted=False, answers={})
    return attempts


def save(attempts: Attempts) -> None:
    """Record this in the place of what was recorded; raises OSError where nothing can be."""
    import json

    content = json.dumps(dict(attempts._asdict(), answers=attempts.answers or {})).encode("utf-8")
    unfinished = _file() + ".new"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    for last in (False, True):
        os.makedirs(DIRECTORY, 0o700, exist_ok=True)
        try:
            descriptor = os.open(unfinished, flags, 0o600)
            break
        except FileNotFoundError:  # another run has just removed the empty directory
            if last:
                raise
    try:
        os.write(descriptor, content)
    finally:
        os.close(descriptor)
    os.rename(unfinished, _file())
