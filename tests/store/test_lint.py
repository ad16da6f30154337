"""What lint says, compared with m4, the policy compiler and libselinux themselves."""

import json
import random
import re
import stat
import subprocess
import sys
import time

import pytest

from foreman_selinux_helpers.lint import fcsource, judge, slashes
from foreman_selinux_helpers.lint.targets import TARGETS, Target
from foreman_selinux_helpers.model import pcre
from foreman_selinux_helpers.model.filecontexts import ALL_FILES, FILE_TYPES, Rule, escape, literal, parse, type_of

from ..policyroot import POLICY
from .libselinux import Labels, write

MACROS = """changecom(`#')dnl
define(`ifndef', `ifdef(`$1', `$3', `$2')')dnl
define(`optional_policy', `$1')dnl
define(`gen_context', `$1:s0')dnl
"""


def source_text(chance):
    """Return a source put together at random from what policies are made of."""
    def block(depth):
        lines = []
        for _ in range(chance.randint(1, 4)):
            kind = chance.randint(0, 8 if depth < 3 else 4)
            rule = "/%s%s\t%s gen_context(system_u:object_r:t%d_t,%ss0)" % (
                chance.choice(["run", "a.b", "lib(64)?", "x(/.*)?", "usr/`index'", "c{2}"]), len(lines),
                chance.choice(["", "--", "-d "]), chance.randint(0, 99), chance.choice(["", " "]))
            if kind <= 2:
                lines.append(rule + chance.choice(["", " ", " dnl why\n", "\t"]))
            elif kind == 3:
                lines.append(chance.choice(["", "\t", "# a comment, (for one", "dnl gone ` '", "/none%d <<none>>" % len(lines)]))
            elif kind == 4:
                lines.append("  " + rule)
            else:
                name = chance.choice(["distro_redhat", "distro_debian", "inner"])
                macro = chance.choice(["ifdef(`%s'," % name, "ifndef(`%s', " % name, "optional_policy(",
                                       "ifelse(x%d, `x1', " % chance.randint(0, 1)])
                other = "" if macro.startswith("optional") or chance.random() < 0.5 else ", `\n%s\n'" % block(depth + 1)
                lines.append("%s`\n%s\n'%s)%s" % (macro, block(depth + 1), other, chance.choice(["", " dnl end", "dnl"])))
        return "\n".join(lines)
    return block(0) + "\n"


@pytest.mark.parametrize("defined", [(), ("distro_redhat",), ("distro_debian", "inner")])
def test_the_rules_are_those_that_m4_leaves(defined, tmp_path):
    (tmp_path / "macros.m4").write_text(MACROS)
    chance = random.Random(1)
    rules = 0
    for _ in range(60):
        text = source_text(chance)
        (tmp_path / "a.fc").write_text(text)
        out = subprocess.check_output(["m4", *["-D" + name for name in defined], "macros.m4", "a.fc"],
                                      cwd=str(tmp_path), universal_newlines=True)
        source = fcsource.parse(text)
        assert source.problem is None, text

        def holds(condition):
            if " = " in condition.name:
                one, other = condition.name.split(" = ")
                return (one == other.strip("`'")) == condition.holds
            return condition.name.startswith("optional") or (condition.name in defined) == condition.holds

        seen = [(one.regex, FILE_TYPES[one.file_type], type_of(one.context.split("(")[-1].split(",")[0]))
                for one in source.rules if all(holds(condition) for condition in one.conditions)]
        assert seen == [(one.regex, one.file_type, type_of(one.context)) for one in parse(out, "a.fc")], text
        rules += len(seen)
    assert rules > 200


FC = """# What went wrong in the field: for regular files, and on the wrong side.
/var/run/foo\\.sock        --  gen_context(system_u:object_r:foo_var_run_t,s0)
/usr/(local/)?bin/foo     --  gen_context(system_u:object_r:foo_var_run_t,s0)
/usr/bin(/.*)?                gen_context(system_u:object_r:foo_var_run_t,s0)
/usr/local/(.*/)?bin(/.*)?    gen_context(system_u:object_r:foo_var_run_t,s0)
"""


def install(root, text):
    """Compile the rules of a source into the root's policy, as a module."""
    kinds = {"": "any", "--": "file", "-s": "socket"}
    rules = ['(filecon "%s" %s (system_u object_r foo_var_run_t ((s0) (s0))))' % (one.regex, kinds[one.file_type])
             for one in fcsource.parse(text).rules]
    file = root.path / "lint_rules.cil"
    file.write_text("\n".join(rules))
    subprocess.check_call(["semodule", "-p", str(root.path), "-s", POLICY, "-n", "-i", str(file)])


def expected(root, path, mode):
    """Return what libselinux answers now, in a process of its own."""
    code = "import json, sys; sys.path.insert(0, '.')\nfrom foreman_selinux_helpers.doors.labeldatabase import LabelDatabase\n" \
        "print(json.dumps(LabelDatabase(%r, %r).lookup(%r, %r)))" % (str(root.path), POLICY, path, mode)
    return json.loads(subprocess.check_output([sys.executable, "-c", code]).decode())


def test_a_suggestion_mends_it_for_libselinux(root, tool, tmp_path):
    file = tmp_path / "foo.fc"
    file.write_text(FC.split("/usr/(")[0])
    found = tool("lint", "--target", "host", str(file))
    assert found["status"] == 1
    assert [(one["line"], one["code"]) for one in found["findings"]] == [(2, "aliased-path"), (2, "regular-file-only")]
    install(root, file.read_text())
    assert "foo_var_run_t" not in str(expected(root, "/run/foo.sock", stat.S_IFSOCK))
    file.write_text(found["findings"][0]["suggestion"] + "\n")
    assert tool("lint", "--target", "host", str(file))["findings"] == []
    install(root, file.read_text())
    for path in ("/run/foo.sock", "/var/run/foo.sock"):
        assert "foo_var_run_t" in expected(root, path, stat.S_IFSOCK)


