import pytest

from foreman_selinux_helpers.model import pcre
from foreman_selinux_helpers.model.equivalence import Equivalences, parse
from foreman_selinux_helpers.model.filecontexts import ALL_FILES, FILE_TYPES, NONE_CONTEXT, SOCKET, Rule
from foreman_selinux_helpers.model.filecontexts import parse as parse_rules
from foreman_selinux_helpers.model.winner import Library, Order, contradicted, in_the_way, local_file_type, winning

NONE = Equivalences()
POLICY = """/.*  u:r:root
/run/.*  <<none>>
/run/foo\\.sock  --  u:r:regular
/run/foo\\.sock  -s  u:r:socket
/run/foo\\.so(ck)?  u:r:late
"""
LOCAL = """/run/foo.*  u:r:local1
/run/fo.*  u:r:local2
/run/foo.*  -d  u:r:local3
"""


def rules(policy=POLICY, local=LOCAL):
    return list(parse_rules(policy, "fc")) + list(parse_rules(local, "fc.local"))


def lines(found):
    return [(rule.file, rule.line) for rule in found]


def test_the_order_is_libselinux_s():
    verdict = winning(rules(), "/run/foo.sock", SOCKET, NONE)
    assert lines([verdict.rule]) == [("fc", 4)]  # no special characters; all others yield to it
    assert lines(verdict.beaten) == [("fc.local", 2), ("fc.local", 1), ("fc", 5), ("fc", 2), ("fc", 1)]
    assert lines(verdict.mismatched) == [("fc", 3), ("fc.local", 3)]
    assert (verdict.path, verdict.substitutions, verdict.undecided, verdict.broken) == ("/run/foo.sock", [], [], None)


@pytest.mark.parametrize(("path", "file_type", "line"), [
    ("/run/foo.sock", "file", ("fc", 3)), ("/run/foo.sock", "directory", ("fc.local", 3)),
    ("/run/foo.sock", "pipe", ("fc.local", 2)), ("/run/other", SOCKET, ("fc", 2)), ("/etc", "directory", ("fc", 1))])
def test_the_winner_of_a_file_type(path, file_type, line):
    assert lines([winning(rules(), path, file_type, NONE).rule]) == [line]


def test_none_is_a_winner_and_no_rule_is_none():
    assert winning(rules(), "/run/other", SOCKET, NONE).rule.context == NONE_CONTEXT
    verdict = winning(rules("/run/x u:r:t\n", ""), "/run/y", SOCKET, NONE)
    assert (verdict.rule, verdict.beaten, verdict.mismatched) == (None, [], [])


def test_a_path_is_judged_in_its_canonical_spelling():
    subs = Equivalences(parse("/srv /var/run\n", "subs"), parse("/var/run /run", "subs_dist"))
    verdict = winning(rules(), "/srv//foo.sock/", SOCKET, subs)
    assert verdict.path == "/run/foo.sock"
    assert [(one.file, one.line) for one in verdict.substitutions] == [("subs", 1), ("subs_dist", 1)]
    assert verdict.rule.context == "u:r:socket"
    aliased = winning(rules("/var/run/x u:r:t\n", ""), "/var/run/x", SOCKET, subs)
    assert aliased.rule is None


def test_what_cannot_be_judged_is_asked_or_said():
    given = rules("/run/.*  u:r:a\n/run/fo++  u:r:b\n/run/x++  u:r:c\n", "")
    alone = winning(given, "/run/foo", SOCKET, NONE)
    assert (lines([alone.rule]), lines(alone.undecided)) == ([("fc", 1)], [("fc", 2)])
    asked = []

    def ask(rule, path):
        asked.append((rule.regex, path))
        return True
    verdict = winning(given, "/run//foo", SOCKET, NONE, Library(ask))
    assert (lines([verdict.rule]), verdict.undecided) == ([("fc", 2)], [])
    assert asked == [("/run/fo++", "/run/foo")]  # a literal stem dismisses the other


@pytest.mark.parametrize(("broken", "found"), [
    ("/run/other(  u:r:b", True),
    ("/run/other(  --  u:r:b", False),  # another file type
    ("/etc/other(  u:r:b", False),      # another first directory: libselinux does not come to it
    ("/(  u:r:b", True),
])
def test_a_broken_regex_is_found_where_libselinux_comes_to_it(broken, found):
    given = rules("/run/.*  u:r:a\n%s\n" % broken, "")
    before = winning(given, "/run/foo", SOCKET, NONE, Library(lambda rule, path: None))
    after = in_the_way(before, given, SOCKET, Library(lambda rule, path: None))
    if found:
        assert (after.rule, lines([after.broken]), lines(after.beaten)) == (None, [("fc", 2)], [("fc", 1)])
    else:
        assert after == before
    # One that stands before the winner is never come to.
    given = rules("%s\n/run/.*  u:r:a\n" % broken, "")
    before = winning(given, "/run/foo", SOCKET, NONE, Library(lambda rule, path: None))
    assert in_the_way(before, given, SOCKET, Library(lambda rule, path: None)) == before
    assert lines([before.rule]) == [("fc", 2)]


