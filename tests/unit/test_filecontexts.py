import re

import pytest

from foreman_selinux_helpers import filecontexts
from foreman_selinux_helpers.filecontexts import ALL_FILES, SOCKET, Rule, escape, literal, matching, parse

TEXT = """# comment
/run/.*\t<<none>>
/run/foo\\.sock  -s  system_u:object_r:foo_t:s0
/run/foo\\.sock  --  system_u:object_r:reg_t:s0
/broken  -x  system_u:object_r:x_t:s0
/four words are too many
"""


def test_parse_knows_file_types_and_lines():
    assert [(one.file_type, one.line) for one in parse(TEXT, "f")] == [(ALL_FILES, 2), (SOCKET, 3), ("file", 4)]


@pytest.mark.parametrize("path", [
    "/run/foo.sock", "/a+b", "/x(1)", "/p$q^r", "/back\\slash", "/with space", "/é", "/{2}"])
def test_an_escaped_path_matches_itself_alone(path):
    regex = escape(path)
    assert re.match(regex + "\\Z", path)
    assert not re.match(regex + "\\Z", path + "x")
    assert not re.search(r"\s", regex)


@pytest.mark.parametrize(("regex", "path"), [
    ("/run/foo\\.sock", "/run/foo.sock"), ("/run/foo.sock", None), ("/run(/.*)?", None), ("/run/foo", "/run/foo")])
def test_literal(regex, path):
    assert literal(regex) == path


@pytest.mark.parametrize(("regex", "path"), [
    ("/run/foos?", "/run/foo"), ("/(var/)?run/x", "/run/x"), ("/a\\.?b", "/ab"), ("/a|/b", "/b"), ("/x{0,1}y", "/y"),
    ("/run/foo\\.sock", "/run/foo.sock"), ("/a\\d", "/a1"), ("/ab*", "/a"), ("/run/[ab]", "/run/b")])
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
