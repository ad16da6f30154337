import time

import pytest

from foreman_selinux_helpers.lint.fcsource import Condition, SourceRule, parse


def rules(text):
    source = parse(text)
    assert source.problem is None
    return [(one.line, one.regex, one.file_type, one.context) for one in source.rules]


@pytest.mark.parametrize(("line", "rule"), [
    ("/etc/foreman(/.*)?\t\tgen_context(system_u:object_r:foreman_config_t,s0)",
     ("/etc/foreman(/.*)?", "", "gen_context(system_u:object_r:foreman_config_t,s0)")),
    ("  /run/a  -s  gen_context(system_u:object_r:a_t, s0)  ", ("/run/a", "-s", "gen_context(system_u:object_r:a_t, s0)")),
    ("/run/a -- gen_context(system_u:object_r:a_t)", ("/run/a", "--", "gen_context(system_u:object_r:a_t)")),
    ("/dev/a -b gen_context(system_u:object_r:a_t,mls_systemhigh)",
     ("/dev/a", "-b", "gen_context(system_u:object_r:a_t,mls_systemhigh)")),
    ("/run/.* <<none>>", ("/run/.*", "", "<<none>>")),
    ("/run/a -- system_u:object_r:a_t:s0", ("/run/a", "--", "system_u:object_r:a_t:s0")),
    ("HOME_DIR/\\.ssh(/.*)? gen_context(system_u:object_r:ssh_home_t,s0)",
     ("HOME_DIR/\\.ssh(/.*)?", "", "gen_context(system_u:object_r:ssh_home_t,s0)")),
    ("HOME_ROOT/%{USERNAME}/x-USER -d gen_context(USER:object_r:a_t,s0)",
     ("HOME_ROOT/%{USERNAME}/x-USER", "-d", "gen_context(USER:object_r:a_t,s0)")),
    ("/usr/`include'(/.*)? gen_context(system_u:object_r:usr_t,s0)",
     ("/usr/include(/.*)?", "", "gen_context(system_u:object_r:usr_t,s0)")),
    ("/lib(64)?/a gen_context(system_u:object_r:a_t,s0)", ("/lib(64)?/a", "", "gen_context(system_u:object_r:a_t,s0)")),
    ("/a gen_context(system_u:object_r:a_t,s0) dnl why\n", ("/a", "", "gen_context(system_u:object_r:a_t,s0)")),
    ("/a\tgen_context(system_u:object_r:a_t,s0)\r", ("/a", "", "gen_context(system_u:object_r:a_t,s0)")),
    # What is wrong is kept as it is, for others to judge.
    ("/a", ("/a", "", "")),
    ("/a -f gen_context(system_u:object_r:a_t,s0)", ("/a", "-f", "gen_context(system_u:object_r:a_t,s0)")),
    ("/a gen_context(system_u:object_r:a_t,s0", ("/a", "", "gen_context(system_u:object_r:a_t,s0")),
    ("/a u:r:t # why", ("/a", "", "u:r:t # why")),
    ("/a#b u:r:t", ("/a#b", "", "u:r:t")),
    ("/a u:r:t dnl why", ("/a", "", "u:r:t dnl why")),  # joins the next line to this one
])
def test_a_line(line, rule):
    after = 4 + line.count("\n")
    assert rules("# a comment isn't a quote\n\n%s\n/z u:r:t\n" % line) == [(3, *rule), (after, "/z", "", "u:r:t")]
    if "dnl" not in line:
        assert rules(line) == [(1, *rule)]


@pytest.mark.parametrize("text", ["", "\n \t\n", "# /a u:r:t\n", "dnl /a u:r:t\n", "\t# x", "define(`a', `/b u:r:t')\n",
                                  "ifdef(`a',`\n# ifdef(\n')", "some_macro(`/a u:r:t')"])
def test_no_rule(text):
    assert rules(text) == []


BLOCKS = """/always u:r:t
ifdef(`distro_redhat',`
/redhat u:r:t
ifndef(`inner', `
/deep u:r:t
')
',`
/other u:r:t
') dnl end
ifdef(`x',` /inline u:r:t ')
optional_policy(`
# a comment
/optional u:r:t
')
tunable_policy(`b && c',` /tuned u:r:t ', `
/untuned u:r:t')
ifelse(A, `1', `
/one u:r:t', A, `2', `
/two u:r:t', `
/three u:r:t')
/last u:r:t
"""


def test_both_branches_of_a_conditional_are_kept_with_what_they_need():
    source = parse(BLOCKS)
    assert source.problem is None
    assert {one.regex: (one.line, {(each.name, each.holds) for each in one.conditions}) for one in source.rules} == {
        "/always": (1, set()),
        "/redhat": (3, {("distro_redhat", True)}),
        "/deep": (5, {("distro_redhat", True), ("inner", False)}),
        "/other": (8, {("distro_redhat", False)}),
        "/inline": (10, {("x", True)}),
        "/optional": (13, {("optional_policy in line 11", True)}),
        "/tuned": (15, {("b && c", True)}),
        "/untuned": (16, {("b && c", False)}),
        "/one": (18, {("A = 1", True)}),
        "/two": (19, {("A = 1", False), ("A = 2", True)}),
        "/three": (20, {("A = 1", False), ("A = 2", False)}),
        "/last": (21, set()),
    }


@pytest.mark.parametrize(("text", "line", "reason", "before"), [
    ("/a u:r:t\nifdef(`x',`\n/b u:r:t\n", 2, "never closed", ["/a"]),
    ("/a u:r:t\n\nifdef(x, /b\n", 3, "ifdef() is never closed", ["/a"]),
    ("/a u:r:t\n/b `u:r:t\n", 2, "never closed", ["/a"]),
    ("/a u:r:t\n')\n/b u:r:t", 2, "closes no quote", ["/a"]),
    ("ifdef(`x',`\n# it's\n/b u:r:t\n')\n/c u:r:t\n", 4, "closes no quote", ["s", "/b"]),
    ("ifdef(`x',`" * 60 + "/a u:r:t" + "')" * 60, 1, "nested deeper", []),
])
def test_a_file_that_is_cut_off_says_where(text, line, reason, before):
    source = parse(text)
    assert source.problem is not None
    assert source.problem.line == line
    assert reason in source.problem.reason
    assert [one.regex for one in source.rules] == before


def test_quotes_round_a_word_are_remembered():
    (quoted, plain) = parse("/usr/`index' u:r:t\n/usr/x u:r:t\n").rules
    assert (quoted.quoted, plain.quoted) == (True, False)
    assert plain == SourceRule(2, "/usr/x", "", "u:r:t")
    assert Condition("a", True) != Condition("a", False)


LONG = {
    "word": "x" * 300000, "words": "/a b c " * 40000, "calls": "ifdef(`" * 20000, "quotes": "`" * 300000,
    "parentheses": "(" * 300000, "context": "/x gen_context(" + "a," * 100000, "comment": "#" * 300000,
    "macros": "a(" * 100000, "empty": "`'" * 100000, "deep": "ifdef(`a',`" * 39 + "/a b " * 20000 + "')" * 39,
    "lines": "\n" * 300000, "stray": "/a '" * 50000, "rules": "/a u:r:t\n" * 50000}


@pytest.mark.parametrize("name", sorted(LONG))
def test_nothing_takes_long(name):
    """Some hundred thousand characters take a moment; the square of that would be hours."""
    start = time.process_time()
    parse(LONG[name])
    assert time.process_time() - start < 5
