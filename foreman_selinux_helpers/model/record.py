"""The record of the local rules that this project added: only these are ever changed or removed.  Pure."""

from .filecontexts import Rule
from .typed import Dict, Sequence, Tuple, Value

Key = Tuple[str, str]


class Owned(Value):
    """A rule of ours, and the socket unit it was added for."""

    rule: Rule
    unit: str


class Record(Value):
    """Our rules: ``rules`` are known to be committed; ``pending`` were about to be committed or removed."""

    rules: Dict[Key, Owned]
    pending: Dict[Key, Owned]

    def ours(self, local: Sequence[Rule]) -> "Dict[Key, Owned]":
        """Return our rules that are in the store unchanged.

        A rule of ours that was changed or removed belongs to the administrator from then on.
        """
        present = {rule.key: rule.context for rule in local}
        return {key: owned for source in (self.pending, self.rules) for key, owned in source.items()
                if present.get(key) == owned.rule.context}

    def settled(self, local: Sequence[Rule]) -> "Dict[Key, Owned]":
        """Return our committed rules, with those that an interrupted run left pending and committed."""
        committed = dict(self.rules)
        committed.update(self.ours(local))
        return committed

    def given_up(self, local: Sequence[Rule]) -> "Dict[Key, Owned]":
        """Return our committed rules that the administrator has changed or removed since."""
        kept = self.ours(local)
        return {key: owned for key, owned in self.rules.items() if key not in kept}


NOTHING = Record({}, {})
