import pytest

from foreman_selinux_helpers.equivalence import Equivalences, Substitution, parse

DEBIAN = "# comment\n/lib /usr/lib\n/run/lock /var/lock\n\n  /var/run   /run"
EL = "/run /var/run\n/run/lock /var/lock\n/var/run/lock /var/lock\n"


def dist(text):
    return Equivalences((), parse(text, "subs_dist"))


def test_parse_keeps_lines_and_ignores_the_rest():
    assert parse("\n# /a /b\n/a\n/a /b /c\n\t/x\t/y", "f") == [
        Substitution("/a", "/b", "f", 4), Substitution("/x", "/y", "f", 5)]


@pytest.mark.parametrize(("text", "path", "canonical"), [
    (DEBIAN, "/var/run/foo.sock", "/run/foo.sock"),
    (DEBIAN, "/run/foo.sock", "/run/foo.sock"),
    (DEBIAN, "/run/lock/x", "/var/lock/x"),
    (DEBIAN, "/var/run/lock/x", "/run/lock/x"),  # one substitution a file: no chain
    (DEBIAN, "/var/run", "/run"),
    (DEBIAN, "/var/running/x", "/var/running/x"),
    (DEBIAN, "/var//run///foo.sock/", "/run/foo.sock"),
    (DEBIAN, "/", "/"),
    (EL, "/run/foo.sock", "/var/run/foo.sock"),
    (EL, "/var/run/foo.sock", "/var/run/foo.sock"),
    (EL, "/run/lock/x", "/var/lock/x"),
    ("/a /first\n/a /second\n", "/a/x", "/second/x"),  # the last line counts
    ("/a /\n", "/a/x", "/x"),
    ("/a /\n", "/a", "/"),
])
def test_canonical_path(text, path, canonical):
    assert dist(text).canonical(path) == canonical


def test_local_substitutions_come_first_and_dist_after():
    both = Equivalences(parse("/srv/app /var/run/app\n", "subs"), parse(DEBIAN, "subs_dist"))
    path, used = both.explain("/srv/app/s")
    assert path == "/run/app/s"
    assert [(one.file, one.line) for one in used] == [("subs", 1), ("subs_dist", 5)]


def test_spellings_are_those_that_lead_to_the_path():
    assert dist(DEBIAN).spellings("/run/foo.sock") == ["/var/run/foo.sock"]
    assert dist(EL).spellings("/var/run/foo.sock") == ["/run/foo.sock"]
    assert dist("/a /first\n/a /second\n").spellings("/first/x") == []
