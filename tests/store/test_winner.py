"""The winning rule, compared with what libselinux answers: for a real policy, and for many small ones."""

import os
import re
import tempfile
from typing import Any, List

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foreman_selinux_helpers.doors import behaviour, labeldatabase
from foreman_selinux_helpers.doors.behaviour import regex_matches
from foreman_selinux_helpers.doors.labeldatabase import MODES, LabelDatabase
from foreman_selinux_helpers.doors.labelfiles import read_text
from foreman_selinux_helpers.model import equivalence, filecontexts
from foreman_selinux_helpers.model.equivalence import Equivalences
from foreman_selinux_helpers.model.errors import HelperError
from foreman_selinux_helpers.model.filecontexts import NONE_CONTEXT, SOCKET, literal
from foreman_selinux_helpers.model.winner import Library, in_the_way, winning

from .. import policyroot
from . import libselinux

try:
    from re import _constants as sre
    from re import _parser as sre_parse
except ImportError:  # before Python 3.11
    import sre_constants as sre
    import sre_parse


def read(base):
    """Read the files as the project does."""
    rules = []
    for suffix in labeldatabase.ALL_RULES:
        rules.extend(filecontexts.parse(read_text(base + suffix) or "", base + suffix))
    piece = behaviour.substitution_piece()
    subs = [equivalence.parse(read_text(base + suffix) or "", base + suffix, piece) for suffix in (".subs", ".subs_dist")]
    return rules, Equivalences(*subs, first_counts=behaviour.first_substitution_counts)


def ask(rule, path):
    """Ask libselinux as the project does; where its binding cannot, ask libselinux itself."""
    if not re.search("[\udc80-\udcff]", path):
        return regex_matches(rule, path)
    files, key = behaviour.question(rule, path)
    with tempfile.TemporaryDirectory() as directory, \
            libselinux.Labels(libselinux.write(directory, files)) as labels:
        answer = labels.lookup(key, MODES[SOCKET])
    return None if answer is None else answer == behaviour.MATCHED


def compare(labels, rules, equivalences, path, file_type, near=None):
    """Judge a path, and fail where libselinux answers something else; return the verdict.

    ``near`` are the rules that may match, where they are known already.
    """
    library = Library(ask, behaviour.label_order)
    verdict = winning(rules if near is None else near, path, file_type, equivalences, library)
    answer = labels.lookup(path, MODES[file_type])
    if answer is None and verdict.rule and verdict.rule.context != NONE_CONTEXT:
        verdict = in_the_way(verdict, rules, file_type, library)
    context = verdict.rule.context if verdict.rule else NONE_CONTEXT
    assert (answer or NONE_CONTEXT) == context, (path, file_type, verdict)
    return verdict


# A real policy

def samples(regex: str) -> List[str]:
    """Return two paths that a regex matches: as short as can be, and a longer one."""
    tree = sre_parse.parse(regex)
    return [spell(tree, 0), spell(tree, 1)]


def spell(tree: Any, more: int) -> str:
    """Spell out a parsed regex."""
    text = ""
    for kind, value in tree:
        if kind is sre.LITERAL:
            text += chr(value)
        elif kind in (sre.ANY, sre.NOT_LITERAL):
            text += "x"
        elif kind is sre.IN:
            text += next(one for one in "x0/.-awstA1" + "".join(map(chr, range(33, 127))) if member(value, ord(one)))
        elif kind is sre.BRANCH:
            text += spell(value[1][-more], more)
        elif kind is sre.SUBPATTERN:
            text += spell(value[-1], more)
        elif kind in (sre.MAX_REPEAT, sre.MIN_REPEAT):
            text += spell(value[2], more) * max(value[0], min(more, value[1]))
    return text


def member(items: Any, code: int) -> bool:
    """Tell whether a set of a regex has a character."""
    found = any((kind is sre.LITERAL and value == code) or (kind is sre.RANGE and value[0] <= code <= value[1])
                for kind, value in items)
    return found is not (items[0][0] is sre.NEGATE)


def policy_files(root, turned):
    """Return the path of the policy's file_contexts, with /run standing for /var/run if turned."""
    base = str(root.files / "file_contexts")
    if turned:
        root.turn_equivalence_round()
        for suffix in labeldatabase.POLICY_RULES:
            text = read_text(base + suffix)
            os.unlink(base + suffix + ".bin")
            with open(base + suffix, "w") as stream:
                stream.write(re.sub(r"(?m)^/run\b", "/var/run", text))
    return base


