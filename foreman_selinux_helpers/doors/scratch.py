"""A temporary directory that only we can enter."""

import os
from contextlib import contextmanager

from ..model.errors import HelperError
from ..model.typed import Iterator

# One may be full, or not be there in an image.
_PLACES = ("/tmp", "/var/tmp", "/run")  # noqa: S108 - a random name, and mkdir(2) follows no link


@contextmanager
def directory() -> Iterator[str]:
    """Make a directory that nobody else may enter, and remove it with the files in it.

    Raises HelperError where there is no place for one.  tempfile does this as well, but it takes as long to import as
    libselinux to answer.
    """
    path = _made()
    try:
        yield path
    finally:
        empty(path)
        try:
            os.rmdir(path)
        except OSError:
            pass  # what is left is root's alone


def _made() -> str:
    for place in _PLACES:
        path = os.path.join(place, "foreman-selinux-helpers-%s" % os.urandom(12).hex())
        try:
            os.mkdir(path, 0o700)
            return path
        except OSError as error:
            failed = error
    raise HelperError("there is no place for temporary files: %s" % failed.strerror)


def empty(path: str) -> None:
    """Remove the files in it, as far as possible."""
    try:
        for name in os.listdir(path):
            os.unlink(os.path.join(path, name))
    except OSError:
        pass


def write(path: str, content: str) -> None:
    """Write a file there; raise HelperError if that fails."""
    try:
        with open(path, "w", encoding="utf-8", errors="surrogateescape") as stream:
            stream.write(content)
    except OSError as error:
        raise HelperError("there is no room for temporary files: %s" % error.strerror) from error
