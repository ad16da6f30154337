"""The only door to a sos report: a directory or an archive.

It comes from somebody else.  Nothing outside it is read, no link in it is followed by the kernel, and what it takes
of memory and time has limits.  Raises UsageError, in one line, for what is no report or cannot be read as one.
"""

import os
import stat
from contextlib import contextmanager

from ..model.errors import HelperError, UsageError
from ..model.reportfiles import File, Report, Wanted
from ..model.typed import Iterator, List
from . import scratch


def read(location: str, wanted: Wanted) -> Report:
    """Read what is wanted of a report, in one pass."""
    try:
        # A pipe is not waited for.
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
    """Write files of a report below a temporary directory, as below a root directory, and remove it afterwards.

    Libraries that read files by name can be given this as their root.  It has no links, and only files that were
    kept whole; the times of the files are those of the report.
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
    """Remove what is below a directory, as far as possible: what is left is ours alone."""
    for path, directories, files in os.walk(root, topdown=False):
        for remove, names in ((os.unlink, files), (os.rmdir, directories)):
            for name in names:
                try:
                    remove(os.path.join(path, name))
                except OSError:
                    pass
