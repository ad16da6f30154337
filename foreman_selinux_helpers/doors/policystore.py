"""The only door to the policy store: the local file-context rules, and transactions on them."""

import errno
import functools
import os
import re
from typing import Any, Callable, List, NamedTuple, Optional, Sequence

from ..model.errors import CommandFailed, CommitFailed, OutsideImage, PolicyStoreError, RulesChanged, RulesRefused
from ..model.filecontexts import ALL_FILES, SOCKET, Rule, parse
from ..model.rules import REMOVE, Change
from . import auditlog, interrupts, policydb, trust
from .quiet import standard_error_kept
from .run import Runner, failure

_CONFIG = "etc/selinux/semanage.conf"
_SEMANAGE = "/usr/sbin/semanage"
_SETFILES = "/usr/sbin/setfiles"
# semanage fcontext -f, by the names of filecontexts.FILE_TYPES.
_LETTERS = {ALL_FILES: "a", "file": "f", "directory": "d", "character device": "c", "block device": "b",
            SOCKET: "s", "symlink": "l", "pipe": "p"}
# What libsemanage renames at a commit: the store as it is, and as it was before.
_ACTIVE, _PREVIOUS = "active", "previous"
# As long as a commit may take; one takes seconds.
_COMMIT = 60.0
_STORE_ROOT = r"(?m)^[ \t]*store-root[ \t]*=[ \t]*(/.*?)[ \t]*$"
_LOCKED = "the policy store is locked by another program (semanage, semodule, Ansible, Puppet)"


