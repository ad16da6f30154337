import os
import random

import pytest

from foreman_selinux_helpers.doors import profilefiles
from foreman_selinux_helpers.model import profiles
from foreman_selinux_helpers.model.errors import UsageError

GOOD = "[foo.socket]\ntype = foo_t\n"


def write(root, text, name="foo.conf", directory=profilefiles.VENDOR_DIR, mode=0o644):
    file = root / directory / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    file.chmod(mode)
    return file


def only_refusal(root):
    found = profilefiles.load(str(root))
    assert found.sockets == []
    (broken,) = found.broken
    return broken


def test_the_whole_syntax():
    (one,) = profiles.parse("[a@b.socket]\ntype = a_t  # why\npath = /run/a%d.sock\n  /run/b#c\nregex = /run/x-.*\n"
                            "client = httpd_t\nrestart = never\n", "p")
    assert one == profiles.SocketProfile("a@b.socket", "p", "a_t", ("/run/a%d.sock", "/run/b#c"), ("/run/x-.*",),
                                         "httpd_t", "never")


def test_plain_lines_mean_what_configparser_says():
    lines = ["[a.socket]", "[b.socket]", "[ c ]", "[]", "[a", "[a]]", "[a.socket] # why", "[x] = y", "", "# no", "; no",
             " ; no", "type = x_t", "Type=y_t", "path = /run/a", "path =", "path = = b", "path=/run/a b ; c",
             "path = /run/a#b", "path = /run/a #b", "  /run/b", "type x", "= x", "key with ] = [v]", "é = ß",
             "type = x\r", "type\t=\tx", "client = \x1cx", "%(a)s = %", "[\0]", "[DEFAULT]", "type = x\x85y"]
    rng = random.Random(1)
    plain = 0
    for _ in range(5000):
        text = "\n".join(rng.choice(lines) for _ in range(rng.randrange(1, 7)))
        if rng.random() < 0.6:
            text = "[d.socket]\n" + text
        found = profiles._plain(text)
        if found is not None:
            plain += 1
            assert profiles._by_configparser(text, "p") == found, text
    assert 500 < plain < 4500
    assert profiles._plain(GOOD) == {"foo.socket": {"type": "foo_t"}}


def test_names_of_types_hold_hyphens():
    (one,) = profiles.parse("[a.socket]\ntype = speech-dispatcher_t\nclient = a.b-c_t\n", "p")
    assert (one.type, one.client) == ("speech-dispatcher_t", "a.b-c_t")


@pytest.mark.parametrize("name", ["apache", "www-data", "_x", "A.b", "x" * 31])
def test_names_of_users(name):
    (one,) = profiles.parse("[a.socket]\ntype = x\nuser = %s\n" % name, "p")
    assert one.user == name


@pytest.mark.parametrize(("text", "line", "words"), [
    ("", 0, "no section"),
    ("[a.socket]\ntype = -x\n", 2, "not the name of a type"),
    ("type = x\n", 1, "before the first"),
    ("[a.socket]\nnonsense\n", 2, "key = value"),
    ("[a.socket]\ntype = x\ntype = y\n", 3, "given twice"),
    ("[a.socket]\ntype = x\n[a.socket]\n", 3, "given twice"),
    ("[a.service]\ntype = x\n", 1, "not the name of a socket unit"),
    ("[../a.socket]\ntype = x\n", 1, "not the name of a socket unit"),
    ("[--root.socket]\ntype = x\n", 1, "not the name of a socket unit"),
    ("\n[a.socket]\n", 2, "needs type"),
    ("[a.socket]\ntype = a b\n", 2, "not the name of a type"),
    ("[a.socket]\ntype = x;reboot\n", 2, "not the name of a type"),
    ("[a.socket]\ntype = x\ncolour = red\n", 3, "unknown key"),
    ("[a.socket]\ntype = x\nclient = $(id)\n", 3, "not the name of a domain"),
    ("[a.socket]\ntype = x\nuser = 48\n", 3, "not the name of a user"),
    ("[a.socket]\ntype = x\nuser =\n", 3, "not the name of a user"),
    ("[a.socket]\ntype = x\nuser = -x\n", 3, "not the name of a user"),
    ("[a.socket]\ntype = x\nuser = a b\n", 3, "not the name of a user"),
    ("[a.socket]\ntype = x\nuser = %s\n" % ("x" * 32), 3, "not the name of a user"),
    ("[a.socket]\ntype = x\nrestart = perhaps\n", 3, "must be one of"),
    ("[a.socket]\ntype = x\npath = run/a\n", 3, "not an absolute path"),
    ("[a.socket]\ntype = x\npath = /run/../etc/shadow\n", 3, "not an absolute path"),
    ("[a.socket]\ntype = x\npath = /run/..\n", 3, "not an absolute path"),
    ("[a.socket]\ntype = x\npath = /\n", 3, "directory"),
    ("[a.socket]\ntype = x\npath = /run/\n", 3, "directory"),
    ("[a.socket]\ntype = x\npath = /run/./a\n", 3, "directory"),
    ("[a@.socket]\ntype = x\n", 1, "not the name of a socket unit"),
    ("[@a.socket]\ntype = x\n", 1, "not the name of a socket unit"),
    ("[" + 250 * "a" + ".socket]\ntype = x\n", 1, "not the name of a socket unit"),
    ("[a.socket]\ntype = x\nregex = /run/it's\n", 3, "no quotes"),
    ("[a.socket]\ntype = x\nregex = /run/é\n", 3, "no non-ASCII"),
    ("[a.socket]\ntype = x\nregex = /run/(\n", 3, "does not compile"),
    ("[a.socket]\ntype = x\nregex = /run/a b\n", 3, "no white space"),
])
def test_what_is_refused_is_said_with_its_line(tmp_path, text, line, words):
    file = write(tmp_path, text)
    broken = only_refusal(tmp_path)
    assert (broken.file, broken.line) == (str(file), line)
    assert words in broken.reason
    assert "\n" not in str(broken)