PIECES = ["/", "/", "a", "(", ")", "(/", "/)", "|", "?", "*", "+", "[/]", "[^/]", "[/a]", ".", "{2}", "{0,1}", "\\/", "\\x2f", "//", "(/.*)?"]


def test_what_never_matches_is_found_by_no_path(tmp_path):
    """Asked in every spelling, also those with the slashes that libselinux takes out; and what is meant is found."""
    chance = random.Random(1)
    words = [""]
    for _ in range(5):
        words += [word + one for word in words for one in "a/" if len(word) < 5]
    paths = sorted({"/" + word for word in words})
    never, meant = [], []
    while len(never) < 300:
        regex = "/" + "".join(chance.choice(PIECES) for _ in range(chance.randint(1, 6)))
        if pcre.compiles(regex) and slashes.never_matches(regex):
            never.append(regex)
            if slashes.with_slashes_mended(regex) != regex:
                meant.append(slashes.with_slashes_mended(regex))
    assert len(meant) > 100

    def found(regexes):
        text = "".join("%s u:r:t%d:s0\n" % (regex, number) for number, regex in enumerate(regexes))
        with Labels(write(str(tmp_path), {"": text})) as labels:
            return {labels.lookup(path, stat.S_IFSOCK) for path in paths}

    assert found(never) == {None}
    plain = [path for path in paths if "//" not in path]
    reached = [regex for regex in meant[:60] if any(Rule(regex, ALL_FILES, "").reaches(path) for path in plain)]
    assert len(reached) > 40
    assert [regex for regex in reached if found([regex]) == {None}] == []


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_the_right_spelling_is_the_one_that_is_looked_up(name, tmp_path):
    """For each substitution of each release: the rule as it was is found by nothing but what lint says, the right one is."""
    target = TARGETS[name]
    compared = 0
    for release, equivalences in target.releases():
        subs = "".join("%s %s\n" % (one.source, one.target) for one in equivalences.dist)
        only = Target(release, equivalences, target.distro)
        for one in equivalences.dist:
            path = one.source + "/foo.sock"
            rule = "%s -s gen_context(u:r:foo:s0)" % escape(path)
            found = judge.lint(fcsource.parse(rule.replace(":s0", "")).rules, [only])
            assert [each.code for each in found] == ["aliased-path"]
            (right,) = {each.suggestion.split()[0] for each in found}
            with Labels(write(str(tmp_path), {"": "%s -s u:r:foo:s0\n" % escape(path), ".subs_dist": subs})) as labels:
                assert labels.lookup(path, stat.S_IFSOCK) is None, (release, path)
                asked = re.search("only when asked for (.*)", found[0].message)
                for other in asked.group(1).split(" or ") if asked else ():
                    assert labels.lookup(other + "/foo.sock" if "/foo" not in other else other, stat.S_IFSOCK) == "u:r:foo:s0"
            with Labels(write(str(tmp_path), {"": "%s -s u:r:foo:s0\n" % right, ".subs_dist": subs})) as labels:
                real = literal(right)
                assert labels.lookup(real, stat.S_IFSOCK) == "u:r:foo:s0", (release, path, right)
                # A chain ends at a path that one more look-up would give: the real one.
                assert labels.lookup(equivalences.canonical(path), stat.S_IFSOCK) == "u:r:foo:s0", (release, path, right)
            compared += 1
    assert compared > 10


def test_a_whole_policy(source):
    """Nothing is said of a policy that works but what libselinux confirms."""
    file = source / "etc/selinux" / POLICY / "contexts/files/file_contexts"
    rules = fcsource.parse(file.read_text()).rules
    assert len(rules) > 5000
    start = time.process_time()
    found = judge.lint(rules, [TARGETS["debian"]])
    assert time.process_time() - start < 5  # the figure is in the bench; this is to notice a square of it
    codes = {one.code for one in found}
    assert codes <= {"unreachable", "unescaped-dot", "aliased-path", "never-matches"}
    unreachable = [one for one in found if one.code == "unreachable"]
    assert unreachable
    import selinux
    option = selinux.selinux_opt()
    option.type, option.value = selinux.SELABEL_OPT_PATH, str(file)
    handle = selinux.selabel_open(selinux.SELABEL_CTX_FILE, option, 1)
    by_line = {one.line: one for one in rules}
    # Three of the reference policy's rules have (.*/)?/ in them: theirs is no path that anything is looked up by.
    for one in found:
        if one.code == "never-matches":
            regex = by_line[one.line].regex
            assert "(.*/)?/" in regex
            for start in (regex.split("(")[0], regex.split("(")[0] + "x/", regex.split("(")[0] + "x//"):
                for path in (start + name + "/a.so" for name in ("RealPlayer", "/RealPlayer", "HelixPlayer", "/HelixPlayer")):
                    if pcre.matches(regex, path):
                        assert selinux.selabel_lookup_raw(handle, path, stat.S_IFREG)[1] != by_line[one.line].context, path
    for one in unreachable:
        rule = by_line[one.line]
        for path in judge.spelt_out(rule.regex):
            assert selinux.selabel_lookup_raw(handle, path, stat.S_IFREG)[1] != rule.context, path
