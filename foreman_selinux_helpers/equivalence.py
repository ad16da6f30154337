"""Path equivalences, applied exactly as libselinux applies them.

libselinux rewrites the path that is looked up, never the rule: a rule written on the
substituted side can therefore never match.  ``file_contexts.subs`` (the administrator's) is
applied first, then ``file_contexts.subs_dist`` (the distribution's), each at most once; within
a file the *last* matching line counts (libselinux ``src/label_file.c``, selabel_sub_key and
selabel_subs_init).
"""

import re
from typing import List, NamedTuple, Sequence, Tuple

# isspace() of the C locale, which is what libselinux splits at.
_SPACE = re.compile(r"[ \t\n\v\f\r]+")


class Substitution(NamedTuple):
    """One line of a substitution file: ``source`` stands for ``target``."""

    source: str
    target: str
    file: str
    line: int


def parse(text: str, file: str) -> List[Substitution]:
    """Read a substitution file; lines that libselinux ignores are ignored."""
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        words = [word for word in _SPACE.split(line) if word]
        if len(words) >= 2 and not words[0].startswith("#"):
            found.append(Substitution(words[0], words[1], file, number))
    return found


class Equivalences(NamedTuple):
    """The substitutions of one host: ``local`` (.subs) and ``dist`` (.subs_dist), in file order."""

    local: Sequence[Substitution] = ()
    dist: Sequence[Substitution] = ()

    def canonical(self, path: str) -> str:
        """Return the only spelling of ``path`` under which a rule can match."""
        return self.explain(path)[0]

    def explain(self, path: str) -> Tuple[str, List[Substitution]]:
        """Return the canonical path and the substitutions that led to it."""
        path = re.sub("/{2,}", "/", path)
        if len(path) > 1 and path.endswith("/"):
            path = path[:-1]
        used = []
        for substitutions in (self.local, self.dist):
            for one in reversed(substitutions):
                if path == one.source or path.startswith(one.source + "/"):
                    path = _rewrite(path, one)
                    used.append(one)
                    break
        return path, used

    def spellings(self, path: str) -> List[str]:
        """Return the other spellings that stand for the canonical ``path``.

        These are the spellings under which a rule can never match, and therefore the places to
        look for a rule whose author meant this path.
        """
        found = []
        for one in tuple(self.dist) + tuple(self.local):
            target = one.target.rstrip("/")
            if path == target or path.startswith(target + "/"):
                other = one.source + path[len(target):]
                if other != path and self.canonical(other) == path:
                    found.append(other)
        return found


def _rewrite(path: str, one: Substitution) -> str:
    rest = path[len(one.source):]
    if one.target == "/" and rest.startswith("/"):
        return rest
    return one.target + rest
