"""Path equivalences, applied exactly as libselinux applies them.  Pure.

libselinux rewrites the path that is looked up, never the rule.  A rule that is written on the substituted side can
therefore never match.  ``file_contexts.subs`` (the administrator's) is applied first, then ``file_contexts.subs_dist``
(the distribution's) to the result, each at most once.  Within a file the *last* matching line counts, whatever the
lengths; in 3.8 and 3.8.1 it is the first (libselinux ``src/label_file.c``, selabel_sub_key and selabel_subs_init;
commit b1802386 restored the old order).
"""

from .typed import Callable, Iterator, List, Optional, Sequence, Tuple, Value

# libselinux reads a longer line in pieces, each as a line of its own: fgets() with a buffer of 1,023 bytes, NUL
# included, and of 1,024 bytes from 3.11 on.
SHORT_PIECE, LONG_PIECE = 1022, 1023


class Substitution(Value):
    """One line of a substitution file: ``source`` stands for ``target``."""

    source: str
    target: str
    file: str
    line: int


def parse(text: str, file: str, piece: int = SHORT_PIECE) -> List[Substitution]:
    """Parse a substitution file; ignore the lines that libselinux ignores.

    ``piece`` is how many bytes of a line libselinux reads at a time; see has_long_line().
    """
    return [Substitution(words[0], words[1], file, number) for number, words in _lines(text, piece)
            if len(words) >= 2]


def has_long_line(text: str) -> bool:
    """Return whether it matters how many bytes of a line libselinux reads at a time."""
    return any(len(line) > SHORT_PIECE for line in text.encode("utf-8", "surrogateescape").split(b"\n"))


def fault(text: str, file: str, piece: int = SHORT_PIECE) -> Optional[str]:
    """Return what makes a substitution file unusable, or None.

    The file is unusable if it ends after the first word of its last line: up to 3.10 libselinux then takes what an
    earlier line left in its buffer as the target (commit e3c562f6).
    """
    last = text[text.rfind("\n") + 1:]
    words = [words for _, words in _lines(last, piece)][-1:]
    if words and len(words[0]) == 1 and not last[-1].isspace():
        return "%s:%d: the last line is cut off: there is no target for %s; complete the line or remove it" % (
            file, text.count("\n") + 1, words[0][0])
    return None


def _lines(text: str, piece: int) -> Iterator[Tuple[int, List[str]]]:
    """Yield the number and the words of each line that is not a comment."""
    for number, line in enumerate(text.encode("utf-8", "surrogateescape").split(b"\n"), 1):
        for start in range(0, len(line), piece):
            # A C string ends at a NUL.  Bytes are split at the white space of the C locale.
            words = line[start:start + piece].split(b"\0")[0].split()
            if words and not words[0].startswith(b"#"):
                yield number, [word.decode("utf-8", "surrogateescape") for word in words]


class Equivalences(Value):
    """The substitutions of one host: ``local`` (.subs) and ``dist`` (.subs_dist), in file order.

    ``first_counts`` returns whether the first of several matching lines of a file counts, and not the last.
    It is a function, as libselinux must be queried for it and few paths need it.
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
            matching = [line for line in substitutions if path.startswith(line.source) and _is_below(path, line.source)]
            if matching:
                used.append(matching[0] if len(matching) > 1 and self.first_counts() else matching[-1])
                path = _rewrite(path, used[-1])
        return path, used

    def spellings(self, path: str) -> List[str]:
        """Return the other spellings of the canonical ``path``.

        A rule for one of these does not match the path, although its author may have meant it to.
        """
        before_dist = _sources(path, self.dist)
        found = before_dist + [source for spelling in [path, *before_dist] for source in _sources(spelling, self.local)]
        return [spelling for spelling in dict.fromkeys(found) if spelling != path and self.canonical(spelling) == path]

    def reaches(self, path: str) -> bool:
        """Return whether any path is looked up as this one: only then can a rule for it match."""
        return self.canonical(path) == path or bool(self.spellings(path))


def _sources(path: str, substitutions: Sequence[Substitution]) -> List[str]:
    """Return the paths that one substitution turns into ``path``."""
    targets = [(line, line.target.rstrip("/")) for line in substitutions]
    return [line.source + path[len(target):] for line, target in targets
            if path.startswith(target) and _is_below(path, target)]


def _is_below(path: str, beginning: str) -> bool:
    """Return whether a prefix of a path ends where one of its directories does, or is the whole path."""
    return path[len(beginning):len(beginning) + 1] in ("", "/")


def _rewrite(path: str, line: Substitution) -> str:
    below = path[len(line.source):]
    if line.target == "/" and below.startswith("/"):
        return below
    return line.target + below