@pytest.mark.parametrize("turned", [False, True], ids=["debian", "el"])
def test_every_path_of_a_real_policy(root, turned):
    base = policy_files(root, turned)
    with open(base + ".local", "w") as stream:
        stream.write("/run/.*  u:r:local_regex:s0\n/var/run/.*\\.sock  -s  u:r:local_sock:s0\n"
                     "/usr/bin/passwd  u:r:local_passwd:s0\n")
    rules, equivalences = read(base)
    literals = {path for path in (literal(rule.regex) for rule in rules) if path}
    derived = {path for rule in rules for path in samples(rule.regex)}
    other = {one for path in sorted(literals | derived)[::7] for one in equivalences.spellings(path)}
    assert len(literals) > 2000
    assert len(derived - literals) > 4000
    assert len(other) > 300
    winners = set()
    with libselinux.Labels(base) as labels:
        for path in sorted(literals | derived | other):
            near = filecontexts.candidates(rules, equivalences.canonical(path))
            for file_type in MODES:
                winners.add(compare(labels, rules, equivalences, path, file_type, near).rule)
        for path in ("/run/foo.sock", "/var/run/foo.sock", "/run", "/var/run", "/run/lock/x", "/var/run/lock/x", "/"):
            for file_type in MODES:
                winners.add(compare(labels, rules, equivalences, path, file_type).rule)
    assert len(winners) > 3000


# Many small policies

_NAMES = ["a", "b", "ab", "run", "var", "a.b", "a b", "x%s", "it's", '"', "é", "\udcff", "a\n", "\\", "(", "[a]", "a+", "A1"]
_PIECES = ["a", "b", "/", "/", "/a", "/b", "/run", "\\.", ".", ".*", "/.*", "(/.*)?", "[^/]*", "[^/]+", "(a|b)", "(/a)?", "|",
           "?", "*", "+", "^", "$", "{2}", "{0,1}", "[ab]", "[[:alpha:]]", "[^[:digit:]/]", "\\d", "\\w+", "\\x61",
           "\\x20", "\\%", "\\-", "(?:a|ab)", "a??", "[]a]", "\\s", "\\n"]
# Only libselinux can tell what these do, or that they are broken.
_ODD = ["a++", "(?=/a)", "(?!b)", "\\h", "\\Qa.b\\E", "(a)\\1", "(?i)A", "a{,2}", "[a-\\d]", "\\x4", "\\", "(", ")", "[",
        "*", "(*", "{2}{2}", "(?>a|ab)", "(?#a)", "\\z", "\\R", "[[:foo:]]", "\\K", "\\cA", "\\07", "(?<=/)a"]
_CONTEXTS = st.sampled_from(["%d", "%d", "%d", NONE_CONTEXT])
_TYPES = st.sampled_from(["", "", "", "--", "-s", "-d", "-l", "-c", "-b", "-p"])
_PATHS = st.lists(st.sampled_from(_NAMES), max_size=4).map(lambda names: "/" + "/".join(names))
_PLAIN = st.sampled_from(["/a", "/b", "/run", "/var", "/var/run", "/run/lock", "/a/b", "/", "/a/", "//", "/é", "x%s"])
_ROUGH_PATHS = st.tuples(st.sampled_from([""]) | _PLAIN, _PATHS, st.sampled_from(["", "", "", "/", "//", "//a", "/a//b/"])).map("".join)
_SOME = st.sampled_from(_PIECES)
_REGEXES = st.one_of(
    _PATHS.map(filecontexts.escape),
    st.tuples(_PATHS.map(filecontexts.escape), st.sampled_from(_PIECES + _ODD)).map("".join),
    st.tuples(st.sampled_from(["/a", "/run", "/b", ""]), st.lists(_SOME, min_size=1, max_size=5).map("".join)).map(
        "".join),
    st.tuples(st.sampled_from(["/a", "/run/", "/"]), _SOME, st.sampled_from(_ODD), st.sampled_from(["", *_PIECES])).map(
        "".join))
_RULES = st.lists(st.tuples(_REGEXES, _TYPES, _CONTEXTS), max_size=6)
_SUBS = st.lists(st.tuples(_PLAIN, st.sampled_from([" ", "\t", "  "]), _PLAIN, st.sampled_from(
    ["", " ", " rest", " # rest"])).map("".join) | st.sampled_from(["# /a /b", "", "  #x y", "/a", " "]), max_size=4)


def text_of(rules, name):
    """Write rules, each with a context of its own."""
    return "".join("%s\t%s\t%s\n" % (regex, kind, context.replace("%d", "u:r:%s%d" % (name, number)))
                   for number, (regex, kind, context) in enumerate(rules, 1))


