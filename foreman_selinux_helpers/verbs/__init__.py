"""The verbs of the command: one module each, imported only when it is used."""

import importlib

from ..model.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from .context import Verb

# In the order in which the help lists them.
NAMES = ("status", "repair", "register", "unregister", "detect", "reexec", "restart", "explain", "stale", "lint")


def load(name: str) -> "Verb":
    """Import the module of a verb and return its declaration."""
    declared: "Verb" = importlib.import_module("." + name, __name__).VERB
    return declared
