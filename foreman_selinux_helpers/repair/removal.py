"""Remove our rules before a package removes a profile or a policy module.

A rule with a type of the module would keep ``semodule -r`` from removing it.  Such a removal is not a decision of
the administrator: the next repair registers the rule again if its type still exists.
"""

import glob
import os

from ..doors import modules, ownership, procfs, profilefiles
from ..doors.deadline import Deadline
from ..doors.log import Log
from ..doors.modules import Declared
from ..doors.policystore import Store
from ..doors.run import Runner
from ..model import profiles
from ..model.errors import HelperError, NeedsRoot
from ..model.filecontexts import type_of
from ..model.record import Owned
from ..model.typed import Dict, List, Optional, Sequence, Tuple, Value
from ..sources import hostkind

# This package's own profile: when it is removed, the arguments name all profiles and modules, and all of them stay.
_OURS = "/" + profilefiles.VENDOR_DIR + "/foreman.conf"
_MODULES = "usr/share/selinux"
# foreman-selinux-enable also runs the hooks that are meant for foreman-selinux-disable.
_ENABLES = "-selinux-enable"
_CALLER = "--caller"
# From the hook to find(1), and from find(1) to the script.
_GENERATIONS = 2


class Going(Value):
    """What is removed: profiles by name, modules by name or file; ``replaced``: the modules are installed again."""

    profiles: Sequence[str] = ()
    modules: Sequence[str] = ()
    replaced: bool = False


def going(arguments: Sequence[str]) -> Going:
    """Return what the scriptlet's arguments name: files that a package removes, or the modules of a hook."""
    if arguments[:1] == [_CALLER]:
        caller = int(arguments[1]) if arguments[1:] and arguments[1].isdigit() else 0
        named = [word for word in arguments[2:] if modules.is_name(word)]
        return Going((), named, _is_replaced_by(caller))
    if _OURS in arguments:
        return Going()
    directory = "/" + profilefiles.VENDOR_DIR + "/"
    names = [word[len(directory):-len(".conf")] for word in arguments
             if word.startswith(directory) and word.endswith(".conf") and not word.startswith(directory + "-")]
    files = [word for word in arguments if word.startswith("/" + _MODULES + "/") and modules.name_of(word)]
    return Going(names, files)


def _is_replaced_by(pid: int) -> bool:
    """Return whether a process or its parent is a script that enables a policy."""
    for _ in range(_GENERATIONS):
        if any(os.path.basename(word).endswith(_ENABLES) for word in procfs.command_line(pid)):
            return True
        pid = procfs.parent(pid)
    return False


def run(arguments: Sequence[str], log: Log, deadline: Deadline, root: str = "/") -> None:
    """Remove those of our rules that cannot stay."""
    what = going(arguments)
    if not (what.profiles or what.modules) or not ownership.policies(root):
        return
    if os.geteuid() != 0:
        raise NeedsRoot("giving rules back changes the host and needs root")
    from ..doors import interrupts
    from .unregistration import unregister

    with interrupts.heard(deadline):
        runner = Runner(deadline)
        choice = Choice(what, root, runner, log)
        if what.profiles or choice.has_any():
            unregister(hostkind.read(root), choice, runner, log, False)


class Choice:
    """The choice of our rules that are removed, in each policy."""

    def __init__(self, what: Going, root: str, runner: Runner, log: Log) -> None:
        self._what = what
        self._root = root
        self._runner = runner
        self._log = log
        self._declared: Dict[str, List[Declared]] = {}
        self._coming: Dict[Tuple[str, str], Optional[Declared]] = {}
        installed = profilefiles.load(root).sockets if what.profiles else ()
        chosen, unknown = profiles.select(installed, what.profiles) if what.profiles else ((), set())
        self._units = {profile.unit for profile in chosen} | set(unknown)

    def __call__(self, store: Store, owned: Owned, present: bool) -> bool:
        """Return whether a rule is removed; one that the administrator removed is forgotten only with its profile."""
        return owned.unit in self._units or (present and self._loses(store, type_of(owned.rule.context)))

    def has_any(self) -> bool:
        """Return whether there is a rule to remove."""
        stores = [Store(self._root, policy) for policy in ownership.policies(self._root)]
        return any(self(store, owned, True) for store in stores if store.exists
                   for owned in ownership.load(store.root, store.policy).ours(store.local_rules()).values())

    def _loses(self, store: Store, name: str) -> bool:
        """Return whether a policy loses a type."""
        if store.policy not in self._declared:
            self._declared[store.policy] = [self._read_declared(store, module) for module in self._what.modules]
        return any(declared.has(name) and not (self._what.replaced and self._comes_again(store, module, name))
                   for module, declared in zip(self._what.modules, self._declared[store.policy]))

    def _read_declared(self, store: Store, module: str) -> Declared:
        """Return the types of a module: of the installed one, or else of the one in its file."""
        try:
            declared = modules.from_store(store.directory, modules.name_of(module) or module, self._runner)
            if declared is None and module.startswith("/"):
                declared = modules.read(os.path.join(self._root, module.lstrip("/")), self._runner)
            return declared or Declared()
        except HelperError as error:
            self._log.warning("it is not known which types a policy module declares that goes away; if it stays, run"
                              " foreman-selinux-helpers unregister: %s" % error)
            return Declared()

    def _comes_again(self, store: Store, module: str, name: str) -> bool:
        """Return whether the module that will be installed declares a type; assume so if it cannot be read."""
        key = (store.policy, module)
        if key not in self._coming:
            self._coming[key] = None
            try:
                file = self._file_of(store.policy, module)
                self._coming[key] = modules.read(file, self._runner) if file else None
            except HelperError as error:
                self._log.warning("it is not known which types a policy module declares that comes: %s" % error)
        coming = self._coming[key]
        return coming is None or coming.has(name)

    def _file_of(self, policy: str, module: str) -> Optional[str]:
        """Return the file that a module will be installed from; a file for this policy is preferred."""
        files = [file for depth in ("*", "*/*")
                 for file in sorted(glob.glob(os.path.join(self._root, _MODULES, depth, module + ".*")))
                 if modules.name_of(file) == module]
        of_policy = [file for file in files if os.path.basename(os.path.dirname(file)) == policy]
        return next(iter(of_policy + files), None)
