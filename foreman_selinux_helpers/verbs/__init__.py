"""The verbs of the command: each is one module of this package, imported only when it is asked for."""

import importlib

from ..model.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from .context import Verb

# In the order in which the help lists them.
NAMES = ("status", "repair", "register", "unregister", "detect", "reexec", "restart", "explain", "stale", "lint")


def load(name: str) -> "Verb":
    """Import the module of a verb and return what it declares."""
    declared: "Verb" = importlib.import_module("." + name, __name__).VERB
    return declared
