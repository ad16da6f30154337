"""The only door to the policy store: where it is, its local file-context rules, and what it accepts."""

import os
import re

from ..model.errors import OutsideImage, PolicyStoreError
from ..model.filecontexts import Rule, parse
from ..model.rules import Change
from ..model.typed import List, Optional, Sequence, Value
from . import interrupts, policydb, trust
from .run import Runner

_CONFIG = "etc/selinux/semanage.conf"
_SETFILES = "/usr/sbin/setfiles"
# What libsemanage renames at a commit: the store as it is, and as it was before.
_ACTIVE, _PREVIOUS = "active", "previous"
_STORE_ROOT = r"(?m)^[ \t]*store-root[ \t]*=[ \t]*(/.*?)[ \t]*$"


class Store(Value):
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
                text = stream.read()
                configured = re.findall(_STORE_ROOT, text) if "store-root" in text else []
        except (FileNotFoundError, PermissionError):
            configured = []
        except OSError as error:  # libsemanage would end the process without a message
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
        from . import commit

        self._keep_inside()
        self._wait_for_lock(runner, commit.LOCKED)
        runner.deadline.remaining()  # none is begun when the time is up
        commit.make(commit.Commit(self.root, self.policy, changes, load, self.local_rules, seen), self.apart, runner)

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

    def _wait_for_lock(self, runner: Runner, locked: str) -> None:
        """Wait until nobody holds the store's lock.

        libsemanage either gives up after 5 s or waits for ever, by its version, and cannot be
        told: so the deadline is kept here, and the lock is free when libsemanage asks for it.
        """
        try:
            lock = os.open(os.path.join(self.directory, "semanage.trans.LOCK"), os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return  # libsemanage creates it, or says why it cannot
        try:
            interrupts.lock(lock, runner.deadline, locked)
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
