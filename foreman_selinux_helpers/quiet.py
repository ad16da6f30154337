"""Silence for libraries that write to standard error by themselves."""

import os
from contextlib import contextmanager
from typing import IO, Any, Callable, Iterator


@contextmanager
def standard_error_kept() -> Iterator[Callable[[], str]]:
    """Keep what a library and its children print away from the terminal and from rpm's output.

    Gives a function that returns what was printed so far.
    """
    with _nameless_file() as kept:
        try:
            original = os.dup(2)
        except OSError:
            original = -1  # standard error is closed; what is opened there must not stay
        os.dup2(kept.fileno(), 2)
        try:
            yield lambda: os.pread(kept.fileno(), 1 << 16, 0).decode("utf-8", "replace")
        finally:
            if original >= 0:
                os.dup2(original, 2)
                os.close(original)
            else:
                os.close(2)


def _nameless_file() -> "IO[Any]":
    memfd_create = getattr(os, "memfd_create", None)  # since Python 3.8
    if memfd_create:
        return os.fdopen(memfd_create("standard-error"), "r+b")
    import tempfile

    return tempfile.TemporaryFile()
