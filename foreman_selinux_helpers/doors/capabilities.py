"""The only door to this process's capabilities and to prctl(2)."""

import os
import struct

from ..model.typed import Union, Value

CAP_SYS_ADMIN = 21
CAP_CHECKPOINT_RESTORE = 40  # since Linux 5.9
_VERSION = 0x20080522  # _LINUX_CAPABILITY_VERSION_3: two 32-bit words for each set
_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4


class Sets(Value):
    """The capability sets of a process, with one bit for each capability."""

    effective: int
    permitted: int
    inheritable: int


def parse(status: str) -> Sets:
    """Read the sets from the text of /proc/PID/status (proc(5)); raise ValueError if they are missing."""
    lines = dict(line.split(":", 1) for line in status.split("\n") if line.startswith("Cap"))
    try:
        return Sets(*(int(lines[name], 16) for name in ("CapEff", "CapPrm", "CapInh")))
    except KeyError as error:
        raise ValueError("there is no %s" % error) from error


def sets() -> Sets:
    """Return the capability sets of this process.  Raises OSError or ValueError."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as status:
        return parse(status.read())


def read_map_files_by() -> None:
    """Keep only one of the two capabilities that permit reading /proc/PID/map_files.

    The kernel checks CAP_CHECKPOINT_RESTORE first.  A confined domain usually has only CAP_SYS_ADMIN, and each
    check would be logged as a denial; so the former is dropped from the effective set if the latter is in it.
    """
    now = sets()
    if now.effective >> CAP_SYS_ADMIN & 1 and now.effective >> CAP_CHECKPOINT_RESTORE & 1:
        _set(now._replace(effective=now.effective & ~(1 << CAP_CHECKPOINT_RESTORE)))


def drop_all() -> None:
    """Give up every capability.  Raises OSError."""
    _set(Sets(0, 0, 0))


def end_with_the_parent(number: int) -> None:
    """Make the kernel send this process a signal when its parent ends, and disable core dumps of this process."""
    _call("prctl", _PR_SET_PDEATHSIG, number)
    _call("prctl", _PR_SET_DUMPABLE, 0)


def _set(wanted: Sets) -> None:
    low, high = ([bits >> shift & 0xffffffff for bits in wanted] for shift in (0, 32))
    _call("capset", struct.pack("=Ii", _VERSION, 0), struct.pack("=6I", *low, *high))


def _call(name: str, *arguments: Union[int, bytes]) -> None:
    """Call a function of the C library; raise OSError if it does not return 0.

    This does not use ctypes: up to Python 3.9 its import alone maps a page that is writable and executable, which
    policies deny (execmem), and with any version it takes twice as long.
    """
    try:
        import _ctypes
    except ImportError as error:
        raise OSError(None, "this Python has no ctypes") from error
    function = _ctypes.dlsym(_ctypes.dlopen("libc.so.6", os.RTLD_NOW), name)
    if _ctypes.call_function(function, arguments) != 0:
        raise OSError(None, "%s failed" % name)
