import random
import time

import pytest

from foreman_selinux_helpers.lint import fcsource, judge
from foreman_selinux_helpers.lint.judge import SocketPath, spelt_out
from foreman_selinux_helpers.lint.targets import NAMES, TARGETS, Target
from foreman_selinux_helpers.model import pcre
from foreman_selinux_helpers.model.equivalence import Equivalences, parse

ALL = list(TARGETS.values())
OLD, NEW = ["el7", "el8", "el9"], ["el10", "fedora", "debian"]
CONTEXT = "gen_context(system_u:object_r:foo_t,s0)"
SOCKET_CONTEXT = "gen_context(system_u:object_r:foreman_var_run_t,s0)"


def findings(text, targets=ALL, sockets=(), has_type=None):
    source = fcsource.parse(text)
    assert source.problem is None
    return judge.lint(source.rules, targets, sockets, has_type)


def codes(text, **more):
    return [(one.line, one.code) for one in findings(text, **more)]


def mended(text, **more):
    """Return the text with every suggestion written in place of its line."""
    lines = text.split("\n")
    for one in findings(text, **more):
        if one.suggestion is not None:
            lines[one.line - 1] = one.suggestion
    return "\n".join(lines)


def targets(*names):
    return [TARGETS[name] for name in names]


# -- what really shipped -----------------------------------------------------------------------


def test_the_first_rule_for_the_socket_of_foreman():
    """foreman-selinux 7a8c5ab: for regular files, and on the side that EL 8 never looks at."""
    text = "/run/foreman\\.sock                              --  %s\n" % SOCKET_CONTEXT
    found = findings(text)
    assert [(one.code, one.targets) for one in found] == [
        ("aliased-path", OLD), ("regular-file-only", OLD + NEW)]
    assert {one.suggestion for one in found} == {
        "/run/foreman\\.sock  -s  %s\n/var/run/foreman\\.sock  -s  %s" % (SOCKET_CONTEXT, SOCKET_CONTEXT)}
    assert codes(mended(text)) == []
    (first, second) = findings(text, targets=targets("el8"))
    assert first.suggestion == second.suggestion == "/var/run/foreman\\.sock  -s  %s" % SOCKET_CONTEXT


def test_the_second_rule_for_the_socket_of_foreman():
    """foreman-selinux a74b248: for all files, on the wrong side still."""
    text = "/run/foreman\\.sock    %s\n" % SOCKET_CONTEXT
    (found,) = findings(text)
    assert (found.line, found.code, found.targets) == (1, "aliased-path", OLD)
    assert "/run stands for /var/run" in found.message
    assert codes(mended(text)) == []


FOREMAN = """# Foreman and Ruby on Rails

/etc/systemd/system/foreman.*                   --  gen_context(system_u:object_r:foreman_rails_unit_file_t,s0)
/usr/lib/systemd/system/foreman.*               --  gen_context(system_u:object_r:foreman_rails_unit_file_t,s0)
/etc/foreman(/.*)?                                  gen_context(system_u:object_r:foreman_config_t,s0)
/var/log/foreman(/.*)?                              gen_context(system_u:object_r:foreman_log_t,s0)
/var/run/foreman(/.*)?                              gen_context(system_u:object_r:foreman_var_run_t,s0)
/var/run/foreman\\.sock                              gen_context(system_u:object_r:foreman_var_run_t,s0)
/usr/share/foreman/bin/rails                    --  gen_context(system_u:object_r:foreman_rails_exec_t,s0)
"""
PULPCORE = """/var/lib/pulp(/.*)?\t\t\tgen_context(system_u:object_r:pulpcore_var_lib_t,s0)
/var/run/pulpcore-api(/.*)?\t\tgen_context(system_u:object_r:pulpcore_server_var_run_t,s0)
/var/run/pulpcore-(api|content)\\.sock\tgen_context(system_u:object_r:pulpcore_server_var_run_t,s0)
/var/run/pulpcore.*\t\t\tgen_context(system_u:object_r:pulpcore_var_run_t,s0)
"""


@pytest.mark.parametrize(("text", "lines"), [(FOREMAN, [7, 8]), (PULPCORE, [2, 3, 4])])
def test_what_foreman_and_pulpcore_ship_today(text, lines):
    for name in OLD:
        assert codes(text, targets=targets(name)) == []
    for name in NEW:
        assert codes(text, targets=targets(name)) == [(line, "aliased-path") for line in lines]
    found = findings(text)
    assert [(one.line, one.targets) for one in found] == [(line, NEW) for line in lines]
    assert "el7, el8, el9" in found[0].message  # where both spellings have to be written
    assert codes(mended(text)) == []