# As libselinux answers in these versions.
V34 = Order()
V38 = Order(True, True, False, False, True, True)
V39 = Order(True, True, False, True, False, False)


def judged(policy, local, path, order):
    verdict = winning(rules(policy, local), path, SOCKET, NONE, Library(lambda rule, path: True, lambda: order))
    return verdict.rule and verdict.rule.context


@pytest.mark.parametrize(("policy", "local", "answers"), [
    ("/run/foo -s u:r:p\n", "/run/foo u:r:l\n", "lpl"), ("/run/foo u:r:p\n", "/run/foo u:r:l\n", "lpl"),
    ("/run/foo u:r:p\n", "/run/foo -s u:r:l\n", "lll"), ("/run/foo -s u:r:p\n", "/run/foo -s u:r:l\n", "lpl"),
    ("/run/foo -s u:r:older\n/run/foo u:r:newer\n", "", ("newer", "older", "older")),
    ("/run/foo u:r:older\n/run/foo -s u:r:newer\n", "", ("newer", "newer", "older")),
    ("/run/foo u:r:older\n/run/foo u:r:newer\n", "", ("newer", "older", "older")),
    # Regexes: the newest that matches, but <<none>> below more directories ends the search.
    ("/run/foo(/.*)? u:r:p\n", "/ru?n/.* u:r:l\n", "lll"), ("/run/[^/]+ u:r:p\n", "/.* u:r:l\n", "lll"),
    ("/run/[^/]+ <<none>>\n", "/.* u:r:l\n", ("l", None, None)), ("/.* <<none>>\n", "/run/.* u:r:l\n", "lll"),
    ("/run/.* u:r:p\n", "/.* <<none>>\n", (None, None, None)),
    # Escapes that leave a rule literal in all versions, and one that does not.
    ("/run/f\\oo u:r:p\n", "/run/fo* u:r:l\n", "pll"), ("/run/foo u:r:p\n", "/run/fo* u:r:l\n", "ppp"),
])
def test_every_version_has_an_order_of_its_own(policy, local, answers):
    found = [judged(policy, local, "/run/foo", order) for order in (V34, V38, V39)]
    assert found == [NONE_CONTEXT if one is None else "u:r:" + one for one in answers]


def test_the_order_is_asked_only_where_it_matters():
    def never():
        raise AssertionError
    for policy in ("/.* u:r:a\n/run/.* u:r:b\n/run/foo u:r:c\n", "/run/fo+ u:r:a\n", "/run/foo\\.x u:r:a\n"):
        assert winning(rules(policy, ""), "/run/foo", SOCKET, NONE, Library(None, never)).undecided == []


def test_the_beaten_follow_in_the_same_order():
    given = rules("/run/foo u:r:a\n/run/[a-z]+ u:r:b\n/run/foo -s u:r:c\n", "/.* u:r:d\n/run/foo u:r:e\n")

    def found(order):
        verdict = winning(given, "/run/foo", SOCKET, NONE, Library(None, lambda: order))
        return "".join(one.context[-1] for one in [verdict.rule, *verdict.beaten])
    assert [found(order) for order in (V34, V38, V39)] == ["ecadb", "caedb", "eacdb"]


@pytest.mark.parametrize(("policy", "file_types"), [
    ("/run/foo u:r:p\n", [ALL_FILES, SOCKET, ALL_FILES]), ("/run/foo -s u:r:p\n", [ALL_FILES, None, ALL_FILES]),
    ("/run/foo -d u:r:p\n", [ALL_FILES] * 3), ("/run/fo+ u:r:p\n", [ALL_FILES] * 3),
    ("/run/foo u:r:p\n/run/foo -s u:r:q\n", [ALL_FILES, None, ALL_FILES])])
def test_the_file_type_under_which_a_local_rule_wins(policy, file_types):
    found = [local_file_type(rules(policy, ""), "/run/foo", "fc.local", Library(None, lambda order=order: order))
             for order in (V34, V38, V39)]
    assert [file_type for file_type, _ in found] == file_types
    assert [better is None for _, better in found] == [file_type is not None for file_type in file_types]
    assert [order.local_wins for order in (V34, V38, V39)] == [True, False, True]


def test_in_the_tree_libselinux_comes_to_other_regexes():
    def seen(policy, order):
        given = rules(policy, "")
        library = Library(lambda rule, path: None, lambda: order)
        verdict = in_the_way(winning(given, "/run/foo/x", SOCKET, NONE, library), given, SOCKET, library)
        return verdict.broken is not None
    # Below more directories, and older; a literal rule is found without a look at any regex.
    assert [seen("/run/foo/y( u:r:a\n/run/.* u:r:b\n", order) for order in (V34, V39)] == [False, True]
    assert [seen("/run/foo/x u:r:b\n/run/( u:r:a\n", order) for order in (V34, V39)] == [False, False]
    assert [seen("/run/bar/( u:r:a\n/.* u:r:b\n", order) for order in (V34, V39)] == [False, False]
    assert [seen("/.* u:r:b\n/run/bar/( u:r:a\n", order) for order in (V34, V39)] == [True, False]


