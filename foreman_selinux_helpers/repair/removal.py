"""Give rules back in time: before a package takes a profile or a policy module away.

A rule with a type of the module would keep ``semodule -r`` from removing it.  What is given back is not
forgotten by the administrator's will: the next repair registers it again where its type is still there.
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

# This package's own profile: where that goes, every profile and module on the host is named, and none of them goes.
_OURS = "/" + profilefiles.VENDOR_DIR + "/foreman.conf"
_MODULES = "usr/share/selinux"
# foreman-selinux-enable runs the hooks that are meant for foreman-selinux-disable as well.
_ENABLES = "-selinux-enable"
_CALLER = "--caller"
# From the hook to find(1) to the script.
_GENERATIONS = 2


class Going(Value):
    """What is taken away: profiles by name, modules by name or file; ``replaced``: modules that come again."""

    profiles: Sequence[str] = ()
    modules: Sequence[str] = ()
    replaced: bool = False


def going(arguments: Sequence[str]) -> Going:
    """Return what the scriptlet's arguments stand for: files that a package takes away, or a hook's modules."""
    if arguments[:1] == [_CALLER]:
        caller = int(arguments[1]) if arguments[1:] and arguments[1].isdigit() else 0
        named = [one for one in arguments[2:] if modules.is_name(one)]
        return Going((), named, _is_replaced_by(caller))
    if _OURS in arguments:
        return Going()
    directory = "/" + profilefiles.VENDOR_DIR + "/"
    names = [one[len(directory):-len(".conf")] for one in arguments
             if one.startswith(directory) and one.endswith(".conf") and not one.startswith(directory + "-")]
    files = [one for one in arguments if one.startswith("/" + _MODULES + "/") and modules.name_of(one)]
    return Going(names, files)


def _is_replaced_by(pid: int) -> bool:
    """Tell whether a process, or the one that started it, is a script that enables a policy."""
    for _ in range(_GENERATIONS):
        if any(os.path.basename(word).endswith(_ENABLES) for word in procfs.command_line(pid)):
            return True
        pid = procfs.parent(pid)
    return False


def run(arguments: Sequence[str], log: Log, deadline: Deadline, root: str = "/") -> None:
    """Give back the rules of ours that cannot stay."""
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
    """Which of our rules are given back, in each policy."""

    def __init__(self, what: Going, root: str, runner: Runner, log: Log) -> None:
        self._what = what
        self._root = root
        self._runner = runner
        self._log = log
        self._declared: Dict[str, List[Declared]] = {}
        self._coming: Dict[Tuple[str, str], Optional[Declared]] = {}
        installed = profilefiles.load(root).sockets if what.profiles else ()
        chosen, unknown = profiles.select(installed, what.profiles) if what.profiles else ((), set())
        self._units = {one.unit for one in chosen} | set(unknown)

    def __call__(self, store: Store, owned: Owned, present: bool) -> bool:
        """Tell whether a rule is given back; one that the administrator removed is forgotten only with its profile."""
        return owned.unit in self._units or (present and self._loses(store, type_of(owned.rule.context)))

    def has_any(self) -> bool:
        """Tell whether there is a rule to give back."""
        stores = [Store(self._root, policy) for policy in ownership.policies(self._root)]
        return any(self(store, owned, True) for store in stores if store.exists
                   for owned in ownership.load(store.root, store.policy).ours(store.local_rules()).values())

    def _loses(self, store: Store, name: str) -> bool:
        """Tell whether a policy loses a type."""
        if store.policy not in self._declared:
            self._declared[store.policy] = [self._look(store, one) for one in self._what.modules]
        return any(declared.has(name) and not (self._what.replaced and self._comes_again(store, module, name))
                   for module, declared in zip(self._what.modules, self._declared[store.policy]))

    def _look(self, store: Store, module: str) -> Declared:
        """Return what a module declares: as it is installed, or else as it is in its file."""
        try:
            found = modules.from_store(store.directory, modules.name_of(module) or module, self._runner)
            if found is None and module.startswith("/"):
                found = modules.read(os.path.join(self._root, module.lstrip("/")), self._runner)
            return found or Declared()
        except HelperError as error:
            self._log.warning("it is not known which types a policy module declares that goes away; if it stays, run"
                              " foreman-selinux-helpers unregister: %s" % error)
            return Declared()

    def _comes_again(self, store: Store, module: str, name: str) -> bool:
        """Tell whether the module that is about to be installed has a type, too; what cannot be read is taken to."""
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
        """Return the file that a module is going to be installed from, that for this policy first."""
        found = [file for depth in ("*", "*/*")
                 for file in sorted(glob.glob(os.path.join(self._root, _MODULES, depth, module + ".*")))
                 if modules.name_of(file) == module]
        mine = [file for file in found if os.path.basename(os.path.dirname(file)) == policy]
        return next(iter(mine + found), None)
