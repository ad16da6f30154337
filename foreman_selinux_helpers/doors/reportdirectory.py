"""Reads an unpacked sos report: a directory, or the only report in a directory."""

import os
import stat

from ..model.errors import UsageError
from ..model.reportfiles import BLOCK, MARKS, Budget, Keeper, Report, Wanted, no_report
from ..model.typed import Tuple

_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def read_directory(location: str, handle: int, wanted: Wanted) -> Report:
    """Read the wanted files of the report in the directory that is open as a descriptor, and close it."""
    try:
        return _Directory(location, wanted).read(handle)
    except OSError as error:
        raise UsageError("%s cannot be read: %s" % (location, error.strerror)) from error
    finally:
        os.close(handle)


class _Directory:
    def __init__(self, location: str, wanted: Wanted) -> None:
        self._location = location
        self._wanted = wanted
        self._budget = Budget(location)
        self._report = Report(location)

    def read(self, handle: int) -> Report:
        name, top = self._top(handle)
        try:
            self._report.name = name
            # os.fwalk() opens each directory relative to the descriptor of its parent, and follows no link.
            for path, directories, files, place in os.fwalk(".", dir_fd=top, follow_symlinks=False):
                for entry in directories + files:
                    self._budget.name()
                    self._add(os.path.normpath(os.path.join(path, entry)), entry, place)
        finally:
            os.close(top)
        return self._report

    def _top(self, handle: int) -> Tuple[str, int]:
        """Return the name and a descriptor of the report's own directory: this one, or the only one in it."""
        here = ".", os.path.basename(os.path.realpath(self._location))
        reports = [here] if _is_report(handle, ".") else []
        below = [] if reports else [name for name in sorted(os.listdir(handle)) if _is_directory(handle, name)]
        reports += [(name, name) for name in below if _is_report(handle, name)]
        if not reports:
            raise no_report(self._location)
        if len(reports) > 1:
            raise UsageError("%s holds several reports: name one of them (%s)"
                             % (self._location, ", ".join(name for name, _ in reports[:5])))
        path, name = reports[0]
        return name, os.open(path, _OPEN | os.O_DIRECTORY, dir_fd=handle)

    def _add(self, path: str, name: str, place: int) -> None:
        try:
            kind = os.lstat(name, dir_fd=place).st_mode
            if stat.S_ISLNK(kind):
                self._report.links[path] = os.readlink(name, dir_fd=place)
            want = self._wanted(path) if stat.S_ISREG(kind) else None
            if want is None:
                return
            keeper = Keeper(want)
            # Between the two calls the file could be replaced by a pipe or a link: do not block or follow it.
            handle = os.open(name, _OPEN, dir_fd=place)
            with open(handle, "rb", buffering=0) as stream:
                status = os.fstat(handle)
                while stat.S_ISREG(status.st_mode) and (want.lines_with or keeper.size < want.most):
                    block = stream.read(BLOCK)
                    if not block:
                        break
                    keeper.add(block)
                file = keeper.file(status.st_mtime)
                self._report.files[path] = self._budget.kept(file._replace(
                    whole=file.whole and bool(want.lines_with or len(file.content) == status.st_size)))
        except OSError as error:
            self._report.unreadable[path] = error.strerror or str(error)


def _is_report(handle: int, name: str) -> bool:
    return any(_is_directory(handle, os.path.join(name, mark)) for mark in MARKS)


def _is_directory(handle: int, path: str) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path, dir_fd=handle).st_mode)
    except OSError:
        return False
