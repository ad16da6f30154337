"""Read the file contexts of a host."""

from ..doors import labeldatabase
from ..doors.policydb import CompiledPolicy
from ..doors.policystore import Store
from ..model.errors import HelperError
from ..model.facts import Host
from ..model.filecontexts import ALL_FILES, Rule, type_of
from ..model.record import Key
from ..model.rules import FileContexts
from ..model.typed import Callable, Collection, Dict, List, Optional, Sequence, Tuple


class FileContextsOnDisk:
    """The file contexts on disk of one host; they are opened at first use."""

    def __init__(self, host: Host, open_database: Callable[..., labeldatabase.LabelDatabase] =
                 labeldatabase.LabelDatabase) -> None:
        self.store = Store(host.root, host.policy_type or "")
        self._open = open_database
        self.database = open_database(host.root, host.policy_type or "")
        self.compiled = CompiledPolicy(host.root, host.policy_type or "")
        self._host = host
        self._without: Optional[labeldatabase.LabelDatabase] = None
        self._labels: Dict[str, Optional[str]] = {}
        self._rules: Dict[str, List[Rule]] = {}

    def close(self) -> None:
        """Close the databases that are open."""
        self.database.close()
        if self._without is not None:
            self._without.close()

    def contexts(self, local: Sequence[Rule], ours: Collection[Key] = ()) -> FileContexts:
        """Return the file contexts for the pure code; ``ours``: the keys of our local rules."""
        return FileContexts(self.lookup, self.compiled.primary, self.compiled.same,
                            lambda name: self.rules_for(name, local), local, self.database.equivalences(),
                            self.compiled.mls, lambda path: self.lookup_without(ours, path), self.effective)

    def lookup(self, path: str) -> Optional[str]:
        """Return libselinux's answer for a socket; each answer is cached."""
        if path not in self._labels:
            self._labels[path] = self.database.lookup(path)
        return self._labels[path]

    def lookup_as(self, path: str, file_type: str) -> Optional[str]:
        """Return libselinux's answer for a path of one file type."""
        return self.database.lookup(path, labeldatabase.MODES[file_type])

    def lookup_without(self, gone: Collection[Key], path: str) -> Optional[str]:
        """Return libselinux's answer for a socket without these local rules."""
        if not gone:
            return self.lookup(path)
        if self._without is None:
            self._without = self._open(self._host.root, self._host.policy_type or "", without=gone)
        return self._without.lookup(path)

    def effective(self, path: str) -> Tuple[Optional[str], Optional[Rule]]:
        """Return the file type under which a local rule for a canonical path wins; see winner.local_file_type()."""
        from ..doors import behaviour

        try:
            order = behaviour.label_order()
        except HelperError:
            return ALL_FILES, None  # whether it wins is checked again after the commit
        if order.local_wins:
            return ALL_FILES, None
        from ..model.winner import Library, local_file_type

        return local_file_type(self.database.rules(), path, self.database.file(".local"),
                               Library(behaviour.regex_matches, behaviour.label_order))

    def rules_for(self, type_name: str, local: Sequence[Rule]) -> List[Rule]:
        """Return the rules of the policy and the local rules that give a type."""
        if type_name not in self._rules:
            names = {type_name, *self.compiled.names(type_name)}
            self._rules[type_name] = self.database.rules(labeldatabase.POLICY_RULES, names) \
                + [rule for rule in local if type_of(rule.context) in names]
        return self._rules[type_name]