# -- aliased-path ------------------------------------------------------------------------------


@pytest.mark.parametrize(("rule", "target", "suggestion"), [
    ("/var/run/a(/.*)?", "el10", "/run/a(/.*)?"), ("/var/run(/.*)?", "fedora", "/run(/.*)?"),
    ("/var/run", "el10", "/run"), ("/run/a[0-9]", "el9", "/var/run/a[0-9]"), ("/run/(a|b)/c", "el7", "/var/run/(a|b)/c"),
    ("/run/lock/a", "el8", "/var/lock/a"), ("/var/lock/a", "fedora", "/run/lock/a"),
    ("/run/systemd/generator\\.late/a", "fedora", "/run/systemd/generator/a"),
    ("/etc/init\\.d/a", "debian", "/etc/rc\\.d/init\\.d/a"), ("/lib64/a", "el8", "/usr/lib/a"),
    ("/var/run/a\\.b", "host", "/a\\.b"),
])
def test_a_rule_on_the_substituted_side(rule, target, suggestion):
    root = Target("host", Equivalences(parse("/var/run /\n", "subs"), ()))
    (found,) = findings("%s -d %s" % (rule, CONTEXT), targets=[TARGETS.get(target, root)])
    assert (found.code, found.suggestion) == ("aliased-path", "%s  -d  %s" % (suggestion, CONTEXT))


@pytest.mark.parametrize("rule", [
    "/var/run/a", "/(var/)?run/a", "/var/(run|lib)/a", "/r[u]n/a", "/running/a", "/run.*", "/run-a", "/run(a|/b)",
    "/.*", "/runs?/a", "HOME_DIR/run", "/srv/a|/run/b"])
def test_what_is_not_certainly_substituted(rule):
    assert codes("%s %s" % (rule, CONTEXT), targets=targets("el8")) == []


@pytest.mark.parametrize("text", [
    "/run/a CTX\n/var/run/a CTX", "/etc/systemd/system/a -- CTX\n/usr/lib/systemd/system/a -- CTX",
    "ifdef(`x',`\n/run/a CTX\n/var/run/a CTX\n')"])
def test_both_spellings_are_right_everywhere(text):
    assert codes(text.replace("CTX", CONTEXT)) == []


@pytest.mark.parametrize("text", ["/run/a -s CTX\n/var/run/a CTX", "ifdef(`x',`/run/a CTX')\n/var/run/a CTX"])
def test_a_spelling_that_covers_more_is_right_on_its_side(text):
    assert codes(text.replace("CTX", CONTEXT), targets=targets("el7", "el8", "el9")) == []
    assert codes(text.replace("CTX", CONTEXT), targets=targets("el10")) == [(2, "aliased-path")]


@pytest.mark.parametrize("text", [
    "/run/a CTX\n/var/run/a gen_context(system_u:object_r:other_t,s0)", "/run/a CTX\n/var/run/a -s CTX",
    "ifdef(`x',`/run/a CTX',`/var/run/a CTX')", "/run/a CTX\nifdef(`x',`/var/run/a CTX')"])
def test_another_spelling_that_says_something_else_does_not_help(text):
    assert {one.code for one in findings(text.replace("CTX", CONTEXT))} == {"aliased-path"}


def test_the_link_that_is_substituted_has_no_other_spelling():
    assert codes("/var/run -l %s\n/bin -l %s" % (CONTEXT, CONTEXT)) == []


def test_a_rule_of_another_distribution_is_not_judged():
    text = "ifdef(`distro_debian',`\n/run/a CTX\n',`\n/var/run/a CTX\n')\nifdef(`distro_suse',`\n/run/b((( CTX\n')\n"
    found = findings(text.replace("CTX", CONTEXT))
    assert [(one.line, one.code, one.targets) for one in found] == [(4, "aliased-path", ["el10", "fedora"])]
    unknown = Target("host", TARGETS["el8"].equivalences)
    assert [one.line for one in findings(text.replace("CTX", CONTEXT), targets=[unknown])] == [2, 7]


