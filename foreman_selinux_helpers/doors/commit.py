"""One commit to the policy store: with libsemanage, or with semanage(8) if its Python binding is missing."""

import errno
import functools
import os

from ..model.errors import CommandFailed, CommitFailed, PolicyStoreError, RulesChanged, RulesRefused
from ..model.filecontexts import ALL_FILES, LETTERS, SOCKET, Rule
from ..model.rules import REMOVE, Change
from ..model.typed import Any, Callable, List, Optional, Sequence, Value
from . import auditlog
from .run import Runner, failure
from .stderr import standard_error_kept

LOCKED = "the policy store is locked by another program (semanage, semodule, Ansible, Puppet)"
_SEMANAGE = "/usr/sbin/semanage"
# The least time for a commit; it normally takes a few seconds.
_SECONDS = 60.0


class Commit(Value):
    """The changes to make, and the store to make them in.

    ``load``: make the kernel load the policy afterwards.  ``local_rules`` reads the committed local rules; ``seen``
    are the local rules on which the changes are based, or None.
    """

    root: str
    policy: str
    changes: Sequence[Change]
    load: bool
    local_rules: Callable[[], List[Rule]]
    seen: Optional[Sequence[Rule]] = None


def make(commit: Commit, apart: bool, runner: Runner) -> None:
    """Make all changes in one transaction, or none; ``apart``: in a child process.  Raises like Store.apply()."""
    try:
        import semanage
    except ImportError:
        _import(commit, runner)
        return
    with standard_error_kept() as said:
        done = False
        try:
            act = functools.partial(_transaction, semanage, commit)
            if apart:
                _in_a_child(act)
            else:
                act()
            done = True
        except PolicyStoreError as error:
            raise type(error)("%s%s" % (error, _last_words(said()))) from error
        finally:
            if commit.root == "/":
                auditlog.record(commit.changes, done)


def _last_words(said: str) -> str:
    lines = [line for line in said.split("\n") if line and "not in password file" not in line]
    return " (%s)" % "; ".join(lines[-3:]) if lines else ""


def _in_a_child(act: Callable[[], None]) -> None:
    """Call a function in a child process, and raise here what it raises."""
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
        errors = {error.__name__: error for error in (PolicyStoreError, RulesChanged, RulesRefused)}
        raise errors.get(kind, CommitFailed)(message or "the process that changed the policy store has died")


def _transaction(semanage: Any, commit: Commit) -> None:
    if commit.root != "/":  # before the handle is created, which reads semanage.conf
        _checked(semanage.semanage_set_root(commit.root), "use the root directory %s" % commit.root)
    handle = semanage.semanage_handle_create()
    if handle is None:
        raise PolicyStoreError("libsemanage gives no handle")
    connected = False
    doing = "open the store"
    try:
        semanage.semanage_select_store(handle, commit.policy, semanage.SEMANAGE_CON_DIRECT)
        _checked(semanage.semanage_connect(handle), "connect")
        connected = True
        doing = "begin a transaction"
        _checked(semanage.semanage_begin_transaction(handle), doing)
        if commit.seen is not None and list(map(tuple, commit.local_rules())) != list(map(tuple, commit.seen)):
            raise RulesChanged("somebody else changes local rules all the time; run again")
        for change in commit.changes:
            doing = _words(change)
            _change(semanage, handle, change)
        doing = "commit"
        semanage.semanage_set_reload(handle, 1 if commit.load else 0)
        if semanage.semanage_commit(handle) < 0:
            raise CommitFailed("the policy store refused to commit")
    except OSError as error:
        raise _explain(error, doing) from error
    finally:
        if connected:
            semanage.semanage_disconnect(handle)
        semanage.semanage_handle_destroy(handle)


def _change(semanage: Any, handle: Any, change: Change) -> None:
    """Make one change in a transaction."""
    rule, doing = change.rule, _words(change)
    key = _checked(semanage.semanage_fcontext_key_create(handle, rule.regex, _kind(semanage, rule)), doing)
    try:
        # An interrupted commit may have removed a rule from the store but not from the installed files;
        # libsemanage only installs what has changed.
        if change.action != REMOVE or not _checked(semanage.semanage_fcontext_exists_local(handle, key), doing):
            _set_rule(semanage, handle, key, change)
        if change.action == REMOVE:
            _checked(semanage.semanage_fcontext_del_local(handle, key), doing)
    finally:
        semanage.semanage_fcontext_key_free(key)


def _words(change: Change) -> str:
    return "%s %s" % (change.action, change.rule)


def _kind(semanage: Any, rule: Rule) -> int:
    return int({ALL_FILES: semanage.SEMANAGE_FCONTEXT_ALL, SOCKET: semanage.SEMANAGE_FCONTEXT_SOCK}[rule.file_type])


def _set_rule(semanage: Any, handle: Any, key: Any, change: Change) -> None:
    doing = _words(change)
    fcontext = _checked(semanage.semanage_fcontext_create(handle), doing)
    try:
        _checked(semanage.semanage_fcontext_set_expr(handle, fcontext, change.rule.regex), doing)
        semanage.semanage_fcontext_set_type(fcontext, _kind(semanage, change.rule))
        context = _checked(semanage.semanage_context_from_string(handle, change.rule.context), doing)
        try:
            _checked(semanage.semanage_fcontext_set_con(handle, fcontext, context), doing)
        finally:
            semanage.semanage_context_free(context)
        _checked(semanage.semanage_fcontext_modify_local(handle, key, fcontext), doing)
    finally:
        semanage.semanage_fcontext_free(fcontext)


def _checked(result: Any, doing: str) -> Any:
    """Unpack a result of the binding: a number, or [number, value]; a negative number means failure."""
    status, value = (result[0], result[1]) if isinstance(result, (list, tuple)) else (result, result)
    if status < 0:
        raise PolicyStoreError("the policy store refused to %s" % doing)
    return value


def _explain(error: OSError, doing: str) -> PolicyStoreError:
    reason = os.strerror(error.errno) if error.errno else str(error)
    if error.errno in (0, errno.EINVAL) and doing == "commit":
        return RulesRefused("the policy store does not accept the rules: a context or a regex is not valid")
    if error.errno in (errno.EAGAIN, errno.EWOULDBLOCK) and doing != "commit":
        return PolicyStoreError("%s; run again when it is done" % LOCKED)
    failed = CommitFailed if doing == "commit" else PolicyStoreError
    return failed("the policy store failed to %s: %s" % (doing, reason))


def _import(commit: Commit, runner: Runner) -> None:
    """Make the changes with ``semanage import``, for hosts without the libsemanage binding."""
    if commit.root != "/":
        raise PolicyStoreError("without the Python binding of libsemanage only the policy store of / can be changed")
    existing = {rule.key for rule in commit.local_rules()}
    lines = []
    for change in commit.changes:
        rule = change.rule
        # Our regexes contain no white space and no quotes: semanage does not support escapes in its input.
        where = "-f %s %s" % (LETTERS[rule.file_type], rule.regex)
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
    argv = [_SEMANAGE, "import", "-S", commit.policy] + ([] if commit.load else ["-N"])
    try:
        # It commits, and should not be killed meanwhile.
        done = Runner(runner.deadline.at_least(_SECONDS)).run(argv, stdin="\n".join(lines) + "\n")
    except CommandFailed as error:
        raise CommitFailed(str(error)) from error
    if done.status != 0:
        failed = RulesRefused if "is not defined" in done.err or "nvalid" in done.err else CommitFailed
        raise failed("semanage import: %s" % failure(done))
