"""The only door to libselinux, and to the label attributes that the kernel keeps.

Every function that speaks of a policy takes the root directory whose policy is meant.
"""

import errno
import os
import stat
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Collection, Dict, List, NamedTuple, Optional, Sequence, Tuple

from ..model import equivalence, filecontexts
from ..model.equivalence import Equivalences
from ..model.errors import HelperError
from ..model.filecontexts import NONE_CONTEXT, SOCKET, Rule
from . import scratch, trust
from .quiet import standard_error_kept

if TYPE_CHECKING:
    from ..model.winner import Order, Verdict

CONFIG = "etc/selinux/config"
_FILE_CONTEXTS = "contexts/files/file_contexts"
# The files of rules, by what follows that name, in libselinux's order.
POLICY_RULES = ("", ".homedirs")
ALL_RULES = POLICY_RULES + (".local",)
# What libselinux calls the file types of filecontexts.FILE_TYPES.
MODES = {
    "file": stat.S_IFREG, "directory": stat.S_IFDIR, "character device": stat.S_IFCHR,
    "block device": stat.S_IFBLK, SOCKET: stat.S_IFSOCK, "symlink": stat.S_IFLNK, "pipe": stat.S_IFIFO,
}
# What libselinux answers where the rule in question matches.
MATCHED = "u:r:matched"
# A hundred times what policies have.
_LARGEST = 64 * 1024 * 1024
_ATTRIBUTE = "security.selinux"
# A new inode here for each policy load: selinuxfs rebuilds the tree (kernel
# security/selinux/selinuxfs.c, sel_make_policy_nodes).
_POLICY_NODE = "/sys/fs/selinux/class/process"


def _binding() -> Any:
    try:
        import selinux  # the distribution's binding; only looked for where it is needed
    except ImportError as error:
        raise HelperError("the Python binding of libselinux is missing: %s (install python3-libselinux)"
                          % error) from error
    return selinux


def enabled() -> bool:
    """Tell whether the running kernel has SELinux switched on with a policy loaded."""
    return bool(_binding().is_selinux_enabled() > 0)


def policy_type(root: str) -> Optional[str]:
    """Return SELINUXTYPE of a root directory, or None when no such policy is installed there.

    Raises OutsideImage where a link would lead libselinux, or us, out of an image.
    """
    trust.refuse_links_out(root, CONFIG)
    try:
        with open(os.path.join(root, CONFIG), encoding="utf-8", errors="surrogateescape") as config:
            lines = config.read().split("\n")
    except OSError:
        return None
    policy = "targeted"
    for line in lines:
        name, _, value = line.partition("=")
        if name.strip() == "SELINUXTYPE" and value.strip():
            policy = value.split()[0]
    file = os.path.join(root, "etc/selinux", policy, _FILE_CONTEXTS)
    if "/" in policy or policy in (".", "..") or not policy.isprintable():
        return None
    trust.refuse_links_out_of_tree(root, "etc/selinux/" + policy)
    return policy if os.path.exists(file) else None


def label_directory(root: str, policy: str) -> str:
    """Return where a policy type keeps its file contexts."""
    return os.path.join(root, "etc/selinux", policy, "contexts/files")


class _LookupFailed(OSError):
    """libselinux gives no label; ``said`` is what it printed."""

    def __init__(self, error: OSError, said: str) -> None:
        super().__init__(error.errno, error.strerror)
        self.said = "; ".join(dict.fromkeys(" ".join(line.split()) for line in said.split("\n") if line.strip()))


