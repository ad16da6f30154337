"""Which local rules are ours, as a value: only those are ever changed or removed."""

from .filecontexts import Rule
from .typed import Dict, Sequence, Tuple, Value

Key = Tuple[str, str]


class Owned(Value):
    """A rule of ours: what it says, and the socket unit it was added for."""

    rule: Rule
    unit: str


class Record(Value):
    """What is ours: ``rules`` are known to be committed; ``pending`` were about to be, or to be removed."""

    rules: Dict[Key, Owned]
    pending: Dict[Key, Owned]

    def ours(self, local: Sequence[Rule]) -> "Dict[Key, Owned]":
        """Return what is in the store and still as we wrote it.

        A rule of ours that was changed or removed since is the administrator's from then on.
        """
        present = {rule.key: rule.context for rule in local}
        return {key: owned for source in (self.pending, self.rules) for key, owned in source.items()
                if present.get(key) == owned.rule.context}

    def settled(self, local: Sequence[Rule]) -> "Dict[Key, Owned]":
        """Return what is known to be committed, with what an interrupted run left pending."""
        committed = dict(self.rules)
        committed.update(self.ours(local))
        return committed

    def given_up(self, local: Sequence[Rule]) -> "Dict[Key, Owned]":
        """Return the committed rules of ours that somebody has changed or removed since."""
        kept = self.ours(local)
        return {key: owned for key, owned in self.rules.items() if key not in kept}


NOTHING = Record({}, {})
