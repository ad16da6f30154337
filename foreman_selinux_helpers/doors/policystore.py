"""The only door to the policy store: its path, its local file-context rules, and what it accepts."""

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
# The directories that libsemanage renames at a commit: the current store and the previous one.
_ACTIVE, _PREVIOUS = "active", "previous"
_STORE_ROOT = r"(?m)^[ \t]*store-root[ \t]*=[ \t]*(/.*?)[ \t]*$"


class Store(Value):
    """The policy store of one root directory and policy type.

    ``apart``: change it in a child process.  libsemanage keeps the paths of the first store that a
    process opens, and would change that one instead (``src/semanage_store.c``, semanage_check_init()).
    """

    root: str
    policy: str
    apart: bool = False

    @property
    def directory(self) -> str:
        """Return the directory of the modules and locks: store-root of semanage.conf(5), or that of EL 7."""
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
        """Return whether there is a store to change, or one to restore (see _put_back)."""
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

        ``load``: make the kernel load the policy afterwards, which also notifies a newer systemd.
        ``seen``: the local rules on which the changes are based.  Raises RulesRefused for rules
        that the policy does not accept, RulesChanged if the local rules have changed since they
        were read, CommitFailed if not even libsemanage knows what was done, and PolicyStoreError,
        with nothing changed, for anything else.
        """
        from . import commit

        self._keep_inside()
        self._wait_for_lock(runner, commit.LOCKED)
        runner.deadline.remaining()  # begin no transaction after the deadline
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
        """Refuse an image in which libsemanage, or a program that it runs, would access files outside the image."""
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
        """Check rules with setfiles(8), option -c, as libsemanage does: in the store, which the policy lets it read."""
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
        """Wait until the store's lock is free.

        libsemanage either gives up after 5 s or waits forever, depending on its version, and this
        cannot be configured: so wait here until the deadline, before libsemanage takes the lock.
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
        """Restore the store if a program was killed between libsemanage's two renames.

        libsemanage renames the store, and then its successor to the store's name.  Without this,
        no program can open the store (and ``semodule`` creates an empty one).
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