class LabelDatabase:
    """The file contexts on disk of one root directory, as libselinux reads them now."""

    def __init__(self, root: str, policy: str, without: Collection[Tuple[str, str]] = ()) -> None:
        """Open the database; raise HelperError if it cannot be read.

        ``without``: the keys of local rules that are to be left out, as if they were not there.
        """
        self.directory = label_directory(root, policy)
        self._selinux = _binding()
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
            # It names file and line, twice where it tries both the text and the compiled file.
            lines = dict.fromkeys(" ".join(line.split()) for line in said().split("\n") if line)
        if self._handle is None:
            raise HelperError("libselinux cannot read the file contexts in %s: %s"
                              % (self.directory, "; ".join(lines) or reason))

    def _open_without(self, keys: Collection[Tuple[str, str]]) -> Any:
        """Open the files on disk from a directory of links, with local rules that lack these."""
        with scratch.directory() as directory:
            for suffix in (*POLICY_RULES, ".subs", ".subs_dist"):
                for compiled in ("", ".bin"):
                    if os.path.exists(self.file(suffix) + compiled):
                        os.symlink(self.file(suffix) + compiled,
                                   os.path.join(directory, os.path.basename(self.file(suffix)) + compiled))
            file = os.path.join(directory, os.path.basename(self.file("")))
            left = (one for one in self.rules((".local",)) if one.key not in keys)
            scratch.write(file + ".local", "".join(str(one) + "\n" for one in left))
            return _open_at(self._selinux, file)

    def close(self) -> None:
        """Give the memory back; a new look needs a new database."""
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
            # It leaves errno as it was where it fails at a regex.
            broken = self.verdict(path, next(name for name, one in MODES.items() if one == mode)).broken
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
        def read(suffix: str) -> List[equivalence.Substitution]:
            file = self.file(suffix)
            text = read_text(file) or ""
            piece = substitution_piece() if equivalence.has_long_line(text) else equivalence.SHORT_PIECE
            fault = equivalence.fault(text, file, piece)
            if fault:
                raise HelperError(fault)
            return equivalence.parse(text, file, piece)
        return Equivalences(read(".subs"), read(".subs_dist"), first_substitution_counts)

    def rules(self, suffixes: Sequence[str] = ALL_RULES,
              types: Optional[Collection[str]] = None) -> List[Rule]:
        """Return the rules on disk (those of these types) in file order, as winner.winning() wants them."""
        found: List[Rule] = []
        for suffix in suffixes:
            found.extend(filecontexts.parse(read_text(self.file(suffix)) or "", self.file(suffix), types))
        return found

    def verdict(self, path: str, file_type: str) -> "Verdict":
        """Return which rule wins a path, and why none does where libselinux fails at a regex."""
        from ..model import winner

        rules = self.rules()
        library = winner.Library(regex_matches, label_order)
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
        """Look a path up; libselinux compiles regexes only now, and prints what it thinks of them."""
        with standard_error_kept() as said:
            try:
                return _lookup(self._selinux, self._handle, path, mode)
            except OSError as error:
                raise _LookupFailed(error, said()) from error

    def file(self, suffix: str) -> str:
        """Return the path of one of the files, by what follows ``file_contexts`` in its name."""
        return os.path.join(self.directory, "file_contexts" + suffix)


def read_text(file: str) -> Optional[str]:
    """Return what a file of the policy says, line ends and odd bytes kept, or None where there is none.

    Raises HelperError for one that cannot be read, is not a file, or is far too large to be one.
    """
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise HelperError("cannot read %s: it is not a regular file" % file)
            if status.st_size > _LARGEST:
                raise HelperError("cannot read %s: it is larger than %d MiB; no policy is" % (file, _LARGEST >> 20))
            with open(descriptor, "rb", closefd=False) as stream:
                return stream.read().decode("utf-8", "surrogateescape")
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise HelperError("cannot read %s: %s" % (file, error.strerror)) from error


def _lookup(selinux: Any, handle: Any, path: str, mode: int) -> str:
    try:
        path.encode("utf-8")
    except UnicodeError:
        pass
    else:
        if "\0" not in path:
            return str(selinux.selabel_lookup_raw(handle, path, mode)[1])
    raise HelperError("the Python binding of libselinux cannot look up %r: it takes neither NUL nor what is "
                      "not UTF-8" % path)