def test_both_faults_of_one_rule_are_told_and_mended():
    """foreman.fc before a74b248, on the one release that it was for."""
    text = "/run/foreman\\.sock -- %s" % SOCKET_CONTEXT
    found = findings(text, targets=targets("el8"))
    assert [one.code for one in found] == ["aliased-path", "regular-file-only"]
    assert [one.severity for one in found] == ["error", "error"]
    assert {one.suggestion for one in found} == {"/var/run/foreman\\.sock  -s  %s" % SOCKET_CONTEXT}


def test_what_varrun_convert_may_do_is_said_where_it_is():
    (found,) = findings("/var/run/a\\.b %s" % CONTEXT)
    assert found.targets == NEW
    assert "on el10, fedora an update" in found.message
    assert "varrun-convert.sh" in found.message
    assert "module extra_varrun, priority 400) without its backslashes" in found.message
    (plain,) = findings("/var/run/a(/.*)? %s" % CONTEXT, targets=targets("fedora"))
    assert "varrun-convert.sh" in plain.message
    assert "backslashes" not in plain.message
    for text, names in (("/var/run/a %s", ["debian"]), ("/var/lock/a %s", ["el10"]), ("/run/a %s", ["el8"]),
                        ("/var/run/a %s\n/run/a %s", ["el10"])):
        for one in findings(text.replace("%s", CONTEXT), targets=targets(*names)):
            assert "varrun-convert" not in one.message
    own = Target("host", TARGETS["el10"].equivalences, converts_var_run=True)
    assert "varrun-convert" in findings("/var/run/a %s" % CONTEXT, targets=[own])[0].message


def test_minor_releases_of_el_9():
    (found,) = findings("/bin/a -- %s" % CONTEXT, targets=targets("el9"))
    assert found.message.startswith("on EL 9.4 and later /bin stands for /usr/bin, so")
    assert "on EL 9.3, EL 9.2 it matches" in found.message
    assert found.suggestion == "/bin/a  --  %s\n/usr/bin/a  --  %s" % (CONTEXT, CONTEXT)
    assert codes(found.suggestion, targets=targets("el9")) == []
    early = findings("/run/systemd/generator.early/a -d %s" % CONTEXT.replace("foo", "bar"), targets=targets("el9"))
    assert [(one.code, one.message.split(" /")[0]) for one in early if one.code == "aliased-path"] == [
        ("aliased-path", "on EL 9.2"), ("aliased-path", "on EL 9.4 and later, EL 9.3")]
    (same,) = findings("/run/a %s" % CONTEXT, targets=targets("el9"))
    assert "EL 9" not in same.message
    (every,) = [one for one in findings("/bin/a -- %s" % CONTEXT) if "el9" in one.targets]
    assert "on el7, el8, EL 9.3, EL 9.2 it matches" in every.message
    assert [one.name for one in ALL if one.earlier] == ["el9"]
    sources = {release: {one.source for one in equivalences.dist} for release, equivalences in TARGETS["el9"].releases()}
    assert sources["el9"] - sources["EL 9.3"] == {"/bin"}
    assert sources["EL 9.3"] - sources["EL 9.2"] == {"/run/systemd/generator.early"}


def test_substitutions_that_chain_end_at_the_real_path():
    (found,) = findings("/var/run/lock/a %s" % CONTEXT, targets=targets("debian"))
    assert found.suggestion == "/var/lock/a  " + CONTEXT
    assert "/var/run stands for /run and /run/lock stands for /var/lock" in found.message
    (middle,) = findings("/run/lock/a %s" % CONTEXT, targets=targets("debian"))
    assert middle.message.endswith("looks for a path that this rule matches only when asked for /var/run/lock/a")
    loop = Target("host", Equivalences(parse("/a /b\n/b /a\n", "subs"), ()))
    assert codes("/a/x %s\n/b/x %s" % (CONTEXT, CONTEXT), targets=[loop]) == []


# -- never-matches -----------------------------------------------------------------------------


@pytest.mark.parametrize(("regex", "right"), [
    ("/srv/foo/(/.*)?", "/srv/foo(/.*)?"), ("/srv/bar/", "/srv/bar"), ("/srv//x", "/srv/x"), ("/srv/(a/|b/)", None),
    ("HOME_DIR/", "HOME_DIR")])
def test_slashes_that_are_never_looked_up(regex, right):
    (found,) = findings("%s %s" % (regex, CONTEXT))
    assert (found.code, found.severity, found.targets) == ("never-matches", "error", OLD + NEW)
    assert found.suggestion == (right and "%s  %s" % (right, CONTEXT))
    assert not right or codes(found.suggestion) == []