def test_a_winner_that_contradicts_libselinux_is_none():
    verdict = winning(rules(), "/run/foo.sock", SOCKET, NONE)
    assert contradicted(verdict, "u:r:socket") == verdict
    for answer in ("u:r:local1", None):
        untold = contradicted(verdict, answer)
        assert (untold.rule, untold.untold, untold.beaten) == (None, True, [verdict.rule, *verdict.beaten])
    unlabelled = winning(rules(), "/run/other", SOCKET, NONE)
    assert contradicted(unlabelled, None) == unlabelled
    broken = verdict._replace(rule=None, broken=verdict.rule)
    assert contradicted(broken, None) == broken


@pytest.mark.parametrize(("regex", "path", "expected"), [
    # Where the versions differ, libselinux is asked.
    ("/my\\x20app/x", "/my app/x", None), ("/run/foo/?", "/run/foo", None), ("/run/foo", "/run/foo\n", None),
    ("/run/foo\\.x", "/run/foo.x", True), ("/run/foo\\.x", "/run/foo,x", False), ("/run/fo+", "/run/foo\n", True),
    ("/a//b/c", "/a//b/c", None), ("/a/b", "/a/b/", False), ("/x\\-y/z", "/x-y/z", None), ("x/run/.*", "/run/x", False)])
def test_where_libselinux_has_to_be_asked(regex, path, expected):
    assert Rule(regex, ALL_FILES, "u:r:t").judge(path) is expected


def test_of_ten_thousand_rules_few_are_compiled():
    many = [Rule("/srv/%d/.*\\.sock" % number, ALL_FILES, "u:r:t%d" % number) for number in range(10000)]
    before = pcre._compiled.cache_info().misses
    assert winning(many, "/srv/77/x.sock", SOCKET, NONE).rule.context == "u:r:t77"
    assert pcre._compiled.cache_info().misses - before == 1


@pytest.mark.parametrize(("regex", "path", "expected"), [
    ("/a[[:digit:]]+", "/a12", True), ("/a[^[:digit:]]", "/a1", False), ("/a[[:^digit:]]", "/ab", True),
    ("/a[[:space:][:upper:]]", "/a\v", True), ("/[]a]", "/]", True), ("/[^]a]", "/]", False), ("/[a&&b]", "/&", True),
    ("/a\\x2eb", "/a.b", True), ("/a\\.b", "/axb", False), ("/a.b", "/a\nb", True), ("/a", "/a\n", True),
    ("/a", "/a\n\n", False), ("/a|/b", "/anything", True), ("/a|/b", "/any/b", True), ("/a{2}", "/aa", True),
    ("/a{2,}?", "/aaa", True), ("/(?:a|b)", "/b", True), ("/.", "/\udcff", True), ("/..", "/é", True), ("/\\%", "/%", True),
    # Read in another way by Python, or not at all.
    ("/a++", "/a", None), ("/a{,2}", "/a", None), ("/(?=a)a", "/a", None), ("/(?i)a", "/a", None), ("/(a)\\1", "/aa", None),
    ("/\\h", "/ ", None), ("/\\Qa\\E", "/a", None), ("/\\x4", "/\x04", None), ("/\\07", "/\x07", None), ("/\\Z", "/", None),
    ("/[a-\\d]", "/-", None), ("/[a-[:digit:]]", "/-", None), ("/[[:foo:]]", "/f", None), ("/[:a:]", "/a", None),
    ("/a{2}{3}", "/aaaaaa", None), ("/(*ACCEPT)", "/", None), ("/é", "/é", None), ("/a{5000}", "/a", None),
    ("/" + "(" * 101 + ")" * 101, "/", None),
    # Perhaps broken, perhaps not: not for us to say.
    ("/(", "/(", None), ("/[", "/[", None), ("/a**", "/a", None), ("/a{2,1}", "/a", None), ("/|*", "/", None),
])
def test_a_regex_is_read_as_pcre_reads_it_or_not_at_all(regex, path, expected):
    assert pcre.matches(regex, path) is expected
    assert pcre.compiles(regex) is (expected is not None)


@pytest.mark.parametrize(("regex", "special"), [
    ("/run/foo\\.sock", False), ("/run/foo.sock", True), ("/run/\\d", False), ("/run/\\\\.", True), ("/a]", False),
    ("/a[", True), ("/a\\", False)])
def test_what_counts_as_special(regex, special):
    assert Rule(regex, ALL_FILES, "u:r:t").special is special


@pytest.mark.parametrize(("regex", "path", "expected"), [
    ("/my\\x20app/x", "/my app/x", False), ("/my[\\x20]app/x", "/my app/x", True), ("/my\\x20app", "/my app", True),
    ("/run/?", "/run", False), ("/run(/.*)?", "/run", True), ("/a\\.b/c", "/a.b/c", True), ("/a\\-b/c", "/a-b/c", False)])
def test_a_backslash_in_the_first_directory(regex, path, expected):
    assert Rule(regex, ALL_FILES, "u:r:t").matches(path) is expected


def test_every_file_type_has_a_name():
    from foreman_selinux_helpers.doors.labeldatabase import MODES

    assert set(MODES) == set(FILE_TYPES.values()) - {ALL_FILES}
