"""Determines how this libselinux reads rules and substitutions.  Versions differ, so it is tested with examples."""

import os
import stat
from functools import lru_cache

from ..model import equivalence
from ..model.errors import HelperError
from ..model.filecontexts import Rule
from ..model.typed import TYPE_CHECKING, Dict, List, Optional, Sequence, Tuple
from . import scratch, selinuxlib
from .stderr import standard_error_kept

if TYPE_CHECKING:
    from ..model.winner import Order

# The label that libselinux returns if the tested rule matches.
MATCHED = "u:r:matched"


def regex_matches(rule: Rule, path: str) -> Optional[bool]:
    """Ask libselinux whether a rule matches a canonical path; None: it cannot compile the regex.

    The lookup uses this rule and, before it, one that matches everything: if there is no answer,
    libselinux failed at the regex.
    """
    answer = _ask(*question(rule, path))
    return None if answer is None else answer == MATCHED


def question(rule: Rule, path: str) -> Tuple[Dict[str, str], str]:
    """Return the files (by the suffix after ``file_contexts``) and the path for a lookup.

    Only a substitution leaves a redundant slash in a canonical path; libselinux would remove it
    from a path that it is given.  So a substitution produces it here as well.
    """
    files = {"": ".*\tu:r:other\n%s\t%s\n" % (rule.regex, MATCHED)}
    if len(path) > 1 and (path.endswith("/") or "//" in path):
        end = len(path) if path.endswith("/") else path.rindex("//") + 1
        files[".subs_dist"] = "/asked %s\n" % path[:end]
        path = "/asked" + path[end:]
    return files, path


@lru_cache(maxsize=None)
def label_order() -> "Order":
    """Ask libselinux how it chooses from several rules that match a path."""
    from ..model.winner import Order

    asked = {
        # Two literal rules for each of the first paths; MATCHED marks the rule that is tested.
        "": "/newer\tu:r:other\n/newer\t{0}\n/file\tu:r:other\n"
            "/exact_older\t-s\t{0}\n/exact_older\tu:r:other\n/exact_newer\tu:r:other\n/exact_newer\t-s\t{0}\n"
            "/exact_file\t-s\t{0}\n/tree/[a-z]+\t<<none>>\n/strict\\d\tu:r:other\n/strict[0-9]\t{0}\n",
        ".local": "/file\t{0}\n/exact_file\tu:r:other\n/tre?e/.*\tu:r:other\n"}
    answers = _ask_for({suffix: text.format(MATCHED) for suffix, text in asked.items()}, [
        "/tree/x", "/strict1", "/newer", "/file", "/exact_older", "/exact_newer", "/exact_file"])
    if not any(answers):
        raise HelperError("libselinux does not answer: how it orders rules cannot be told")
    strict, newer, later, older_exact, newer_exact, exact_file = (label == MATCHED for label in answers[1:])
    return Order(answers[0] is None, strict, newer, later, older_exact and newer_exact, exact_file)


@lru_cache(maxsize=None)
def first_substitution_counts() -> bool:
    """Ask libselinux which of two substitutions in a file it applies: the first (3.8 and 3.8.1), or the last."""
    return _ask({"": "/first\t%s\n/last\tu:r:other\n" % MATCHED, ".subs_dist": "/asked /first\n/asked /last\n"},
                "/asked") == MATCHED


@lru_cache(maxsize=None)
def substitution_piece() -> int:
    """Ask libselinux how many bytes of a line it reads at a time from a file of substitutions."""
    long_line = "#%s/asked /rest\n" % ("x" * (equivalence.SHORT_PIECE - 1))
    label = _ask({"": "/rest\t%s\n" % MATCHED, ".subs_dist": long_line}, "/asked")
    return equivalence.SHORT_PIECE if label == MATCHED else equivalence.LONG_PIECE


def _ask(files: Dict[str, str], path: str) -> Optional[str]:
    """Return the label that libselinux finds for a path in these files (by the suffix after ``file_contexts``)."""
    return _ask_for(files, [path])[0]


def _ask_for(files: Dict[str, str], paths: Sequence[str]) -> List[Optional[str]]:
    """Return the labels that libselinux finds for sockets at these paths in these files.

    Raises HelperError if the files cannot be written.
    """
    selinux = selinuxlib.binding()
    with scratch.directory() as directory, standard_error_kept():
        file = os.path.join(directory, "file_contexts")
        for suffix, text in files.items():
            scratch.write(file + suffix, text)
        try:
            handle = selinuxlib.open_at(selinux, file)
        except OSError:
            handle = None
        if handle is None:
            return [None] * len(paths)

        def answer(path: str) -> Optional[str]:
            try:
                return selinuxlib.lookup(selinux, handle, path, stat.S_IFSOCK)
            except OSError:
                return None
        try:
            return [answer(path) for path in paths]
        finally:
            selinux.selabel_close(handle)