def test_slashes_dots_and_the_wrong_side_at_once():
    found = findings("/run//foo.d/(/.*)? %s" % CONTEXT, targets=targets("el8"))
    assert [one.code for one in found] == ["aliased-path", "never-matches", "unescaped-dot"]
    assert {one.suggestion for one in found} == {"/var/run/foo\\.d(/.*)?  " + CONTEXT}
    every = findings("/srv/a.sock/ -- %s" % CONTEXT, targets=targets("el8"))
    assert [one.code for one in every] == ["never-matches", "regular-file-only", "unescaped-dot"]
    assert {one.suggestion for one in every} == {"/srv/a\\.sock  -s  " + CONTEXT}
    both = findings("/srv//a\\.sock -- %s" % CONTEXT, targets=targets("el8"))
    assert [each.code for each in both] == ["never-matches", "regular-file-only"]
    assert {each.suggestion for each in both} == {"/srv/a\\.sock  -s  " + CONTEXT}


def test_a_host_whose_substitutions_make_such_paths():
    """libselinux looks up what comes of a substitution as it is."""
    odd = Target("host", Equivalences(parse("/srv /var/lib/\n", "subs"), ()))
    text = "/var/lib//a %s" % CONTEXT
    assert codes(text, targets=[odd]) == []
    (found,) = findings(text, targets=[odd, TARGETS["el8"]])
    assert found.targets == ["el8"]


def test_a_rule_that_never_matches_wins_nothing():
    assert codes("/a/b(c) %s\n/a/bc/ %s" % (CONTEXT, CONTEXT)) == [(2, "never-matches")]
    assert codes("/a/b(c)/ %s\n/a/bc %s" % (CONTEXT, CONTEXT)) == [(1, "never-matches")]


def test_an_escape_that_makes_a_regex_on_new_releases_ranks_nowhere():
    assert codes("/a/b(@c) %s\n/a/b\\@c %s" % (CONTEXT, CONTEXT)) == []
    assert codes("/a/b(-c) %s\n/a/b\\-c %s" % (CONTEXT, CONTEXT)) == [(1, "unreachable")]


# -- regular-file-only -------------------------------------------------------------------------


@pytest.mark.parametrize(("rule", "suggestion"), [
    ("/var/run/abrtd?\\.socket", "/var/run/abrtd?\\.socket  -s"), ("/srv/a\\.(sock|pid)", "/srv/a\\.(sock|pid)"),
    ("/srv/.*\\.sock", "/srv/.*\\.sock  -s"), ("/srv/a.sock", "/srv/a\\.sock  -s"),
    ("/srv/a(\\.sock)", "/srv/a(\\.sock)  -s"), ("HOME_DIR/\\.a/[^/]*\\.sock(et)?", "HOME_DIR/\\.a/[^/]*\\.sock(et)?  -s"),
])
def test_a_socket_by_its_name(rule, suggestion):
    found = findings("%s -- %s" % (rule, CONTEXT), targets=targets("el8"))
    assert "regular-file-only" in [one.code for one in found]
    assert {one.suggestion for one in found} == {"%s  %s" % (suggestion, CONTEXT)}


@pytest.mark.parametrize("text", [
    "/usr/lib/systemd/system/a\\.socket -- CTX", "/etc/systemd/system/a.*\\.socket -- CTX", "/var/a\\.sockets -- CTX",
    "/run/systemd/transient/a\\.socket -- CTX", "/usr/share/a\\.sock -- CTX", "/var/a\\.sock -s CTX", "/var/a\\.sock CTX",
    "/var/a\\.sock -l CTX", "/var/sock -- CTX", "/var/a\\.sock -- CTX\n/var/a\\.sock -s system_u:object_r:b_t:s0",
    "/var/a\\.sock -- CTX\n/var/a.* CTX"])
def test_what_is_no_socket_or_cared_for(text):
    assert "regular-file-only" not in [code for _, code in codes(text.replace("CTX", CONTEXT))]


@pytest.mark.parametrize(("rule", "suggestion"), [
    ("/run/a/control", "/run/a/control  -s  CTX"), ("/var/run/a/control", "/var/run/a/control  -s  CTX\n/run/a/control  -s  CTX"),
    ("/run/a/(control|pid)", "/run/a/(control|pid)  CTX"), ("/run/a(/.*)?", "/run/a(/.*)?  --  CTX\n/run/a/control  -s  CTX")])