class Seen:
    cases = matched = beaten = broken = asked = 0


@pytest.fixture
def scratch():
    with tempfile.TemporaryDirectory(prefix="winner-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as one:
        yield one


def test_generated_policies(scratch):
    seen = Seen()

    @settings(max_examples=1500, deadline=None, database=None, derandomize=True,
              suppress_health_check=list(HealthCheck))
    @given(_RULES, _RULES, _RULES, _SUBS, _SUBS, st.booleans(), st.lists(_ROUGH_PATHS, min_size=4, max_size=6),
           st.sampled_from(list(MODES)))
    def check(policy, homes, local, subs, dist, newline, paths, file_type):
        end = "\n" if newline or not dist or len(dist[-1].split()) == 1 else ""
        base = libselinux.write(scratch, {
            "": "/never\tu:r:t\n" + text_of(policy, "p"), ".homedirs": text_of(homes, "h"), ".local": text_of(local, "l"),
            ".subs": "".join(one + "\n" for one in subs), ".subs_dist": "\n".join(dist) + end})
        rules, equivalences = read(base)
        assert len(rules) == 1 + len(policy) + len(homes) + len(local)
        with libselinux.Labels(base) as labels:
            for path in paths + [one for one in (literal(rule.regex) for rule in rules) if one]:
                verdict = compare(labels, rules, equivalences, path, file_type)
                seen.cases += 1
                seen.matched += verdict.rule is not None
                seen.beaten += bool(verdict.beaten)
                seen.broken += verdict.broken is not None
                seen.asked += any(rule.judge(verdict.path) is None for rule in rules)

    check()
    print({name: getattr(seen, name) for name in ("cases", "matched", "beaten", "broken", "asked")})
    assert seen.cases >= 5000
    assert seen.matched > 1000
    assert seen.beaten > 300
    assert seen.broken > 30
    assert seen.asked > 100


# Where libselinux is odd

THIS, OTHER = "u:r:this", "u:r:other"


def up_to_37(old, new):
    """Choose between what libselinux does up to 3.7 and what it does from 3.8 on."""
    return new if behaviour.label_order().strict else old


@pytest.mark.parametrize(("files", "path", "context"), [
    # A regex without special characters wins wherever it stands.
    ({"": "/run/foo u:r:this\n", ".local": "/run/fo[o] u:r:other\n"}, "/run/foo", THIS),
    # A backslash is not special: this is taken for one without special characters ...
    ({"": "/run/\\d u:r:this\n", ".local": "/run/[0-9] u:r:other\n"}, "/run/1", up_to_37(THIS, OTHER)),
    ({"": "/run/a] u:r:this\n", ".local": "/run/a[]] u:r:other\n"}, "/run/a]", up_to_37(THIS, OTHER)),
    ({"": "/run/a\\-\\_\\,\\.b u:r:this\n", ".local": "/run/a.* u:r:other\n"}, "/run/a-_,.b", THIS),
    # ... and a first directory with a backslash for a plain one, which differs from every path's.
    ({"": "/.* u:r:other\n/my\\x20app/foo u:r:this\n"}, "/my app/foo", up_to_37(OTHER, THIS)),
    ({"": "/.* u:r:other\n/my[\\x20]app/foo u:r:this\n"}, "/my app/foo", THIS),
    ({"": "/.* u:r:other\n/run/? u:r:this\n"}, "/run", OTHER),
    # The anchors belong to one alternative each.
    ({"": "/.* u:r:other\n/run/a|/run/b u:r:this\n"}, "/run/anything", THIS),
    # A last newline is none to a regex.
    ({"": "/run/foo u:r:this\n"}, "/run/foo\n", up_to_37(THIS, None)),
    ({"": "/run/fo+ u:r:this\n"}, "/run/foo\n", THIS),
    # Up to three directories are compared as they are written, where before it was the first.
    ({"": "/.* u:r:other\n/run/foo/? u:r:this\n"}, "/run/foo", up_to_37(THIS, OTHER)),
    ({"": "/.* u:r:other\n/a/b/c/d/? u:r:this\n"}, "/a/b/c/d", THIS),
    # Two literal rules for one path.
    ({"": "/run/foo -s u:r:this\n", ".local": "/run/foo u:r:other\n"}, "/run/foo",
     THIS if behaviour.label_order().exact_before_file else OTHER),
    ({"": "/run/foo u:r:this\n", ".local": "/run/foo u:r:other\n"}, "/run/foo",
     OTHER if behaviour.label_order().later_file_first else THIS),
    ({"": "/run/foo -s u:r:this\n/run/foo u:r:other\n"}, "/run/foo", up_to_37(OTHER, THIS)),
    ({"": "/run/foo u:r:other\n/run/foo -s u:r:this\n"}, "/run/foo",
     THIS if behaviour.label_order().newer_first or behaviour.label_order().exact_first else OTHER),
    # No label, below more directories than a newer rule.
    ({"": "/run/netns/[^/]+ <<none>>\n", ".local": "/run/.* u:r:this\n"}, "/run/netns/x", up_to_37(THIS, None)),
    ({"": "/run/netns/[^/]+ u:r:other\n", ".local": "/run/.* u:r:this\n"}, "/run/netns/x", THIS),
    ({"": "/run/foo u:r:this\n"}, "/run/foo\n\n", None),
    # A fourth word is not read; a carriage return is white space.
    ({"": "/run/foo -s u:r:this # words\n"}, "/run/foo", THIS),
    ({"": "/run/foo u:r:this\r\n", ".subs": "/from /run\r\n"}, "/from/foo", THIS),
    # One substitution of each file, the administrator's first; no chain within a file.
    ({"": "/c/x u:r:this\n", ".subs": "/a /b\n", ".subs_dist": "/b /c\n/c /d\n"}, "/a/x", THIS),
    ({"": "/b/x u:r:this\n", ".subs": "/b /c\n/a /b"}, "/a/x", THIS),
    # The last line that matches, not the longest; the first in 3.8 and 3.8.1.
    ({"": "/c/b/x u:r:this\n/d/x u:r:other\n", ".subs": "/a/b /d\n/a /c\n"}, "/a/b/x",
     OTHER if behaviour.first_substitution_counts() else THIS),
    # A slash at the end of a source makes it useless; one at the end of a target stays, and nothing matches.
    ({"": "/b/x u:r:this\n", ".subs": "/a/ /b\n"}, "/a/x", None),
    ({"": "/b/x u:r:this\n", ".subs": "/a /b/\n"}, "/a/x", None),
    ({"": "/x u:r:this\n", ".subs": "/a /\n"}, "/a/x", THIS),
    # The rest of a long line is a line, even of a comment; a NUL ends one.
    ({"": "/run/foo u:r:this\n", ".subs": "#%s/from /run\n" % ("x" * (behaviour.substitution_piece() - 1))}, "/from/foo",
     THIS),
    ({"": "/run/foo u:r:this\n", ".subs": "#%s/from /run\n" % ("x" * 1021)}, "/from/foo",
     THIS if behaviour.substitution_piece() == 1022 else None),
    ({"": "/run/foo u:r:this\n", ".subs": "#%s/from /run\n" % ("x" * 1022)}, "/from/foo",
     THIS if behaviour.substitution_piece() == 1023 else None),
    ({"": "/run/foo u:r:this\n", ".subs": "/from /run\0/other\n"}, "/from/foo", THIS),
])
def test_what_libselinux_does_in_odd_cases(scratch, files, path, context):
    base = libselinux.write(scratch, files)
    with libselinux.Labels(base) as labels:
        verdict = compare(labels, *read(base), path, SOCKET)
    labelled = verdict.rule and verdict.rule.context != NONE_CONTEXT
    assert (verdict.rule.context if labelled else None) == context


def test_a_substitution_that_is_cut_off_is_rubbish_to_libselinux(scratch):
    files = {"": "/.* u:r:this\nme/.* u:r:rubbish\n", ".subs": "/was/longer/ here /some\n/was/longer/here\n/from"}
    base = libselinux.write(scratch, files)
    with libselinux.Labels(base) as labels:
        answers = [labels.lookup(path, MODES[SOCKET]) for path in ("/from/x", "/other/x")]
    # The remains of a line before are its target, or from 3.11 on it is passed over.
    assert answers == ([None, THIS] if behaviour.substitution_piece() == 1022 else [THIS, THIS])
    assert ".subs:3: the last line is cut off" in equivalence.fault(files[".subs"], base + ".subs")


# Bad input

def opened(root):
    return LabelDatabase(str(root.path), policyroot.POLICY)


def fifo(file):
    os.mkfifo(str(file))


def huge(file):
    with open(str(file), "wb") as stream:
        stream.truncate(65 << 20)


@pytest.mark.parametrize(("spoil", "message"), [
    (os.mkdir, "cannot read {}: it is not a regular file"),
    (fifo, "cannot read {}: it is not a regular file"),
    (huge, "cannot read {}: it is larger than 64 MiB; no policy is"),
    (lambda file: os.symlink(str(file), str(file)), "cannot read {}: Too many levels of symbolic links"),
    (lambda file: file.write_text("/a /b\n/c"),
     "{}:2: the last line is cut off: there is no target for /c; complete the line or remove it"),
])
@pytest.mark.parametrize("suffix", [".subs", ".local"])
def test_a_file_that_cannot_be_read_is_named(root, spoil, message, suffix):
    database = opened(root)
    file = root.files / ("file_contexts" + suffix)
    spoil(file)
    if suffix == ".local" and "cut off" in message:
        assert [rule for rule in database.rules() if rule.file == str(file)] == [
            filecontexts.Rule("/a", filecontexts.ALL_FILES, "/b", str(file), 1)]
        return
    with pytest.raises(HelperError) as raised:
        database.verdict("/run/foo.sock", SOCKET)
    assert str(raised.value) == message.format(file)


@pytest.mark.parametrize(("data", "message"), [
    (b"/run/foo\n", "line 1 is missing fields"),
    (b"/ok u:r:t\n/run/foo -x u:r:t\n", "line 2 has invalid file type -x"),
    (b"\x7fELF\xff\xfe\x00\x01", "line 1 error due to: Non-ASCII characters found"),
])
def test_what_libselinux_cannot_read_is_said_with_its_line(root, capfd, data, message):
    os.unlink(str(root.files / "file_contexts.bin"))
    (root.files / "file_contexts").write_bytes(data)
    with pytest.raises(HelperError) as raised:
        opened(root)
    assert str(raised.value) == "libselinux cannot read the file contexts in %s: %s/file_contexts: %s" % (
        root.files, root.files, message)
    assert capfd.readouterr().err == ""


def test_a_broken_regex_in_the_way_is_named(root):
    os.unlink(str(root.files / "file_contexts.bin"))
    file = root.files / "file_contexts"
    before = opened(root).verdict("/run/foo.sock", SOCKET)
    text = file.read_text()
    # The third is a broken one too, but libselinux does not come to it, for the file type differs.
    file.write_text(text + "/run/other(  u:r:t\n/var/(  u:r:t\n/run/(  --  u:r:t\n/run/foo[[:foo:]]  -d  u:r:t\n")
    database = opened(root)
    verdict = database.verdict("/run/setrans/foo.sock", SOCKET)
    assert (verdict.rule, verdict.broken.regex) == (None, "/run/other(")
    assert (verdict.broken.file, verdict.broken.line) == (str(file), len(text.split("\n")))
    assert verdict.beaten
    assert database.verdict("/usr/bin/passwd", "file").broken is None
    assert before.broken is None


def test_the_command_names_a_broken_regex(root, tool):
    root.profile("foo", "[foo.socket]\ntype = foo_var_run_t\npath = /run/foo.sock\n")
    file = root.files / "file_contexts.local"
    file.write_text("# by hand\n/run/bad(\tsystem_u:object_r:usr_t:s0\n")
    for verb in ("status", "register", "repair"):
        done = tool(verb)
        assert (done["status"], done["stderr"]) == (1, (
            "foreman-selinux-helpers: %s:2: libselinux cannot compile the regex /run/bad(, and so gives no labels; "
            "correct or remove this rule\n" % file))


@pytest.mark.parametrize("path", ["/run/\udcff", "/run/\0"])
def test_a_path_that_the_binding_does_not_take(root, path):
    with pytest.raises(HelperError) as raised:
        opened(root).lookup(path)
    assert str(raised.value) == (
        "the Python binding of libselinux cannot look up %r: it takes neither NUL nor what is not UTF-8" % path)


@pytest.mark.parametrize("name", ["a\nb", "a b", "%s%d", "it's", '"', "$(x)", "\\", "é", "x" * 5000])
def test_odd_paths(root, name):
    (root.files / "file_contexts.local").write_text("%s  -s  u:r:this\n" % filecontexts.escape("/odd %s/s" % name))
    database = opened(root)
    verdict = database.verdict("/odd %s/s" % name, SOCKET)
    rule = filecontexts.Rule(filecontexts.escape("/odd %s/s" % name), SOCKET, THIS)
    if len(name) > 4096 and regex_matches(rule, "/odd %s/s" % name) is None:  # too long from 3.9 on
        assert (verdict.rule, verdict.broken.regex) == (None, rule.regex)
        return
    assert verdict.rule.context == database.lookup("/odd %s/s" % name) == THIS
    assert (verdict.rule.file, verdict.rule.line) == (str(root.files / "file_contexts.local"), 1)