class Store(NamedTuple):
    """The policy store of one root directory and policy type.

    ``apart``: change it in a process of its own.  libsemanage keeps the paths of the first store that
    a process opens, and would change that one instead (``src/semanage_store.c``, semanage_check_init()).
    """

    root: str
    policy: str
    apart: bool = False

    @property
    def directory(self) -> str:
        """Where the store keeps its modules and its locks: semanage.conf(5), store-root; or EL 7's place."""
        file = os.path.join(self.root, _CONFIG)
        trust.refuse_links_out(self.root, _CONFIG)
        try:
            with os.fdopen(trust.open_regular(os.path.realpath(file)), errors="replace") as stream:
                configured = re.findall(_STORE_ROOT, stream.read())
        except (FileNotFoundError, PermissionError):
            configured = []
        except OSError as error:  # libsemanage would end the process, without a word
            raise PolicyStoreError("%s: cannot be read: %s" % (file, error.strerror)) from error
        places = []
        for place in (configured or ["/var/lib/selinux"])[-1:] + ["/etc/selinux"]:
            try:
                trust.refuse_links_out(self.root, os.path.join(place, self.policy))
            except OutsideImage as error:
                raise OutsideImage("%s: store-root: %s" % (file, error) if configured else str(error)) from error
            places.append(os.path.join(self.root, place.lstrip("/"), self.policy))
        return next((place for place in places if _is_store(place)), places[0])

    @property
    def exists(self) -> bool:
        """Tell whether there is a store to change, or one to be put back (see _put_back)."""
        return _is_store(self.directory)

    def local_rules(self) -> List[Rule]:
        """Return the local rules that are committed, oldest first."""
        local = os.path.join("etc/selinux", self.policy, "contexts/files/file_contexts.local")
        file = os.path.join(self.root, local)
        trust.refuse_links_out(self.root, local)
        try:
            with open(file, encoding="utf-8", errors="surrogateescape") as stream:
                return list(parse(stream.read(), file))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise PolicyStoreError("cannot read %s: %s" % (file, error.strerror)) from error

    def apply(self, changes: Sequence[Change], load: bool, runner: Runner,
              seen: Optional[Sequence[Rule]] = None) -> None:
        """Make all changes in one transaction, or none.

        ``load``: have the kernel load the policy afterwards, which is what lets a newer systemd
        notice.  ``seen``: the local rules that the changes were decided by.  Raises RulesRefused for
        rules that the policy does not accept, RulesChanged where somebody has changed the local
        rules since they were seen, CommitFailed where not even libsemanage knows what was done,
        and PolicyStoreError, with nothing changed, for anything else.
        """
        self._keep_inside()
        self._wait_for_lock(runner)
        runner.deadline.remaining()  # none is begun when the time is up
        try:
            import semanage
        except ImportError:
            _import(self, changes, load, runner)
            return
        with standard_error_kept() as said:
            done = False
            try:
                act = functools.partial(_transaction, semanage, self, changes, load, seen)
                if self.apart:
                    _in_a_child(act)
                else:
                    act()
                done = True
            except PolicyStoreError as error:
                raise type(error)("%s%s" % (error, _last_words(said()))) from error
            finally:
                if self.root == "/":
                    auditlog.record(changes, done)

    def refused(self, wanted: Sequence[Rule], runner: Runner) -> List[Rule]:
        """Return the rules whose context or regex the policy on disk does not accept."""
        if not wanted or self._accepts(wanted, runner):
            return []
        if len(wanted) == 1:
            return list(wanted)
        half = len(wanted) // 2
        return self.refused(wanted[:half], runner) + self.refused(wanted[half:], runner)

    def _keep_inside(self) -> None:
        """Refuse an image in which libsemanage, or what it runs, would come to files outside of it."""
        if self.root == "/":
            return
        directory = self.directory[len(self.root):]
        for tree in (os.path.join("etc/selinux", self.policy), directory,
                     os.path.join(os.path.dirname(directory), "final")):
            trust.refuse_links_out_of_tree(self.root, tree)
        file = os.path.join(self.root, _CONFIG)
        if not os.access(file, os.R_OK) and os.path.exists(os.path.join("/", _CONFIG)):
            raise PolicyStoreError("there is no %s: libsemanage would do as this host's says" % file)

    def _accepts(self, wanted: Sequence[Rule], runner: Runner) -> bool:
        """Ask setfiles(8), option -c, as libsemanage does: in the store, for a policy lets it read that."""
        self._keep_inside()
        binary = policydb.newest(self.root, self.policy)
        if binary is None:
            raise PolicyStoreError("there is no compiled policy to check the rules with")
        import tempfile

        try:
            with tempfile.TemporaryDirectory(prefix="rules-", dir=self.directory) as scratch:
                specification = os.path.join(scratch, "file_contexts")
                with open(specification, "w", encoding="utf-8") as stream:
                    stream.writelines("%s\t%s\n" % (rule.regex, rule.context) for rule in wanted)
                return runner.run([_SETFILES, "-q", "-c", binary, specification]).status == 0
        except OSError as error:
            raise PolicyStoreError("the rules cannot be checked: %s" % error.strerror) from error

    def _wait_for_lock(self, runner: Runner) -> None:
        """Wait until nobody holds the store's lock.

        libsemanage either gives up after 5 s or waits for ever, by its version, and cannot be
        told: so the deadline is kept here, and the lock is free when libsemanage asks for it.
        """
        try:
            lock = os.open(os.path.join(self.directory, "semanage.trans.LOCK"), os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return  # libsemanage creates it, or says why it cannot
        try:
            interrupts.lock(lock, runner.deadline, _LOCKED)
            self._put_back()
        finally:
            os.close(lock)

    def _put_back(self) -> None:
        """Put the store back where a program was killed between libsemanage's two renames.

        It moves the store aside and its successor to its place.  Without this nothing opens the
        store any more (and ``semodule`` starts an empty one).
        """
        active, previous = (os.path.join(self.directory, name) for name in (_ACTIVE, _PREVIOUS))
        if not os.path.lexists(active) and os.path.isdir(previous):
            try:
                os.rename(previous, active)
            except OSError as error:
                raise PolicyStoreError("a commit was cut short, and %s cannot be moved back to %s: %s"
                                       % (previous, active, error.strerror)) from error


def _is_store(directory: str) -> bool:
    return any(os.path.isdir(os.path.join(directory, name)) for name in (_ACTIVE, _PREVIOUS))


def _last_words(said: str) -> str:
    lines = [line for line in said.split("\n") if line and "not in password file" not in line]
    return " (%s)" % "; ".join(lines[-3:]) if lines else ""


def _checked(result: Any, what: str) -> Any:
    """Unpack a binding's answer: a number, or [number, value]; negative means failure."""
    status, value = (result[0], result[1]) if isinstance(result, (list, tuple)) else (result, result)
    if status < 0:
        raise PolicyStoreError("the policy store refused to %s" % what)
    return value


def _in_a_child(act: Callable[[], None]) -> None:
    """Call a function in a process of its own; what it raises is raised here."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            answer = "done"
            try:
                act()
            except PolicyStoreError as error:
                answer = "%s %s" % (type(error).__name__, error)
            os.write(writing, answer.encode("utf-8", "surrogateescape"))
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8", errors="surrogateescape") as stream:
        answer = stream.read()
    os.waitpid(child, 0)
    kind, _, message = answer.partition(" ")
    if kind != "done":
        failed = {one.__name__: one for one in (PolicyStoreError, RulesChanged, RulesRefused)}.get(kind, CommitFailed)
        raise failed(message or "the process that changed the policy store has died")


def _transaction(semanage: Any, store: Store, changes: Sequence[Change], load: bool,
                 seen: Optional[Sequence[Rule]]) -> None:
    types = {ALL_FILES: semanage.SEMANAGE_FCONTEXT_ALL, SOCKET: semanage.SEMANAGE_FCONTEXT_SOCK}
    if store.root != "/":  # before the handle, which reads semanage.conf
        _checked(semanage.semanage_set_root(store.root), "use the root directory %s" % store.root)
    handle = semanage.semanage_handle_create()
    if handle is None:
        raise PolicyStoreError("libsemanage gives no handle")
    connected = False
    doing = "open the store"
    try:
        semanage.semanage_select_store(handle, store.policy, semanage.SEMANAGE_CON_DIRECT)
        _checked(semanage.semanage_connect(handle), "connect")
        connected = True
        doing = "begin a transaction"
        _checked(semanage.semanage_begin_transaction(handle), doing)
        if seen is not None and [tuple(rule) for rule in store.local_rules()] != [tuple(rule) for rule in seen]:
            raise RulesChanged("somebody else changes local rules all the time; run again")
        for change in changes:
            rule = change.rule
            doing = "%s %s" % (change.action, rule)
            key = _checked(semanage.semanage_fcontext_key_create(handle, rule.regex, types[rule.file_type]), doing)
            try:
                if change.action == REMOVE:
                    if not _checked(semanage.semanage_fcontext_exists_local(handle, key), doing):
                        # A commit that was cut short took it from the store, and not from what is
                        # installed; libsemanage only installs what it sees changed.
                        _set_rule(semanage, handle, key, rule, types[rule.file_type], doing)
                    _checked(semanage.semanage_fcontext_del_local(handle, key), doing)
                else:
                    _set_rule(semanage, handle, key, rule, types[rule.file_type], doing)
            finally:
                semanage.semanage_fcontext_key_free(key)
        doing = "commit"
        semanage.semanage_set_reload(handle, 1 if load else 0)
        if semanage.semanage_commit(handle) < 0:
            raise CommitFailed("the policy store refused to commit")
    except OSError as error:
        raise _explain(error, doing) from error
    finally:
        if connected:
            semanage.semanage_disconnect(handle)
        semanage.semanage_handle_destroy(handle)


def _set_rule(semanage: Any, handle: Any, key: Any, rule: Rule, file_type: int, doing: str) -> None:
    fcontext = _checked(semanage.semanage_fcontext_create(handle), doing)
    try:
        _checked(semanage.semanage_fcontext_set_expr(handle, fcontext, rule.regex), doing)
        semanage.semanage_fcontext_set_type(fcontext, file_type)
        context = _checked(semanage.semanage_context_from_string(handle, rule.context), doing)
        try:
            _checked(semanage.semanage_fcontext_set_con(handle, fcontext, context), doing)
        finally:
            semanage.semanage_context_free(context)
        _checked(semanage.semanage_fcontext_modify_local(handle, key, fcontext), doing)
    finally:
        semanage.semanage_fcontext_free(fcontext)


def _explain(error: OSError, doing: str) -> PolicyStoreError:
    reason = os.strerror(error.errno) if error.errno else str(error)
    if error.errno in (0, errno.EINVAL) and doing == "commit":
        return RulesRefused("the policy store does not accept the rules: a context or a regex is not valid")
    if error.errno in (errno.EAGAIN, errno.EWOULDBLOCK) and doing != "commit":
        return PolicyStoreError("%s; run again when it is done" % _LOCKED)
    failed = CommitFailed if doing == "commit" else PolicyStoreError
    return failed("the policy store failed to %s: %s" % (doing, reason))


def _import(store: Store, changes: Sequence[Change], load: bool, runner: Runner) -> None:
    """Do the same with ``semanage import``, for hosts without the libsemanage binding."""
    if store.root != "/":
        raise PolicyStoreError("without the Python binding of libsemanage only the policy store of / can be changed")
    existing = {rule.key for rule in store.local_rules()}
    lines = []
    for change in changes:
        rule = change.rule
        # There is no white space and no quote in a regex of ours: semanage's own splitting knows no escapes.
        where = "-f %s %s" % (_LETTERS[rule.file_type], rule.regex)
        if change.action == REMOVE:
            if rule.key in existing:
                lines.append("fcontext -d %s" % where)
        else:
            parts = rule.context.split(":", 3)
            level = " -r '%s'" % parts[3] if len(parts) == 4 else ""
            verb = "-m" if rule.key in existing else "-a"
            lines.append("fcontext %s -s %s -t '%s'%s %s" % (verb, parts[0], parts[2], level, where))
    if not lines:
        return
    argv = [_SEMANAGE, "import", "-S", store.policy] + ([] if load else ["-N"])
    try:
        # It commits, and should not be killed at that.
        done = Runner(runner.deadline.at_least(_COMMIT)).run(argv, stdin="\n".join(lines) + "\n")
    except CommandFailed as error:
        raise CommitFailed(str(error)) from error
    if done.status != 0:
        failed = RulesRefused if "is not defined" in done.err or "nvalid" in done.err else CommitFailed
        raise failed("semanage import: %s" % failure(done))