def test_a_socket_by_its_unit(rule, suggestion):
    text = "%s -- %s" % (rule, CONTEXT)
    listening = [SocketPath("/run/a/control", "a.socket")]
    assert "regular-file-only" not in [code for _, code in codes(text)]
    found = findings(text, targets=targets("debian") if rule.startswith("/run") else ALL, sockets=listening)
    (said,) = [one for one in found if one.code == "regular-file-only"]
    assert "a.socket listens on /run/a/control" in said.message
    assert said.suggestion == suggestion.replace("CTX", CONTEXT)
    assert codes(said.suggestion, targets=targets("debian"), sockets=listening) == []


# -- unescaped-dot -----------------------------------------------------------------------------


@pytest.mark.parametrize(("rule", "right"), [
    ("/etc/node.rb", "/etc/node\\.rb"), ("/a/.ssh(/.*)?", "/a/\\.ssh(/.*)?"), ("/a/b.c.d", "/a/b\\.c\\.d"),
    ("/a/.*.log", "/a/.*\\.log"), ("/a/[a.b].c", "/a/[a.b]\\.c"), ("/a(/.*)?.x", "/a(/.*)?\\.x"),
    ("/a/b.log.*", "/a/b\\.log.*"), ("HOME_DIR/.x", "HOME_DIR/\\.x")])
def test_an_unescaped_dot(rule, right):
    text = "%s  --  %s" % (rule, CONTEXT)
    (found,) = findings(text)
    assert (found.code, found.suggestion) == ("unescaped-dot", "%s  --  %s" % (right, CONTEXT))
    assert codes(found.suggestion) == []


@pytest.mark.parametrize("rule", ["/a/\\Qb.c\\E", "/a/.*", "/a/.+x", "/a/.?x", "/a/.{2}x", "/a\\.b", "/a/[.]b", "/a/[^.x]b", "/a/LCK..",
                                  "/a/b.", "/a\\\\.*", "/usr/inclu.e(/.*)?", "/a/*.x", "/a/.", "/a/..*"])
def test_a_dot_that_is_meant(rule):
    assert "unescaped-dot" not in [code for _, code in codes("%s %s" % (rule, CONTEXT))]


def test_the_words_with_dots_are_named():
    (found,) = findings("/etc/a.b/c.d-e.f  %s" % CONTEXT)
    assert "a.b" in found.message
    assert "c.d-e.f" in found.message


# -- duplicate and unreachable -----------------------------------------------------------------


@pytest.mark.parametrize(("text", "expected"), [
    ("/a CTX\n/a CTX", [(2, "duplicate")]),
    ("/a CTX\n/b CTX\n/a -- CTX", []),
    ("/a CTX\n/a system_u:object_r:other_t:s0", [(2, "duplicate")]),
    ("ifdef(`x',`/a CTX',`/a CTX')", []),
    ("ifdef(`x',`\n/a CTX\n')ifdef(`y',`\n/a CTX\n')", []),  # nobody knows whether both are there
    ("/a CTX\nifdef(`x',`\n/a CTX\n')", [(3, "duplicate")]),
    ("ifdef(`x',`\n/a CTX\n')\n/a CTX", [(4, "duplicate")]),
    ("ifdef(`distro_redhat',`\n/a CTX\n')ifdef(`distro_debian',`\n/a CTX\n')", []),
])
def test_duplicates(text, expected):
    assert codes(text.replace("CTX", CONTEXT)) == expected


def test_a_duplicate_that_contradicts_says_so():
    (found,) = findings("/a u:object_r:one_t:s0\n\n/a u:object_r:two_t:s0")
    assert "line 1" in found.message
    assert "one_t" in found.message
    assert "refused" in found.message
    (same,) = findings("/a gen_context(u:object_r:a_t, s0)\n/a gen_context(u:object_r:a_t,s0)")
    assert "already" in same.message


