"""A value is what a typing.NamedTuple is: compared with the real one, in all that the project uses of it."""

import sys
from pathlib import Path
from subprocess import check_output
from typing import NamedTuple

import pytest

from foreman_selinux_helpers.model.typed import Any, Callable, Dict, Optional, Tuple, Union, Value

TOP = str(Path(__file__).resolve().parents[3])


def made_from(base):
    class Sample(base):
        """What it is."""

        name: str
        size: "Optional[int]" = None
        parts: "Tuple[int, ...]" = ()

        LIMIT = 3

        @property
        def large(self):
            """Tell whether it is large."""
            return (self.size or 0) > self.LIMIT

        def grown(self, by=1):
            return self._replace(size=self.size + by)

        def __str__(self):
            return "<%s>" % self.name

    return Sample


REAL, OURS = made_from(NamedTuple), made_from(Value)


class Bare(Value):
    """A value without a default."""

    first: int
    second: int


@pytest.mark.parametrize(("given", "named"), [
    (("a",), {}),
    (("a", 1), {}),
    (("a", 9, (1, 2)), {}),
    ((), {"name": "a"}),
    ((), {"size": 9, "name": "a"}),
    (("a",), {"parts": (1,)}),
    (("a", 2), {"parts": None}),
])
def test_it_is_made_and_read_as_a_named_tuple(given, named):
    real, ours = REAL(*given, **named), OURS(*given, **named)
    assert (tuple(ours), ours) == (tuple(real), real)
    assert (hash(ours), len(ours), bool(ours)) == (hash(real), len(real), True)
    assert [ours.name, ours.size, ours.parts, ours.large] == [real.name, real.size, real.parts, real.large]
    assert (repr(ours), str(ours), "%s %s" % ours[:2]) == (repr(real), str(real), "%s %s" % real[:2])
    assert ours._asdict() == dict(real._asdict())
    assert list(ours._asdict()) == list(real._asdict())
    for change in ({}, {"size": 7}, {"name": "b", "parts": 1}):
        assert ours._replace(**change) == real._replace(**change)
        assert type(ours._replace(**change)) is OURS
    assert ours._replace(size=1).grown(2) == real._replace(size=1).grown(2)
    name, *_ = ours
    assert name == "a"


@pytest.mark.parametrize(("given", "named"), [
    ((), {}),
    ((), {"size": 1}),
    (("a", 1, 2, 3), {}),
    (("a",), {"name": "b"}),
    (("a", 1, 2), {"size": 3}),
    (("a",), {"other": 1}),
    (("a", 1, 2), {"other": 1}),
    ((), {"other": 1}),
])
def test_wrong_arguments(given, named):
    for one in (REAL, OURS):
        with pytest.raises(TypeError):
            one(*given, **named)


def test_wrong_arguments_without_defaults():
    assert Bare(1, second=2) == (1, 2)
    for given in ((), (1,), (1, 2, 3)):
        with pytest.raises(TypeError):
            Bare(*given)
    with pytest.raises(TypeError, match="Bare has no third"):
        Bare(1, 2)._replace(third=3)


@pytest.mark.parametrize("made", [REAL, OURS])
def test_it_cannot_be_changed(made):
    one = made("a")
    for name in ("name", "size", "other"):
        with pytest.raises(AttributeError):
            setattr(one, name, 1)
    assert not hasattr(one, "__dict__")
    assert made._fields == ("name", "size", "parts")
    assert (made.__name__, made.__doc__, made.LIMIT) == ("Sample", "What it is.", 3)
    assert isinstance(one, tuple)


def test_annotations():
    def example(one: Optional[Callable[[str], Tuple[Dict[str, Any], ...]]]) -> Union[None, "Bare", Any]:
        """Has them evaluated, up to Python 3.13."""

    assert set(example.__annotations__) == {"one", "return"}


def test_typing_is_not_loaded():
    program = "import sys; from foreman_selinux_helpers.model import typed; print('typing' in sys.modules)"
    assert check_output([sys.executable, "-Sc", program], cwd=TOP).split() == [b"False"]
