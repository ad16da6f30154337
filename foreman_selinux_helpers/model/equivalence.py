"""Path equivalences, applied exactly as libselinux applies them.

libselinux rewrites the path that is looked up, never the rule: a rule written on the
substituted side can therefore never match.  ``file_contexts.subs`` (the administrator's) is
applied first, then ``file_contexts.subs_dist`` (the distribution's) to what came of it, each at
most once; within a file the *last* matching line counts, however long the others are, but in
3.8 and 3.8.1, where it is the first (libselinux ``src/label_file.c``, selabel_sub_key and
selabel_subs_init; commit b1802386 put it back).
"""

from .typed import Callable, Iterator, List, Optional, Sequence, Tuple, Value

# A longer line is read in pieces, each as a line of its own: fgets of 1,023 bytes with its NUL, and of 1,024 from
# 3.11 on.
SHORT_PIECE, LONG_PIECE = 1022, 1023


class Substitution(Value):
    """One line of a substitution file: ``source`` stands for ``target``."""

    source: str
    target: str
    file: str
    line: int


def parse(text: str, file: str, piece: int = SHORT_PIECE) -> List[Substitution]:
    """Read a substitution file; lines that libselinux ignores are ignored.

    ``piece`` is how many bytes of a line it reads at a time; see has_long_line().
    """
    return [Substitution(words[0], words[1], file, number) for number, words in _lines(text, piece)
            if len(words) >= 2]


def has_long_line(text: str) -> bool:
    """Tell whether it matters in which pieces libselinux reads a substitution file."""
    return any(len(line) > SHORT_PIECE for line in text.encode("utf-8", "surrogateescape").split(b"\n"))


def fault(text: str, file: str, piece: int = SHORT_PIECE) -> Optional[str]:
    """Say what makes a substitution file unusable, or None.

    A last line that ends after its first word: up to 3.10 libselinux takes as the target what
    was left of an earlier line in its memory (commit e3c562f6).
    """
    last = text[text.rfind("\n") + 1:]
    words = [words for _, words in _lines(last, piece)][-1:]
    if words and len(words[0]) == 1 and not last[-1].isspace():
        return "%s:%d: the last line is cut off: there is no target for %s; complete the line or remove it" % (
            file, text.count("\n") + 1, words[0][0])
    return None


def _lines(text: str, piece: int) -> Iterator[Tuple[int, List[str]]]:
    """Give the words of each line that is no comment, with its number."""
    for number, line in enumerate(text.encode("utf-8", "surrogateescape").split(b"\n"), 1):
        for start in range(0, len(line), piece):
            # A string ends at a NUL; bytes are split at the white space of the C locale.
            words = line[start:start + piece].split(b"\0")[0].split()
            if words and not words[0].startswith(b"#"):
                yield number, [word.decode("utf-8", "surrogateescape") for word in words]


class Equivalences(Value):
    """The substitutions of one host: ``local`` (.subs) and ``dist`` (.subs_dist), in file order.

    ``first_counts`` tells whether of several lines of a file that match the first counts, and not the last.
    Few paths need the answer: libselinux has to be asked for it.
    """

    local: Sequence[Substitution] = ()
    dist: Sequence[Substitution] = ()
    first_counts: Callable[[], bool] = bool

    def canonical(self, path: str) -> str:
        """Return the only spelling of ``path`` under which a rule can match."""
        return self.explain(path)[0]

    def explain(self, path: str) -> Tuple[str, List[Substitution]]:
        """Return the canonical path and the substitutions that led to it."""
        while "//" in path:
            path = path.replace("//", "/")
        if len(path) > 1 and path.endswith("/"):
            path = path[:-1]
        used = []
        for substitutions in (self.local, self.dist):
            matching = [one for one in substitutions if path.startswith(one.source) and _is_below(path, one.source)]
            if matching:
                used.append(matching[0] if len(matching) > 1 and self.first_counts() else matching[-1])
                path = _rewrite(path, used[-1])
        return path, used

    def spellings(self, path: str) -> List[str]:
        """Return the other spellings that stand for the canonical ``path``.

        A rule under one of these does not match the path, so they are the places to look for a
        rule whose author meant this path.
        """
        before_dist = _sources(path, self.dist)
        found = before_dist + [other for one in [path, *before_dist] for other in _sources(one, self.local)]
        return [one for one in dict.fromkeys(found) if one != path and self.canonical(one) == path]

    def reaches(self, path: str) -> bool:
        """Tell whether any path that is looked up becomes this one: only then can a rule for it match."""
        return self.canonical(path) == path or bool(self.spellings(path))


def _sources(path: str, substitutions: Sequence[Substitution]) -> List[str]:
    """Return what one substitution may have made ``path`` from."""
    targets = [(one, one.target.rstrip("/")) for one in substitutions]
    return [one.source + path[len(target):] for one, target in targets
            if path.startswith(target) and _is_below(path, target)]


def _is_below(path: str, beginning: str) -> bool:
    """Tell whether a beginning of a path ends where one of its directories does, or is the whole."""
    return path[len(beginning):len(beginning) + 1] in ("", "/")


def _rewrite(path: str, one: Substitution) -> str:
    rest = path[len(one.source):]
    if one.target == "/" and rest.startswith("/"):
        return rest
    return one.target + rest