@pytest.mark.parametrize(("text", "lines"), [
    # Seen in Debian's policy: what is longer up to its first special character wins.
    ("/usr/(local/)?bin/ksu -- CTX\n/usr/bin(/.*)? CTX\n/usr/local/(.*/)?bin(/.*)? CTX", [1]),
    ("/etc/cron\\.(daily|weekly)/x -- CTX\n/etc/cron\\.daily(/.*)? CTX\n/etc/cron\\.weekly(/.*)? CTX", [1]),
    ("/etc/cron\\.(daily|weekly)/x -- CTX\n/etc/cron\\.daily(/.*)? CTX", []),
    ("/etc/cron\\.(daily|weekly)/x -- CTX\n/etc/cron\\.daily(/.*)? -d CTX\n/etc/cron\\.weekly(/.*)? CTX", []),
    ("/a/b[.]c CTX\n/a/b\\.c CTX", []),  # a set is not spelt out: nothing is said
    ("/a/b(c) CTX\n/a/bc CTX", [1]),
    ("/a/b(c) CTX\n/a/bc -- CTX", []),
    ("/a/b(c) CTX\n/a/bc[0-9]* CTX", [1]),
    ("/a/b(c) CTX\n/a/bc[0-9] CTX", []),
    ("HOME_DIR/b(c) CTX\nHOME_DIR/bc CTX", []),  # what comes of these is sorted by other rules
    ("/a/b(c) -- CTX\n/a/bc CTX", [1]),
    ("/a/b(c) -- CTX\nifdef(`x',`/a/bc CTX')", []),
    ("ifdef(`x',`\n/a/b(c) -- CTX\n/a/bc CTX\n')", [2]),
    ("/a(/.*)? CTX\n/a/b CTX\n/a/b/.* CTX", []),
    ("/a/b CTX\n/a(/.*)? CTX", []),
])
def test_unreachable(text, lines):
    assert [one.line for one in findings(text.replace("CTX", CONTEXT)) if one.code == "unreachable"] == lines


def test_paths_are_spelt_out():
    assert spelt_out("/a\\.b") == ["/a.b"]
    assert sorted(spelt_out("/(var/)?run/a(b|c)?")) == sorted(
        one + two for one in ("/run/a", "/var/run/a") for two in ("", "b", "c"))
    assert sorted(spelt_out("/ab?")) == ["/a", "/ab"]
    assert spelt_out("/a(b(c|d)|e)") == ["/abc", "/abd", "/ae"]
    for endless in ("/a.*", "/a+", "/a|/b", "/a[bc]", "/a.", "/a(b", "/a)b", "/a(?:b)", "/a\\d", "/a??", "/a{2}", "/(a|b)*",
                    "/a$", "/" + "(a|b)" * 7):
        assert spelt_out(endless) is None, endless


def test_spelling_out_agrees_with_the_regex():
    """Regexes put together at random (the same ones each time): what is spelt out is what matches."""
    pieces = ["a", "b", "\\.", "(", ")", "|", "?", "(a|b)", "(ab)?", "/"]
    chance = random.Random(1)
    everything = ["/" + text for text in _words("ab./", 4)]
    counted = 0
    for _ in range(4000):
        regex = "/" + "".join(chance.choice(pieces) for _ in range(chance.randint(1, 6)))
        paths = spelt_out(regex)
        if paths is not None:
            counted += 1
            assert all(pcre.matches(regex, path) for path in paths), regex
            assert {path for path in everything if pcre.matches(regex, path)} <= set(paths), regex
    assert counted > 500


def _words(letters, length):
    words = [""]
    for _ in range(length):
        words += [word + letter for word in words for letter in letters if len(word) < length]
    return set(words)


# -- bad-regex, bad-context, unknown-type ------------------------------------------------------


@pytest.mark.parametrize("regex", ["/a(b", "/a)b", "/a[b", "/a**", "/a\\", "/a(b|c", "/[z-a]", "/a{3,2}", "etc/a", "/é", "~/a",
                                   "$HOME/a"])
def test_a_broken_regex(regex):
    (found,) = findings("%s %s" % (regex, CONTEXT))
    assert (found.code, found.suggestion) == ("bad-regex", None)


@pytest.mark.parametrize("regex", [
    "/a++", "/a(?i)b", "/a\\Q.\\E", "/[[:alpha:]]a", "/a{,3}", "/a(?=b)", "/a]b", "/a}b", "/[]a]", "/[^]a]", "(/.*)?", ".*",
    "/a\\x20b", "HOME_ROOT", "HOME_DIR(/.*)?", "/%{USERNAME}/a", "/%{USERID}/a", "/a{2}{3}", "/a#b", "/a,b", "/^a$"])
def test_a_regex_that_pcre_takes(regex):
    assert codes("%s %s" % (regex, CONTEXT)) == []


