"""Rules that match nothing for their slashes.  That libselinux agrees is in the store tests."""

import random

import pytest

from foreman_selinux_helpers.lint.slashes import never_matches, with_slashes_mended
from foreman_selinux_helpers.model import pcre

from .test_lint import _words


@pytest.mark.parametrize(("regex", "mended"), [
    ("/run/foo/(/.*)?", "/run/foo(/.*)?"), ("/run/bar/", "/run/bar"), ("/run//x", "/run/x"), ("//", "/"), ("/.*/", "/.*"),
    ("/run/(a/)?/b", "/run/(a/)?b"), ("/run/+", "/run"), ("HOME_DIR/", "HOME_DIR"), ("/%{USERNAME}/", "/%{USERNAME}"),
    ("/a(/)", "/a"), ("/foo/(/.*)", "/foo(/.*)"), ("/a[^/]//.*", "/a[^/]/.*"), ("/a/(?:/x)?", "/a(?:/x)?"),
    ("/a\\//b", "/a/b"), ("/a/(/b)?/", "/a(/b)?"), ("/a/(/b|c)/", "/a/(/b|c)"), ("/a///(/.*)?", "/a(/.*)?"),
    ("/run/foo\\.d/(/.*)?", "/run/foo\\.d(/.*)?"), ("/a\\d//b", "/a\\d/b"), ("/a{2}/", "/a{2}"), ("/(a|b//)/c//", "/(a|b/)/c"),
    # What was meant is not known.
    ("/run/(a/|b/)", None), ("/run/[/]x", None), ("/a\\x2f/b", None), ("/a/[/]+b", None), ("/a/(b/)?", None), ("/a/(b/)*", None)])
def test_what_never_matches(regex, mended):
    assert never_matches(regex)
    assert with_slashes_mended(regex) == (mended or regex)


@pytest.mark.parametrize("regex", [
    "/", "/a", "/run/bar/?", "/run/bar(/)?", "/run/[/a]x", "/run/[^/]x", "/run/(a|b/)", "/run/a|/run/b/", "/run/a/|/run/b", "/a//?b",
    "/a/(/b|c)", "/a/|/b//c|/d/", "/a/{0,2}b", "/a/*b", "/run/+x", "/(.*/)?", "/.*", "/a/.", "/a/[[:punct:]]?b", "(/.*)?", "/a(/.*)?",
    "/a/(x|)b", "/^a//$x", "/a/\\Wb",
    # What cannot be judged may match.
    "/a/\\Qb\\E//", "/a/(?=b)/", "/a/(?i)/", "/a/\\h/", "/a/{,2}/b", "/a/(/", "/a)//b"])
def test_what_may_match(regex):
    assert not never_matches(regex)
    assert with_slashes_mended(regex) == regex


PIECES = ["/", "/", "a", "(", ")", "(/", "/)", "|", "?", "*", "+", "[/]", "[^/]", "[/a]", ".", "{2}", "{0,1}", "\\/", "\\x2f", "//"]


def test_no_path_that_is_looked_up_is_matched():
    """Regexes put together at random (the same ones each time), tried on every short path."""
    chance = random.Random(1)
    paths = [one for one in ("/" + text for text in _words("a/", 6)) if "//" not in one and (one == "/" or one[-1] != "/")]
    never = mended = 0
    for _ in range(8000):
        regex = "/" + "".join(chance.choice(PIECES) for _ in range(chance.randint(1, 6)))
        if not pcre.compiles(regex):
            continue
        matched = [one for one in paths if pcre.matches(regex, one)]
        if never_matches(regex):
            never += 1
            assert matched == [], regex
            right = with_slashes_mended(regex)
            if right != regex:
                mended += 1
                assert not never_matches(right), (regex, right)
    assert never > 500
    assert mended > 250


def test_little_that_never_matches_is_missed():
    """In these regexes nothing is out of the ordinary, and short paths tell everything."""
    chance = random.Random(2)
    pieces = ["/", "a", "(/", "(a", ")", ")?", "|", "/?", "a?"]
    paths = [one for one in ("/" + text for text in _words("a/", 8)) if "//" not in one and (one == "/" or one[-1] != "/")]
    compared = 0
    for _ in range(4000):
        regex = "/" + "".join(chance.choice(pieces) for _ in range(chance.randint(1, 5)))
        if not pcre.compiles(regex) or regex.count("a") > 4:
            continue
        compared += 1
        assert never_matches(regex) == (not any(pcre.matches(regex, one) for one in paths)), regex
    assert compared > 1000
