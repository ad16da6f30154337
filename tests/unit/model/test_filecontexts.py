import random
import re

import pytest

from foreman_selinux_helpers.model import filecontexts
from foreman_selinux_helpers.model.filecontexts import ALL_FILES, SOCKET, Rule, escape, literal, matching, parse

TEXT = """# comment
/run/.*\t<<none>>
/run/foo\\.sock  -s  system_u:object_r:foo_t:s0
/run/foo\\.sock  --  system_u:object_r:reg_t:s0
/broken  -x  system_u:object_r:x_t:s0
/four words are too many
/run/bar  --  system_u:object_r:bar_t:s0  # the rest is not read
/run/nul  system_u:object_r:nul_t:s0\0rest of it
"""


def test_parse_knows_file_types_and_lines():
    assert [(one.file_type, one.line) for one in parse(TEXT, "f")] == [
        (ALL_FILES, 2), (SOCKET, 3), ("file", 4), ("file", 7), (ALL_FILES, 8)]


@pytest.mark.parametrize("path", [
    "/run/foo.sock", "/a+b", "/x(1)", "/p$q^r", "/back\\slash", "/with space", "/é", "/{2}",
    "/my app/x y", "/a]b/c", "/a\\b/c", "/(a b)/c", "/é/x", "/wide\u2003space", "/tab\tline\n", "/it's \"\""])
def test_an_escaped_path_matches_itself_alone(path):
    regex = escape(path)
    assert not re.search("[^!-~]|['\"]", regex)
    assert Rule(regex, ALL_FILES, "u:r:t").matches(path)
    assert not Rule(regex, ALL_FILES, "u:r:t").matches(path + "x")
    assert len(list(parse(regex + " u:r:t", "f"))) == 1  # no part of it ends the regex
    assert literal(regex) == path


@pytest.mark.parametrize(("regex", "path"), [
    ("/run/foo\\.sock", "/run/foo.sock"), ("/run/foo.sock", None), ("/run(/.*)?", None), ("/run/foo", "/run/foo")])
def test_literal(regex, path):
    assert literal(regex) == path


@pytest.mark.parametrize(("regex", "path"), [
    ("/run/foos?", "/run/foo"), ("/(var/)?run/x", "/run/x"), ("/a\\.?b", "/ab"), ("/a|/b", "/b"), ("/x{0,1}y", "/y"),
    ("/run/foo\\.sock", "/run/foo.sock"), ("/a\\d", "/a1"), ("/ab*", "/a"), ("/run/[ab]", "/run/b"),
    ("/a(b)?|/c", "/c"), ("/a(b|c)|/d(e)", "/de"), ("/a[|]b", "/a|b"), ("/a\\|b", "/a|b"), ("/a((b|c)d)?", "/a")])
def test_no_match_is_lost_to_the_stem(regex, path):
    assert matching([Rule(regex, ALL_FILES, "u:r:t")], path)


def test_a_broken_regex_matches_nothing():
    assert matching([Rule("/run/(", ALL_FILES, "u:r:t")], "/run/(") == []


def test_contexts():
    assert filecontexts.type_of("system_u:object_r:foo_t:s0:c1.c2") == "foo_t"
    assert filecontexts.type_of("<<none>>") == ""
    assert filecontexts.context_for("foo_t", mls=True) == "system_u:object_r:foo_t:s0"
    assert filecontexts.context_for("foo_t", mls=False) == "system_u:object_r:foo_t"
    assert str(Rule("/a", SOCKET, "u:r:t")) == "/a  -s  u:r:t"


@pytest.mark.filterwarnings("ignore")  # some of them are deprecated
def test_no_match_of_any_regex_is_lost_to_the_stem():
    """Many small regexes, put together at random (the same ones each time), against many paths."""
    pieces = ["/", "a", "b", "\\.", ".", "?", "*", "+", "|", "(", ")", "[ab]", "[^a]", "[|(]", "{0,1}", "\\|", "\\x61",
              "\\d", "(/.*)?", "^", "$"]
    paths = ["", "/", "/a", "/b", "/ab", "/a.b", "/a/b", "a", "b", "/|", "/a|b", "/(", "/1", "//", "/aab/b"]
    chance = random.Random(1)
    matched = 0
    for _ in range(5000):
        rule = Rule("".join(chance.choice(pieces) for _ in range(chance.randint(1, 7))), ALL_FILES, "u:r:t")
        for path in paths:
            if rule.matches(path):
                matched += 1
                assert matching([rule], path), (rule.regex, path)
    assert matched > 500
