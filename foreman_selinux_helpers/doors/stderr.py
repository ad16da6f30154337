"""Captures what libraries write to standard error."""

import os
from contextlib import contextmanager

from ..model.typed import Callable, Iterator


@contextmanager
def standard_error_kept() -> Iterator[Callable[[], str]]:
    """Capture what a library and its children print, instead of showing it to the user or in rpm's output.

    Yields a function that returns what was printed so far.  Output that exceeds the size of a pipe is lost.
    """
    try:
        original = os.dup(2)
    except OSError:
        original = -1  # standard error is closed: use its descriptor, and close it again afterwards
        null = os.open(os.devnull, os.O_WRONLY)
        if null != 2:
            os.dup2(null, 2)
            os.close(null)
    # Policies let programs in their own domain (setfiles) write to their caller's pipes, but not
    # to its files.  The pipe is not read before the end, so writers must not block.
    reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    os.dup2(writer, 2)
    os.close(writer)
    printed = bytearray()

    def said() -> str:
        try:
            for piece in iter(lambda: os.read(reader, 1 << 16), b""):
                printed.extend(piece)
        except BlockingIOError:
            pass  # the pipe is empty
        return printed.decode("utf-8", "replace")

    try:
        yield said
    finally:
        if original >= 0:
            os.dup2(original, 2)
            os.close(original)
        else:
            os.close(2)
        os.close(reader)
