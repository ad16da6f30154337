"""Checks which users can change a file, by its own and its directories' modes; resolves paths of an image."""

import errno
import os
import stat

from ..model.errors import OutsideImage
from ..model.typed import List, Optional, Set

# The limit of the kernel (path_resolution(7)).
_MOST_LINKS = 40


def roots_alone(status: os.stat_result) -> bool:
    """Return whether only root can change a file, or the entries of a directory."""
    return status.st_uid == 0 and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def distrust(root: str, directory: str) -> Optional[str]:
    """Return why users other than root could change the content of a directory below ``root``, or None.

    Only root may be able to change each directory of the path, and none may be a link.  A directory
    that does not exist is trusted.
    """
    path = root
    try:
        handle = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for name in [""] + [name for name in directory.split("/") if name]:
                if name:
                    path = os.path.join(path, name)
                    inner = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=handle)
                    os.close(handle)
                    handle = inner
                status = os.fstat(handle)
                if stat.S_ISLNK(status.st_mode):
                    return "%s is a symbolic link, where a directory must be" % path
                if not stat.S_ISDIR(status.st_mode):
                    return "%s is not a directory" % path
                if status.st_uid != 0:
                    return "%s is owned by uid %d; it must be root's (chown root)" % (path, status.st_uid)
                if not roots_alone(status):
                    return "%s can be written by others than root (chmod go-w)" % path
        finally:
            os.close(handle)
    except FileNotFoundError:
        return None
    except OSError as error:
        return "%s cannot be looked at: %s" % (path, error.strerror)
    return None


def real_path(path: str) -> str:
    """Resolve a path, following only root's links.  Raises OSError: ELOOP for links of other users."""
    handle = open_path(path, follow=True)
    try:
        return os.readlink("/proc/self/fd/%d" % handle)
    finally:
        os.close(handle)


def open_regular(path: str, follow: bool = False) -> int:
    """Open a regular file for reading, or with ``follow`` a link to one.  Raises OSError; never blocks on a pipe."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "it is not a regular file")
    return handle


def open_path(path: str, follow: bool = False) -> int:
    """Open the file at an absolute path for labelling, so that only root can choose which file that is.

    A link is followed only if only root can have created it, and a final link only with ``follow``.  In a
    directory that other users can change, a file with several names is refused.  Raises OSError: ELOOP if refused.
    """
    names = _names(path)
    links = 0
    handle = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        while names:
            name = names.pop(0)
            safe = roots_alone(os.fstat(handle))
            inner = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=handle)
            status = os.fstat(inner)
            if stat.S_ISLNK(status.st_mode) and (names or follow):
                os.close(inner)
                links += 1
                if not safe or links > _MOST_LINKS:
                    raise OSError(errno.ELOOP, "a symbolic link on the way, which others than root can change")
                target = os.readlink(name, dir_fd=handle)
                names = _names(target) + names
                if not target.startswith("/"):
                    continue
                inner = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            elif not names and not safe and status.st_nlink > 1:
                os.close(inner)
                raise OSError(errno.ELOOP, "it has another name as well, which others than root can have given it")
            os.close(handle)
            handle = inner
        opened, handle = handle, -1
        return opened
    finally:
        if handle >= 0:
            os.close(handle)


def _names(path: str) -> List[str]:
    return [name for name in path.split("/") if name not in ("", ".")]


# -- images --------------------------------------------------------------------------------------


def inside(root: str, path: str) -> str:
    """Resolve a path of the image below ``root``, following its links as after chroot(2).

    The result is below ``root`` and has no links, so that this host follows none.  For the root
    directory / the path is returned unchanged.  ``root`` itself must have no links.
    """
    return _resolve(root, path, False) if root != "/" else "/" + path.lstrip("/")


def refuse_links_out(root: str, path: str) -> None:
    """Raise OutsideImage if a link in a path of an image leads out of the image.

    Libraries do not use chroot(2): they join root and path, and the kernel follows the links.
    """
    if root != "/":
        _resolve(root, path, True)


def refuse_links_out_of_tree(root: str, directory: str) -> None:
    """Raise OutsideImage for such a link anywhere below a directory of an image, or below a target of its links."""
    if root == "/":
        return
    visited: Set[str] = set()
    waiting = [_resolve(root, directory, True)]
    while waiting:
        place = waiting.pop()
        if place in visited:
            continue
        visited.add(place)
        try:
            with os.scandir(place) as entries:
                for entry in entries:
                    if entry.is_symlink():
                        waiting.append(_resolve(root, entry.path[len(root):], True))
                    elif entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
        except OSError:
            continue  # not a directory, or not readable for us, and so not for libraries either


def _resolve(root: str, path: str, refuse: bool) -> str:
    """Resolve a path of an image; ``refuse`` links that this host would resolve differently."""
    names = path.split("/")
    place: List[str] = []
    links = 0
    link = path
    while names:
        name = names.pop(0)
        if name in ("", "."):
            continue
        here = "/".join([root] + place + [name])
        if name == "..":
            if refuse and not place:
                raise OutsideImage("%s leads out of the image %s" % (link, root))
            del place[-1:]
            continue
        try:
            target = os.readlink(here)
        except OSError:
            place.append(name)  # not a link
            continue
        links += 1
        if links > _MOST_LINKS:
            raise OutsideImage("%s: there are too many symbolic links on the way" % here)
        link = "%s, a symbolic link to %s," % (here, target)
        if target.startswith("/"):
            if refuse:
                raise OutsideImage("%s leads out of the image %s; a relative link would not" % (link, root))
            place = []
        names = target.split("/") + names
    return "/".join([root] + place)