@pytest.mark.skipif(os.geteuid() != 0, reason="owners can only be given away by root")
def test_only_root_may_own_and_write_a_profile(tmp_path):
    file = write(tmp_path, GOOD, mode=0o664)
    assert "written by others" in only_refusal(tmp_path).reason
    file.chmod(0o644)
    os.chown(str(file), 12345, 0)
    assert "12345" in only_refusal(tmp_path).reason


@pytest.mark.parametrize(("content", "words"), [
    (b"\xff\xfe[\x00a", "UTF-8"), (b"#" * (profilefiles.MAX_SIZE + 1), "larger")])
def test_odd_content(tmp_path, content, words):
    write(tmp_path, content)
    assert words in only_refusal(tmp_path).reason


def test_links_and_other_things_are_refused(tmp_path):
    directory = write(tmp_path, GOOD, "target").parent
    (directory / "link.conf").symlink_to(directory / "target")
    assert "symbolic link" in only_refusal(tmp_path).reason
    (directory / "link.conf").unlink()
    os.mkfifo(str(directory / "pipe.conf"))
    assert "regular file" in only_refusal(tmp_path).reason
    (directory / "pipe.conf").unlink()
    (directory / "directory.conf").mkdir()
    assert "regular file" in only_refusal(tmp_path).reason


@pytest.mark.parametrize("paths", ["/run/a, /run/b", "/run/a /run/b", "/run/a,/run/b"])
def test_two_paths_on_a_line_are_not_taken_for_one(tmp_path, paths):
    write(tmp_path, "[foo.socket]\ntype = t\npath = %s\n" % paths)
    refused = only_refusal(tmp_path)
    assert (refused.line, "on a line of its own" in refused.reason) == (3, True)


def test_a_byte_order_mark_does_no_harm(tmp_path):
    write(tmp_path, "\ufeff" + GOOD)
    assert not profilefiles.load(str(tmp_path)).broken


def test_a_directory_that_one_may_not_read(tmp_path, monkeypatch):
    write(tmp_path, GOOD)

    def may_not(directory):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "listdir", may_not)
    refused = profilefiles.load(str(tmp_path)).broken
    assert {one.reason for one in refused} == {"cannot be read: Permission denied"}


@pytest.mark.filterwarnings("error")
def test_a_regex_that_python_reads_otherwise_is_taken_without_a_word():
    (one,) = profiles.parse("[foo.socket]\ntype = t\nregex = /run/[[:alnum:]]+\\.sock\n", "foo")
    assert one.regexes == ("/run/[[:alnum:]]+\\.sock",)


def test_the_administrator_overrides_and_masks(tmp_path):
    write(tmp_path, GOOD)
    write(tmp_path, GOOD.replace("foo_t", "mine_t"), directory=profilefiles.ADMIN_DIR)
    assert [one.type for one in profilefiles.load(str(tmp_path)).sockets] == ["mine_t"]
    file = tmp_path / profilefiles.ADMIN_DIR / "foo.conf"
    file.unlink()
    file.symlink_to("/dev/null")
    assert profilefiles.load(str(tmp_path)) == profiles.Profiles([], [])


def test_a_broken_profile_does_not_stop_the_others(tmp_path):
    write(tmp_path, "nonsense", "a.conf")
    write(tmp_path, GOOD, "b.conf")
    write(tmp_path, GOOD, "c.conf")
    found = profilefiles.load(str(tmp_path))
    assert [one.profile for one in found.sockets] == ["b"]
    assert [one.name for one in found.broken] == ["a", "c"]
    assert "already claimed by profile b" in found.broken[1].reason


def test_a_package_that_brings_a_profile_for_a_unit_of_ours_wins_over_the_default(tmp_path):
    ours = "[foreman.socket]\ntype = ours_t\n[foreman-other.socket]\ntype = ours_t\n"
    theirs = "[foreman.socket]\ntype = theirs_t\n"
    write(tmp_path, ours, "foreman.conf")
    for name in ("a.conf", "z.conf"):
        write(tmp_path, theirs, name)
        found = profilefiles.load(str(tmp_path))
        assert {one.unit: one.type for one in found.sockets} == {
            "foreman.socket": "theirs_t", "foreman-other.socket": "ours_t"}
        assert found.broken == []
        (tmp_path / profilefiles.VENDOR_DIR / name).unlink()
    # What the administrator puts in its place is no default.
    write(tmp_path, ours, "foreman.conf", directory=profilefiles.ADMIN_DIR)
    write(tmp_path, theirs, "a.conf")
    assert [one.name for one in profilefiles.load(str(tmp_path)).broken] == ["foreman"]


def test_select_by_profile_and_unit():
    one, other = (profiles.SocketProfile(name + ".socket", "p", "t") for name in "ab")
    assert profiles.select([one, other], []) == ([one, other], set())
    assert profiles.select([one, other], ["p"]) == ([one, other], set())
    assert profiles.select([one, other], ["b.socket", "x"]) == ([other], {"x"})


def test_a_unit_without_a_profile():
    assert profiles.unprofiled("x.socket").type == ""
    with pytest.raises(UsageError):
        profiles.unprofiled("x.service")


def test_the_shipped_profiles_are_good():
    top = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    for name in ("foreman", "pulpcore"):
        with open(os.path.join(top, "profiles.d", name + ".conf")) as stream:
            text = stream.read()
        assert all(one.client == "httpd_t" for one in profiles.parse(text, name))
        assert profiles._plain(text) is not None  # quickly read
