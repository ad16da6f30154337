import pytest

from foreman_selinux_helpers.model.equivalence import Equivalences, Substitution, fault, parse

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


@pytest.mark.parametrize(("text", "path", "canonical", "ambiguous"), [
    (EL, "/run/lock/x", "/var/run/lock/x", True), ("/a /first\n/a /second\n", "/a/x", "/first/x", True),
    ("/a/b /second\n/a /first\n", "/a/b/x", "/second/x", True), (DEBIAN, "/run/lock/x", "/var/lock/x", False),
    ("/a /b\n/ab /c\n/b /a\n", "/ab/x", "/c/x", False), ("", "/a", "/a", False),
])
def test_the_first_line_counts_in_libselinux_3_8(text, path, canonical, ambiguous):
    """It is asked for that only where it matters."""
    asked = []

    def first_counts():
        asked.append(path)
        return True

    lines = parse(text, "subs")
    assert Equivalences((), lines, first_counts).canonical(path) == canonical
    assert Equivalences(lines, (), first_counts).canonical(path) == canonical
    assert bool(asked) == ambiguous
    assert (dist(text).canonical(path) == canonical) == (not ambiguous)


def test_spellings_are_those_that_lead_to_the_path():
    assert dist(DEBIAN).spellings("/run/foo.sock") == ["/var/run/foo.sock"]
    assert dist(EL).spellings("/var/run/foo.sock") == ["/run/foo.sock"]
    assert dist("/a /first\n/a /second\n").spellings("/first/x") == []


@pytest.mark.parametrize(("local", "text", "path", "spellings", "reached"), [
    # Within a file one substitution is made, and no other to what came of it.
    ("/srv/www /var/www\n/opt/app /srv/www/app\n", "", "/srv/www/app/x", ["/opt/app/x"], True),
    ("/srv/www /var/www\n/opt/app /srv/www/app\n", "", "/var/www/app/x", ["/srv/www/app/x"], True),
    ("/srv/www /var/www\n", "", "/srv/www/app/x", [], False),
    # The distribution's follows the administrator's.
    ("/a /b\n", "/b /c\n", "/c/x", ["/b/x", "/a/x"], True), ("/a /b\n", "/b /c\n", "/b/x", [], False),
    ("/a /b\n/b /d\n", "/b /c\n", "/c/x", ["/a/x"], True),
])
def test_substitutions_that_chain(local, text, path, spellings, reached):
    both = Equivalences(parse(local, "subs"), parse(text, "subs_dist"))
    assert both.spellings(path) == spellings
    assert both.reaches(path) is reached
    assert both.reaches("/elsewhere") is True


@pytest.mark.parametrize(("text", "found"), [
    ("/a /b\0/c\n", [("/a", "/b", 1)]), ("/a\0 /b\n", []), ("/a /b\r\n/c\t/d", [("/a", "/b", 1), ("/c", "/d", 2)]),
    ("/a /b # words\n  # /c /d\n", [("/a", "/b", 1)]), ("/a\u2003/b /c\n", [("/a\u2003/b", "/c", 1)]),
    ("/\udcff /b\n", [("/\udcff", "/b", 1)]), ("", []), ("\n\n", []), ("\x7fELF\0\1\2 x\n\udcff", []),
    # The rest of a long line is read as a line of its own, even of a comment.
    ("#%s/a /b\n/c /d" % ("x" * 1021), [("/a", "/b", 1), ("/c", "/d", 2)]),
    ("/a /%s /c\n" % ("b" * 3000), [("/a", "/" + "b" * 1018, 1), ("b" * 960, "/c", 1)]),
])
def test_what_is_read_of_odd_files(text, found):
    assert parse(text, "f") == [Substitution(source, target, "f", line) for source, target, line in found]


@pytest.mark.parametrize(("text", "line"), [
    ("/a /b\n/c", 2), ("/a", 1), ("/a /b", 0), ("/a\n", 0), ("/a /b\n\n  #c", 0), ("", 0), ("/a /b\n  ", 0), ("/a\n# /b", 0),
    ("/a\n#b", 0), ("/a\n/b /c", 0), ("/a\t", 0)])
def test_a_last_line_that_is_cut_off(text, line):
    said = fault(text, "f")
    assert (said.split()[0] if said else None) == ("f:%d:" % line if line else None)


@pytest.mark.parametrize(("text", "path", "canonical"), [
    ("/a/ /b\n", "/a/x", "/a/x"), ("/a /b/\n", "/a/x", "/b//x"), ("/a b\n", "/a/x", "b/x"), ("/ /b\n", "/x", "/x"),
    ("/ /b\n", "/", "/b"), ("/a/b /d\n/a /c\n", "/a/b/x", "/c/b/x"), ("/é /e\n", "/é/%s x\n", "/e/%s x\n")])
def test_odd_substitutions(text, path, canonical):
    assert dist(text).canonical(path) == canonical