@pytest.mark.parametrize(("context", "right"), [
    ("gen_context(system_u:object_r:a_t:s0)", "gen_context(system_u:object_r:a_t,s0)"),
    ("gen_context(system_u:object_r:a_t:s0,s0:c1)", "gen_context(system_u:object_r:a_t,s0:c1)"),
    ("gen_context(system_u:object_r:a_t,s0", "gen_context(system_u:object_r:a_t,s0)"),
    ("gen_context(system_u:object_r:a_t,s0) # why", "gen_context(system_u:object_r:a_t,s0)"),
    ("system_u:object_r:a_t:s0 # why", "system_u:object_r:a_t:s0"),
    ("<none>", "<<none>>"),
    ("gen_context(system_u:object_r,s0)", None), ("gen_context(a_t)", None), ("gen_context()", None), ("a_t", None),
    ("gen_context(:object_r:a_t,s0)", None), ("gen_context(system_u:object_r:a t,s0)", None), ("system_u:object_r", None),
    ("gen_context(system_u:object_r:a_t,s0;)", None), ("system_u:object_r:a_t:", None), ("-s", None), ("", None),
    ("gen_context(system_u:object_r:a_t,s0,c1,c2)", None), ("--gen_context(system_u:object_r:a_t,s0)", None)])
def test_a_wrong_context(context, right):
    (found,) = {(one.code, one.suggestion) for one in findings("/a -s %s" % context)}
    assert found == ("bad-context", right and "/a  -s  %s" % right)


@pytest.mark.parametrize("context", [
    "gen_context(system_u:object_r:a_t)", "gen_context(system_u:object_r:a_t,s0)", "gen_context(system_u:object_r:a_t, s0)",
    "gen_context(system_u:object_r:a_t,mls_systemhigh)", "gen_context(system_u:object_r:a_t,s0-mls_systemhigh)",
    "gen_context(system_u:object_r:a_t,s0 - mls_systemhigh)".replace(" ", ""), "gen_context(system_u:object_r:a_t,s0,c0.c255)",
    "gen_context(`system_u:object_r:a_t',s0)", "gen_context(system_u:object_r:a_$1_t,s0)", "<<none>>", "u:object_r:a_t",
    "system_u:object_r:a_t:s0-s15:c0.c1023", "other_macro(a_t)", "gen_context(USER:object_r:a_t,s0)"])
def test_a_context_that_may_be_right(context):
    assert codes("/a -s %s" % context) == []


def test_dnl_behind_a_rule_joins_the_next_line_to_it():
    text = "/a %s dnl why\n/b %s dnl why\n\nifdef(`x',`\n/c %s dnl\n')\n" % (CONTEXT, CONTEXT, CONTEXT)
    (found,) = findings(text)
    assert (found.line, found.code, found.suggestion) == (1, "bad-context", "/a  " + CONTEXT)


def test_an_unknown_file_type():
    (found,) = findings("/a -f %s" % CONTEXT)
    assert found.code == "bad-context"
    assert "-f is no file type" in found.message


def test_a_wrong_context_and_another_fault_are_mended_together():
    found = findings("/run/a.sock -- gen_context(system_u:object_r:a_t:s0)", targets=targets("el8"))
    assert [one.code for one in found] == ["aliased-path", "bad-context", "regular-file-only", "unescaped-dot"]
    assert {one.suggestion for one in found} == {"/var/run/a\\.sock  -s  gen_context(system_u:object_r:a_t,s0)"}
    hopeless = findings("/run/a.sock -- a_t", targets=targets("el8"))
    assert {one.code for one in hopeless} == {one.code for one in found}
    assert {one.suggestion for one in hopeless} == {None}


def test_types_with_hyphens():
    text = "/a gen_context(system_u:object_r:speech-dispatcher_t,s0)"
    assert codes(text, has_type=lambda name: name == "speech-dispatcher_t") == []
    (found,) = findings(text, has_type=lambda name: False)
    assert found.message.endswith("the type speech-dispatcher_t")


def test_unknown_types():
    text = "/a %s\n/b gen_context(system_u:object_r:bar_t,s0)\n/c <<none>>\n/d u:object_r:x_$1_t:s0\n" % CONTEXT
    found = findings(text, has_type=lambda name: name == "bar_t")
    assert [(one.line, one.code) for one in found] == [(1, "unknown-type")]
    assert "foo_t" in found[0].message


# -- all of it ---------------------------------------------------------------------------------