def regex_matches(rule: Rule, path: str) -> Optional[bool]:
    """Ask libselinux whether a rule matches a canonical path; None: it cannot compile the regex.

    It is asked for the path with this one rule, and one before it that matches everything: no
    answer at all means that it failed at the regex.
    """
    answer = _ask(*question(rule, path))
    return None if answer is None else answer == MATCHED


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


def _ask(files: Dict[str, str], path: str) -> Optional[str]:
    """Return what libselinux answers for a path by these files (by what follows ``file_contexts``)."""
    return _ask_for(files, [path])[0]


def _ask_for(files: Dict[str, str], paths: Sequence[str]) -> List[Optional[str]]:
    """Return what libselinux answers for paths, taken for sockets, by these files.

    Raises HelperError where there is no room for the question.
    """
    selinux = _binding()
    with scratch.directory() as directory, standard_error_kept():
        file = os.path.join(directory, "file_contexts")
        for suffix, text in files.items():
            scratch.write(file + suffix, text)
        try:
            handle = _open_at(selinux, file)
        except OSError:
            handle = None
        if handle is None:
            return [None] * len(paths)

        def answer(path: str) -> Optional[str]:
            try:
                return _lookup(selinux, handle, path, stat.S_IFSOCK)
            except OSError:
                return None
        try:
            return [answer(path) for path in paths]
        finally:
            selinux.selabel_close(handle)


def _open_at(selinux: Any, file: str) -> Any:
    """Open the database whose files have names that begin with a path; None, or OSError, where it cannot be read."""
    option = selinux.selinux_opt()
    option.type, option.value = selinux.SELABEL_OPT_PATH, file
    return selinux.selabel_open(selinux.SELABEL_CTX_FILE, option, 1)


def load() -> None:
    """Load libselinux, so that processes which are started for a question need not."""
    _binding()


def labels_by(base: str, compiled: Sequence[str], paths: Sequence[str]) -> Dict[str, Optional[str]]:
    """Return what libselinux answers for sockets by a database elsewhere; raise HelperError if it cannot open it.

    ``base`` is the path of the text of its rules, ``compiled`` the paths of those texts that are there compiled.
    For a process of its own: libselinux prints what it does not like, and what is opened stays so.
    """
    selinux = _binding()
    # It passes over a part other than the first that it cannot read; by itself each is the first.
    for part in [one for one in compiled if one != base] + [base]:
        try:
            handle = _open_at(selinux, part)
        except OSError as error:
            raise HelperError("libselinux cannot open %s: %s" % (os.path.basename(part), error.strerror)) from error
        if handle is None:
            raise HelperError("libselinux cannot open %s" % os.path.basename(part))
    answers: Dict[str, Optional[str]] = {}
    for path in paths:
        try:
            answers[path] = _lookup(selinux, handle, path, stat.S_IFSOCK)
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise HelperError("libselinux cannot look up %r: %s" % (path, error.strerror)) from error
            answers[path] = None
    return answers


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


def created_socket_label(creator: str, executable: str) -> Optional[str]:
    """Return the label that systemd gives a listening socket object.

    ``creator`` is PID 1's context, ``executable`` the label of the service's program on disk:
    the label of a process that runs it (systemd ``src/core/socket.c``,
    socket_determine_selinux_label).
    """
    selinux = _binding()
    try:
        return str(selinux.security_compute_create_raw(
            creator, executable, selinux.string_to_security_class("process"))[1])
    except OSError:
        return None


def path_label(path: str) -> Optional[str]:
    """Return the label on an inode, not following a link; None where there is none.

    Raises FileNotFoundError or another OSError when the path cannot be looked at.
    """
    return _attribute(path, follow_symlinks=False)


def socket_label(pid: int, descriptor: int) -> Optional[str]:
    """Return the label of the socket object that a process holds under this descriptor."""
    try:
        return _attribute("/proc/%d/fd/%d" % (pid, descriptor), follow_symlinks=True)
    except OSError:
        return None


