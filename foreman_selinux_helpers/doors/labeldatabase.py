"""The label database of libselinux: the files of a root directory, or what a process has read.

libselinux keeps the first root directory that it is given: a process can only use one.
"""

import errno
import os
import stat

from ..model import filecontexts
from ..model.equivalence import Equivalences
from ..model.errors import HelperError
from ..model.filecontexts import NONE_CONTEXT, SOCKET, Rule
from ..model.typed import TYPE_CHECKING, Any, Collection, Dict, List, Optional, Sequence, Tuple
from . import labelfiles, scratch, selinuxlib
from .stderr import standard_error_kept

if TYPE_CHECKING:
    from ..model.winner import Verdict

# The files of rules, by the suffix after "file_contexts" in their names, in libselinux's order.
POLICY_RULES = ("", ".homedirs")
ALL_RULES = POLICY_RULES + (".local",)
# What libselinux calls the file types of filecontexts.FILE_TYPES.
MODES = {
    "file": stat.S_IFREG, "directory": stat.S_IFDIR, "character device": stat.S_IFCHR,
    "block device": stat.S_IFBLK, SOCKET: stat.S_IFSOCK, "symlink": stat.S_IFLNK, "pipe": stat.S_IFIFO,
}


class _LookupFailed(OSError):
    """libselinux returns no label; ``said`` is what it printed."""

    def __init__(self, error: OSError, said: str) -> None:
        super().__init__(error.errno, error.strerror)
        self.said = "; ".join(dict.fromkeys(" ".join(line.split()) for line in said.split("\n") if line.strip()))


