"""A temporary directory that only this user can access."""

import os
from contextlib import contextmanager

from ..model.errors import HelperError
from ..model.typed import Iterator

# One may be full, or missing in an image.
_PLACES = ("/tmp", "/var/tmp", "/run")  # noqa: S108 - a random name, and mkdir(2) follows no link


@contextmanager
def directory() -> Iterator[str]:
    """Create a directory that no other user can access, and remove it with the files in it afterwards.

    Raises HelperError if it cannot be created.  tempfile does this as well, but importing it takes as long as a
    lookup in libselinux.
    """
    path = _made()
    try:
        yield path
    finally:
        empty(path)
        try:
            os.rmdir(path)
        except OSError:
            pass  # what remains is accessible only to root


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
    """Remove the files in the directory, as far as possible."""
    try:
        for name in os.listdir(path):
            os.unlink(os.path.join(path, name))
    except OSError:
        pass


def write(path: str, content: str) -> None:
    """Write a file in the directory; raise HelperError if that fails."""
    try:
        with open(path, "w", encoding="utf-8", errors="surrogateescape") as stream:
            stream.write(content)
    except OSError as error:
        raise HelperError("there is no room for temporary files: %s" % error.strerror) from error