def _attribute(path: str, follow_symlinks: bool) -> Optional[str]:
    try:
        value = os.getxattr(path, _ATTRIBUTE, follow_symlinks=follow_symlinks)
    except OSError as error:
        if error.errno in (errno.ENODATA, errno.ENOTSUP):
            return None
        raise
    return value.rstrip(b"\0").decode("utf-8", "surrogateescape")


def relabel(path: str, context: str, kind: int) -> None:
    """Set the label of the inode at ``path`` if it is of this kind (``stat.S_IFSOCK``, ...).

    The inode is opened first and looked at, then labelled through that descriptor: what is put
    in its place meanwhile is not touched.  Raises HelperError for another kind of file, and OSError.
    """
    descriptor = trust.open_path(path)
    try:
        if stat.S_IFMT(os.fstat(descriptor).st_mode) != kind:
            raise HelperError("%s is not the kind of file that is to be relabelled; it is left alone" % path)
        os.setxattr("/proc/self/fd/%d" % descriptor, _ATTRIBUTE, context.encode() + b"\0")
    finally:
        os.close(descriptor)


def policy_loaded_at() -> Optional[float]:
    """Return when the kernel last loaded a policy (seconds since the epoch), or None if unknown."""
    try:
        return os.stat(_POLICY_NODE).st_mtime
    except OSError:
        return None


def is_customizable(context: str) -> bool:
    """Tell whether restorecon(8) would leave such a label alone (customizable_types(5))."""
    return bool(_binding().is_context_customizable(context) > 0)


def enforcing() -> bool:
    """Tell whether the running kernel refuses what the policy denies."""
    return bool(_binding().security_getenforce() == 1)


def valid(context: str) -> bool:
    """Tell whether the loaded policy knows a context."""
    try:
        return bool(_binding().security_check_context_raw(context) == 0)
    except OSError:
        return False


def allowed(source: str, target: str, file_class: str, permission: str) -> Optional[bool]:
    """Ask the loaded policy whether one context may do something to another; None: it does not know them.

    What a permissive domain does is allowed.  Nothing is logged.
    """
    selinux = _binding()
    number = selinux.string_to_security_class(file_class)
    wanted = selinux.string_to_av_perm(number, permission) if number else 0
    decision = selinux.av_decision()
    try:
        if not wanted or selinux.security_compute_av_flags_raw(source, target, number, wanted, decision) < 0:
            return None
    except OSError:
        return None
    permissive = decision.flags & selinux.SELINUX_AVD_FLAGS_PERMISSIVE
    return bool(decision.allowed & wanted or permissive)


class Why(NamedTuple):
    """Why the policy denies something, and the booleans of which any one would allow it if it had this value."""

    reason: str
    booleans: Tuple[Tuple[str, bool], ...] = ()


def why_denied(source: str, target: str, file_class: str, permission: str) -> Optional[Why]:
    """Ask audit2why(1) why the loaded policy denies something; None where it cannot tell."""
    try:
        from selinux import audit2why
    except ImportError:
        return None
    reasons = {
        audit2why.TERULE: "no allow rule", audit2why.BOOLEAN: "boolean", audit2why.CONSTRAINT: "constraint",
        audit2why.RBAC: "role", audit2why.BOUNDS: "bounds", audit2why.DONTAUDIT: "no allow rule, and not audited",
    }
    with standard_error_kept():
        try:
            audit2why.init()
        except (RuntimeError, ValueError, OSError):
            return None  # the loaded policy may be read by root alone
        try:
            kind, data = audit2why.analyze(source, target, file_class, [permission])
        except (RuntimeError, ValueError, TypeError, OSError):
            return None
        finally:
            audit2why.finish()
    if kind not in reasons:
        return None
    booleans = tuple((str(name), bool(value)) for name, value in data or ()) if kind == audit2why.BOOLEAN else ()
    return Why(reasons[kind], booleans)