def test_targets_are_those_of_the_command_line():
    from foreman_selinux_helpers.verbs.lint import VERB
    (choices,) = [one.settings["choices"] for one in VERB.arguments if one.names == ("--target",)]
    assert choices == NAMES


def test_a_spelling_that_is_there_is_not_suggested_again():
    text = "/run/a.b  %s\n/var/run/a\\.b  %s" % (CONTEXT, CONTEXT)
    (found,) = findings(text, targets=targets("el8", "el10"))
    assert (found.line, found.code, found.suggestion) == (1, "unescaped-dot", "/run/a\\.b  " + CONTEXT)


def test_in_a_crowd_nothing_is_looked_for():
    text = "/srv/a\\.sock -- CTX\n" + "".join("/srv/b.*%d -s CTX\n/srv/.*%d -s CTX\n" % (one, one) for one in range(120))
    assert codes(text.replace("CTX", CONTEXT)) == []
    assert codes("\n".join(text.replace("CTX", CONTEXT).split("\n")[:150])) == [(1, "regular-file-only")]


def test_large_files_take_time_in_proportion():
    kinds = ["/run/(a|b)%d -- CTX\n/run/.*%d CTX", "ifdef(`x%d',`/a -- CTX')ifdef(`y%d',`/a -s CTX')",
             "/run/a%d\\.sock -- CTX\n/run/b%d.sock -- CTX"]
    for kind in kinds:
        text = "\n".join(kind % (one, one) for one in range(3000)).replace("CTX", CONTEXT)
        start = time.process_time()
        findings(text, sockets=[SocketPath("/run/a1", "a.socket")])
        assert time.process_time() - start < 12, kind


def test_a_word_that_m4_knows_gets_no_suggestion():
    """Its quotes are lost in reading, and without them m4 would take it for a macro."""
    (found,) = findings("/run/`index'(/.*)? %s" % CONTEXT, targets=targets("el8"))
    assert found.suggestion is None


def test_regexes_that_take_ages_are_not_tried():
    hostile = "/run/(a*)*(a*)*b -- CTX\n/run/((a|a)*)*x -- CTX\n/run/" + "a*" * 30 + "b -- CTX\n" + "/run/a(b|c)" * 5 + " CTX\n"
    start = time.process_time()
    findings((hostile + "/run/(a|aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa) CTX\n").replace("CTX", CONTEXT),
             sockets=[SocketPath("/run/" + "a" * 40, "a.socket")])
    assert time.process_time() - start < 2


def test_no_text_makes_it_fail():
    """Lines put together at random (the same ones each time)."""
    pieces = ["/run", "/a", "\\", ".", "(", ")", "|", "?", "*", "[", "]", " ", "\t", "\n", " -- ", " -s ", " -x ", "{", "}", "'",
              "`", "#", "dnl ", "ifdef(`x',`", "')", ", ", "gen_context(", "u:r:t", ":s0", "<<none>>", "é", "\udcff", "\0",
              "HOME_DIR", ".sock", "$1", "%{USERNAME}"]
    chance = random.Random(1)
    found = 0
    for _ in range(3000):
        text = "".join(chance.choice(pieces) for _ in range(chance.randint(1, 40)))
        found += len(judge.lint(fcsource.parse(text).rules, ALL, [SocketPath("/run/a.sock", "a.socket")]))
    assert found > 3000


def test_what_is_suggested_is_right():
    """Rules put together at random: with all suggestions taken, only what has none is left."""
    regexes = ["/run/a", "/var/run/a", "/run/a.sock", "/var/run/b\\.sock", "/run(/.*)?", "/etc/.x/c.d", "/lib64/x.so",
               "/var/lock/(a|b).sock", "/sbin/x", "/run/lock/x", "/usr/sbin/(a|b).c", "/etc/init.d/x"]
    chance = random.Random(1)
    listening = [SocketPath("/run/a", "a.socket"), SocketPath("/var/run/c/d", "b.socket")]
    for _ in range(300):
        text = "\n".join("%s %s %s" % (regex, chance.choice(["", "--", "-s"]), CONTEXT)
                         for regex in chance.sample(regexes, 4))
        chosen = chance.sample(ALL, chance.randint(1, 6))
        left = findings(mended(text, targets=chosen, sockets=listening), targets=chosen, sockets=listening)
        assert {one.code for one in left} <= {"duplicate", "unreachable"}, text
