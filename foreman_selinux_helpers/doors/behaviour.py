"""How this libselinux reads rules and substitutions; its versions differ, so it is asked."""

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

# What libselinux answers where the rule in question matches.
MATCHED = "u:r:matched"


def regex_matches(rule: Rule, path: str) -> Optional[bool]:
    """Ask libselinux whether a rule matches a canonical path; None: it cannot compile the regex.

    It is asked for the path with this one rule, and one before it that matches everything: no
    answer at all means that it failed at the regex.
    """
    answer = _ask(*question(rule, path))
    return None if answer is None else answer == MATCHED


def question(rule: Rule, path: str) -> Tuple[Dict[str, str], str]:
    """Return the files (by what follows ``file_contexts``) and the path that libselinux is asked with.

    A canonical path with a slash too many comes from a substitution, and libselinux would not
    leave it so: it is made by a substitution here as well.
    """
    files = {"": ".*\tu:r:other\n%s\t%s\n" % (rule.regex, MATCHED)}
    if len(path) > 1 and (path.endswith("/") or "//" in path):
        end = len(path) if path.endswith("/") else path.rindex("//") + 1
        files[".subs_dist"] = "/asked %s\n" % path[:end]
        path = "/asked" + path[end:]
    return files, path


@lru_cache(maxsize=None)
def label_order() -> "Order":
    """Ask libselinux how it chooses among several rules that match a path."""
    from ..model.winner import Order

    asked = {
        # Two literal rules for each of the first paths; MATCHED is what the question is about.
        "": "/newer\tu:r:other\n/newer\t{0}\n/file\tu:r:other\n"
            "/exact_older\t-s\t{0}\n/exact_older\tu:r:other\n/exact_newer\tu:r:other\n/exact_newer\t-s\t{0}\n"
            "/exact_file\t-s\t{0}\n/tree/[a-z]+\t<<none>>\n/strict\\d\tu:r:other\n/strict[0-9]\t{0}\n",
        ".local": "/file\t{0}\n/exact_file\tu:r:other\n/tre?e/.*\tu:r:other\n"}
    answers = _ask_for({suffix: text.format(MATCHED) for suffix, text in asked.items()}, [
        "/tree/x", "/strict1", "/newer", "/file", "/exact_older", "/exact_newer", "/exact_file"])
    if not any(answers):
        raise HelperError("libselinux does not answer: how it orders rules cannot be told")
    strict, newer, later, older_exact, newer_exact, exact_file = (one == MATCHED for one in answers[1:])
    return Order(answers[0] is None, strict, newer, later, older_exact and newer_exact, exact_file)


@lru_cache(maxsize=None)
def first_substitution_counts() -> bool:
    """Ask libselinux which of two substitutions in a file it applies: the first (3.8 and 3.8.1), or the last."""
    return _ask({"": "/first\t%s\n/last\tu:r:other\n" % MATCHED, ".subs_dist": "/asked /first\n/asked /last\n"},
                "/asked") == MATCHED


@lru_cache(maxsize=None)
def substitution_piece() -> int:
    """Ask libselinux how many bytes of a line of substitutions it reads at a time."""
    long_line = "#%s/asked /rest\n" % ("x" * (equivalence.SHORT_PIECE - 1))
    rest = _ask({"": "/rest\t%s\n" % MATCHED, ".subs_dist": long_line}, "/asked")
    return equivalence.SHORT_PIECE if rest == MATCHED else equivalence.LONG_PIECE


def _ask(files: Dict[str, str], path: str) -> Optional[str]:
    """Return what libselinux answers for a path by these files (by what follows ``file_contexts``)."""
    return _ask_for(files, [path])[0]


def _ask_for(files: Dict[str, str], paths: Sequence[str]) -> List[Optional[str]]:
    """Return what libselinux answers for paths, taken for sockets, by these files.

    Raises HelperError where there is no room for the question.
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
