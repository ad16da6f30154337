"""The file contexts of a directory as this program reads them, for machines without the binding of libselinux."""

import os
import stat

from ..model import winner
from ..model.equivalence import Equivalences
from ..model.errors import HelperError
from ..model.filecontexts import NONE_CONTEXT
from ..model.typed import Callable, Collection, Optional, Tuple
from . import labelfiles
from .labeldatabase import MODES, LabelDatabase

_NAMES = {mode: name for name, mode in MODES.items()}


class RuleTexts(LabelDatabase):
    """The label database of one root directory; ``order``: how the host's libselinux orders rules."""

    def __init__(self, root: str, policy: str, order: Callable[[], winner.Order] = winner.Order,
                 without: Collection[Tuple[str, str]] = ()) -> None:
        self.directory = os.path.join(root, "etc/selinux", policy, "contexts/files")
        self._order = order
        self._gone = frozenset(without)
        if not os.path.isfile(self.file("")):
            raise HelperError("there are no file contexts %s" % self.file(""))

    def close(self) -> None:
        """Do nothing: the texts are read for each lookup."""

    def lookup(self, path: str, mode: int = stat.S_IFSOCK) -> Optional[str]:
        """Return the context for a path and file type, or None (no rule, or ``<<none>>``)."""
        verdict = self.verdict(path, _NAMES[mode])
        if verdict.undecided:
            raise HelperError("only libselinux can tell whether the regex %s matches %s: install its Python binding"
                              % (verdict.undecided[0].regex, path))
        return verdict.rule.context if verdict.rule and verdict.rule.context != NONE_CONTEXT else None

    def equivalences(self) -> Equivalences:
        """Return the substitutions of the texts."""
        local, dist = (labelfiles.substitutions(self.file(suffix)) for suffix in (".subs", ".subs_dist"))
        return Equivalences(local, dist)

    def verdict(self, path: str, file_type: str) -> winner.Verdict:
        """Return which rule wins for a path, as far as this is known without libselinux."""
        rules = [rule for rule in self.rules() if rule.key not in self._gone]
        return winner.winning(rules, path, file_type, self.equivalences(), winner.Library(None, self._order))
