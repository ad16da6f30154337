"""Small files of this program in /run, accessible only to root.  They do not survive a reboot."""

import os

from ..model.typed import Optional

DIRECTORY = "/run/foreman-selinux-helpers"
_LARGEST = 1 << 20


def read(name: str) -> Optional[bytes]:
    """Return the content of a file, or None if it cannot be opened; raises OSError if it cannot be read."""
    try:
        descriptor = os.open(_file(name), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.read(descriptor, _LARGEST)
    finally:
        os.close(descriptor)


def write(name: str, content: bytes) -> None:
    """Replace a file atomically; raises OSError if that fails."""
    unfinished = _file(name) + ".new"
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
    os.rename(unfinished, _file(name))


def _file(name: str) -> str:
    return os.path.join(DIRECTORY, name)
