"""The names of ``typing`` that annotations use, and a base class for values, without the cost of importing typing.

A type checker sees the names of ``typing``.  Importing that module, evaluating annotations and defining named
tuples takes a fifth of the time of a run that has nothing to do, in every RPM transaction.
"""

TYPE_CHECKING = False  # type checkers take it for true, by its name
if TYPE_CHECKING:
    from typing import (
        Any,
        Callable,
        Collection,
        Dict,
        FrozenSet,
        Iterable,
        Iterator,
        List,
        Mapping,
        Match,
        NoReturn,
        Optional,
        Pattern,
        Sequence,
        Set,
        Tuple,
        Union,
    )
    from typing import NamedTuple as Value
else:
    try:
        from _collections import _tuplegetter as _getter
    except ImportError:  # Python 3.7
        from operator import itemgetter

        def _getter(index, doc):
            return property(itemgetter(index), doc=doc)

    class _Name:
        """Stands for every type, with or without parameters in brackets."""

        def __getitem__(self, parameters):
            return self

    Any = Callable = Collection = Dict = FrozenSet = Iterable = Iterator = List = Mapping = Match = _Name()
    NoReturn = Optional = Pattern = Sequence = Set = Tuple = Union = Any

    class _ValueType(type):
        def __new__(mcs, name, bases, namespace):
            namespace["__slots__"] = ()
            made = type.__new__(mcs, name, bases, namespace)
            made._fields = tuple(made.__annotations__) if bases != (tuple,) else ()
            made._defaults = {field: namespace[field] for field in made._fields if field in namespace}
            for index, field in enumerate(made._fields):
                setattr(made, field, _getter(index, None))
            return made

    class Value(tuple, metaclass=_ValueType):
        """An immutable value with named fields, as typing.NamedTuple is."""

        def __new__(cls, *given, **named):
            if named or len(given) != len(cls._fields):
                given += cls._others(len(given), named)
            return tuple.__new__(cls, given)

        @classmethod
        def _others(cls, given, named):
            """Return the values of the fields after the first ``given``; raise TypeError for wrong arguments."""
            default = cls._defaults
            try:
                others = tuple([named.pop(name) if name in named else default[name] for name in cls._fields[given:]])
            except KeyError as missing:
                raise TypeError("%s() lacks %s" % (cls.__name__, missing)) from None
            if named or given > len(cls._fields):
                raise TypeError("%s() has the fields %s, and no other" % (cls.__name__, ", ".join(cls._fields)))
            return others

        def _asdict(self):
            """Return a dictionary of the fields and their values."""
            return dict(zip(self._fields, self))

        def _replace(self, **changes):
            """Return a copy with some fields changed."""
            replaced = tuple.__new__(type(self), map(changes.pop, self._fields, self))
            if changes:
                raise TypeError("%s has no %s" % (type(self).__name__, ", ".join(changes)))
            return replaced

        def __repr__(self):
            return "%s(%s)" % (type(self).__name__, ", ".join("%s=%r" % field for field in self._asdict().items()))

__all__ = ["TYPE_CHECKING", "Any", "Callable", "Collection", "Dict", "FrozenSet", "Iterable", "Iterator", "List",
           "Mapping", "Match", "NoReturn", "Optional", "Pattern", "Sequence", "Set", "Tuple", "Union", "Value"]
