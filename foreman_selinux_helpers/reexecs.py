"""The record of the last re-exec of PID 1 that was ours: for which rules it was, until the host boots.

A re-exec that did not help would not help the next run either; and where PID 1's label cache cannot be
seen, this record alone tells that it was renewed.
"""

import os

from .stopped import DIRECTORY

# Beside the units that are noted there, and no name of a unit.
_NAME = "reexecuted"
_LONGEST = 4096


def _file() -> str:
    return os.path.join(DIRECTORY, _NAME)


def done_for(generation: str) -> bool:
    """Tell whether PID 1 was re-executed while the rules on disk were these (labelcache.generation())."""
    try:
        descriptor = os.open(_file(), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            return os.read(descriptor, _LONGEST).decode("ascii", "replace") == generation
        finally:
            os.close(descriptor)
    except OSError:
        return False  # there is none, or it is no file


def note(generation: str) -> None:
    """Note a re-exec that was done; raises OSError where nothing can be noted."""
    os.makedirs(DIRECTORY, 0o700, exist_ok=True)
    unfinished = _file() + ".new"
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, generation.encode("ascii"))
    finally:
        os.close(descriptor)
    os.rename(unfinished, _file())