class LabelDatabase:
    """The file contexts on disk of one root directory, as libselinux reads them now."""

    def __init__(self, root: str, policy: str, without: Collection[Tuple[str, str]] = ()) -> None:
        """Open the database; raise HelperError if it cannot be read.

        ``without``: the keys of local rules to leave out.
        """
        self.directory = selinuxlib.label_directory(root, policy)
        self._selinux = selinuxlib.binding()
        if root != "/":
            self._selinux.selinux_set_policy_root(os.path.join(root, "etc/selinux", policy))
        self._handle = None
        with standard_error_kept() as said:
            try:
                self._handle = self._open_without(without) if without else \
                    self._selinux.selabel_open(self._selinux.SELABEL_CTX_FILE, None, 0)
                reason = "no reason given"  # some versions of the binding do not raise
            except OSError as error:
                reason = str(error.strerror)
            # The message names file and line, twice if libselinux tries both the text and the compiled file.
            lines = dict.fromkeys(" ".join(line.split()) for line in said().split("\n") if line)
        if self._handle is None:
            raise HelperError("libselinux cannot read the file contexts in %s: %s"
                              % (self.directory, "; ".join(lines) or reason))

    def _open_without(self, keys: Collection[Tuple[str, str]]) -> Any:
        """Open a directory of links to the files on disk, with the local rules except these."""
        with scratch.directory() as directory:
            for suffix in (*POLICY_RULES, ".subs", ".subs_dist"):
                for compiled in ("", ".bin"):
                    if os.path.exists(self.file(suffix) + compiled):
                        os.symlink(self.file(suffix) + compiled,
                                   os.path.join(directory, os.path.basename(self.file(suffix)) + compiled))
            file = os.path.join(directory, os.path.basename(self.file("")))
            kept = (rule for rule in self.rules((".local",)) if rule.key not in keys)
            scratch.write(file + ".local", "".join(str(rule) + "\n" for rule in kept))
            return selinuxlib.open_at(self._selinux, file)

    def close(self) -> None:
        """Free the memory.  Further lookups need a new database."""
        if self._handle is not None:
            self._selinux.selabel_close(self._handle)
            self._handle = None

    def lookup(self, path: str, mode: int = stat.S_IFSOCK) -> Optional[str]:
        """Return the context for a path and file type, or None (no rule, or ``<<none>>``)."""
        try:
            return self._asked(path, mode)
        except _LookupFailed as error:
            if error.errno == errno.ENOENT:
                return None
            # libselinux does not set errno if it fails at a regex.
            broken = self.verdict(path, next(name for name, value in MODES.items() if value == mode)).broken
            if broken:
                raise HelperError("%s:%d: libselinux cannot compile the regex %s, and so gives no labels; correct or "
                                  "remove this rule" % (broken.file, broken.line, broken.regex)) from error
            raise HelperError("libselinux cannot look up %r: %s"
                              % (path, error.said or error.strerror or "why, it does not say")) from error

    def directory_label(self, path: str) -> Optional[str]:
        """Return the context for a directory, or None."""
        return self.lookup(path, stat.S_IFDIR)

    def equivalences(self) -> Equivalences:
        """Return the substitutions that libselinux applies to a path before it looks it up."""
        local, dist = (labelfiles.substitutions(self.file(suffix), _substitution_piece)
                       for suffix in (".subs", ".subs_dist"))
        return Equivalences(local, dist, _first_substitution_counts)

    def rules(self, suffixes: Sequence[str] = ALL_RULES,
              types: Optional[Collection[str]] = None) -> List[Rule]:
        """Return the rules on disk (those of these types) in file order, as winner.winning() expects them."""
        rules: List[Rule] = []
        for suffix in suffixes:
            rules.extend(filecontexts.parse(labelfiles.read_text(self.file(suffix)) or "", self.file(suffix), types))
        return rules

    def verdict(self, path: str, file_type: str) -> "Verdict":
        """Return which rule wins for a path, or why none does if libselinux fails at a regex."""
        from ..model import winner
        from . import behaviour

        rules = self.rules()
        library = winner.Library(behaviour.regex_matches, behaviour.label_order)
        verdict = winner.winning(rules, path, file_type, self.equivalences(), library)
        labelled = bool(verdict.rule and verdict.rule.context != NONE_CONTEXT)
        answer, failed = None, False
        try:
            answer = self._asked(path, MODES[file_type])
        except OSError as error:
            failed = labelled or error.errno != errno.ENOENT
        except HelperError:
            failed = labelled
        if failed:
            verdict = winner.in_the_way(verdict, rules, file_type, library)
        return winner.contradicted(verdict, answer)

    def _asked(self, path: str, mode: int) -> str:
        """Look up a path.  libselinux compiles regexes only now, and prints their errors."""
        with standard_error_kept() as said:
            try:
                return selinuxlib.lookup(self._selinux, self._handle, path, mode)
            except OSError as error:
                raise _LookupFailed(error, said()) from error

    def file(self, suffix: str) -> str:
        """Return the path of one of the files, by the suffix after ``file_contexts`` in its name."""
        return os.path.join(self.directory, "file_contexts" + suffix)


def _first_substitution_counts() -> bool:
    from . import behaviour

    return behaviour.first_substitution_counts()


def _substitution_piece() -> int:
    from . import behaviour

    return behaviour.substitution_piece()


def labels_by(base: str, compiled: Sequence[str], paths: Sequence[str]) -> Dict[str, Optional[str]]:
    """Return the labels of sockets in a database in another directory; raise HelperError if it cannot be opened.

    ``base`` is the path of the text of its rules, ``compiled`` the paths of the texts that have a compiled file.
    To be run in a child process: libselinux prints errors, and the database is not closed.
    """
    selinux = selinuxlib.binding()
    # libselinux skips an unreadable part, except the first; so open each part by itself first.
    for part in [path for path in compiled if path != base] + [base]:
        try:
            handle = selinuxlib.open_at(selinux, part)
        except OSError as error:
            raise HelperError("libselinux cannot open %s: %s" % (os.path.basename(part), error.strerror)) from error
        if handle is None:
            raise HelperError("libselinux cannot open %s" % os.path.basename(part))
    answers: Dict[str, Optional[str]] = {}
    for path in paths:
        try:
            answers[path] = selinuxlib.lookup(selinux, handle, path, stat.S_IFSOCK)
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise HelperError("libselinux cannot look up %r: %s" % (path, error.strerror)) from error
            answers[path] = None
    return answers
