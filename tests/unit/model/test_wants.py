"""What is wanted for the sockets of profiles."""

from foreman_selinux_helpers.model import wants
from foreman_selinux_helpers.model.equivalence import Equivalences, parse
from foreman_selinux_helpers.model.profiles import SocketProfile
from foreman_selinux_helpers.model.record import NOTHING
from foreman_selinux_helpers.model.units import SocketUnit

EQUIVALENCES = Equivalences((), parse("/var/run /run\n", "subs_dist"))


def named(profile, *listened):
    unit = SocketUnit("foo.socket", "loaded", "active", listened, None)
    found = wants.wanted([profile], {"foo.socket": unit}, NOTHING, (), EQUIVALENCES)
    return {want.path: want.named for want in found if want.path}


def test_which_paths_a_profile_names_itself():
    profile = SocketProfile("foo.socket", "foo", "foo_t", ("/var/run/foo.sock",), ("/run/bar[0-9]+\\.sock",))
    assert named(profile, "/run/foo.sock", "/var/run/bar1.sock", "/run/other.sock") == {
        "/var/run/foo.sock": True, "/run/foo.sock": True, "/var/run/bar1.sock": True, "/run/other.sock": False}


def test_the_cost_of_a_path_does_not_grow_with_their_number(monkeypatch):
    asked = []
    canonical = Equivalences.canonical
    monkeypatch.setattr(Equivalences, "canonical", lambda self, path: asked.append(path) or canonical(self, path))
    paths = tuple("/run/%d.sock" % number for number in range(1000))
    assert all(named(SocketProfile("foo.socket", "foo", "foo_t", paths)).values())
    assert len(asked) < 5000
