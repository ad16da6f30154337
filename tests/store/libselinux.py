"""libselinux itself, asked without its Python binding: that one takes no path with odd bytes."""

import ctypes
import os
from typing import Dict, Optional

_SELABEL_OPT_PATH = 3


class _Option(ctypes.Structure):
    _fields_ = (("type", ctypes.c_int), ("value", ctypes.c_char_p))


_library = ctypes.CDLL("libselinux.so.1", use_errno=True)
_library.selabel_open.restype = ctypes.c_void_p
_library.selabel_open.argtypes = (ctypes.c_uint, ctypes.POINTER(_Option), ctypes.c_uint)
_library.selabel_close.argtypes = (ctypes.c_void_p,)
_library.selabel_lookup_raw.argtypes = (ctypes.c_void_p, ctypes.POINTER(ctypes.c_void_p), ctypes.c_char_p, ctypes.c_int)
_library.freecon.argtypes = (ctypes.c_void_p,)


class Labels:
    """The file contexts that begin with a path: it, and .subs, .subs_dist, .homedirs and .local beside it."""

    def __init__(self, file_contexts: str) -> None:
        option = _Option(_SELABEL_OPT_PATH, os.fsencode(file_contexts))
        self._handle = _library.selabel_open(0, ctypes.byref(option), 1)
        if not self._handle:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    def __enter__(self) -> "Labels":
        return self

    def __exit__(self, *_: object) -> None:
        _library.selabel_close(self._handle)

    def lookup(self, path: str, mode: int) -> Optional[str]:
        """Return the context, or None for none."""
        context = ctypes.c_void_p()
        key = path.encode("utf-8", "surrogateescape")
        if _library.selabel_lookup_raw(self._handle, ctypes.byref(context), key, mode) != 0:
            return None
        found = ctypes.string_at(context.value or 0).decode()
        _library.freecon(context)
        return found


def write(directory: str, files: Dict[str, str]) -> str:
    """Write files by what follows ``file_contexts`` in their names; return the path of that one."""
    base = os.path.join(directory, "file_contexts")
    for suffix in ("", ".homedirs", ".local", ".subs", ".subs_dist"):
        if os.path.exists(base + suffix):
            os.unlink(base + suffix)
    for suffix, text in files.items():
        with open(base + suffix, "wb") as stream:
            stream.write(text.encode("utf-8", "surrogateescape"))
    return base
