"""The only door to a sos report: a directory or an archive.

A report is not trusted.  Nothing outside it is read, the kernel follows no link in it, and memory and time are
limited.  Raises UsageError, with one line, for anything that is not a report or cannot be read as one.
"""

import os
import stat
from contextlib import contextmanager

from ..model.errors import HelperError, UsageError
from ..model.reportfiles import File, Report, Wanted
from ..model.typed import Iterator, List
from . import scratch


def read(location: str, wanted: Wanted) -> Report:
    """Read the wanted files of a report in one pass."""
    try:
        # Do not block on a pipe.
        handle = os.open(location, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except (OSError, ValueError) as error:
        raise UsageError("%s cannot be opened: %s" % (location, getattr(error, "strerror", error))) from error
    kind = os.fstat(handle).st_mode
    if stat.S_ISDIR(kind):
        from .reportdirectory import read_directory

        return read_directory(location, handle, wanted)
    if stat.S_ISREG(kind):
        from .reportarchive import read_archive

        return read_archive(location, handle, wanted)
    os.close(handle)
    raise UsageError("%s is neither a directory nor an archive" % location)


@contextmanager
def unpacked(report: Report, paths: List[str]) -> Iterator[str]:
    """Write files of a report to a temporary root directory, and remove it afterwards.

    This is for libraries that read files below a root directory.  It has no links, and only files that were kept
    completely; the modification times are those in the report.
    """
    with scratch.directory() as root:
        try:
            for path in paths:
                file = report.file(path)
                if file and file.whole:
                    _write(root, os.path.normpath("/" + path).lstrip("/"), file)
            yield root
        finally:
            _remove(root)


def _write(root: str, path: str, file: File) -> None:
    place = os.path.join(root, path)
    try:
        os.makedirs(os.path.dirname(place), 0o700, exist_ok=True)
        with open(place, "xb") as stream:
            stream.write(file.content)
        os.utime(place, (file.modified, file.modified))
    except (OSError, OverflowError, ValueError) as error:
        raise HelperError("%s of the report cannot be unpacked: %s"
                          % (path, getattr(error, "strerror", None) or error)) from error


def _remove(root: str) -> None:
    """Remove the content of a directory as far as possible; what remains is accessible only to this user."""
    for path, directories, files in os.walk(root, topdown=False):
        for remove, names in ((os.unlink, files), (os.rmdir, directories)):
            for name in names:
                try:
                    remove(os.path.join(path, name))
                except OSError:
                    pass
