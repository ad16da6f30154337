"""What explain makes of what it sees, and who may connect; the real thing is in the store and the guest tests."""

import pytest

from foreman_selinux_helpers.doors import denials, labels, selinuxlib
from foreman_selinux_helpers.doors.selinuxlib import Why
from foreman_selinux_helpers.model import access as judging
from foreman_selinux_helpers.model import explanation, pathfacts
from foreman_selinux_helpers.model.access import Check, denied, denied_for_good
from foreman_selinux_helpers.model.errors import UsageError
from foreman_selinux_helpers.model.filecontexts import ALL_FILES, SOCKET, Rule
from foreman_selinux_helpers.sources import clients

from ..model.test_sockets import BAD, RIGHT, changed

LABEL = "system_u:object_r:var_run_t:s0"


def check(allowed, right_allowed, target="/run/foo.sock", file_class="sock_file", permission="write"):
    return Check(target, file_class, permission, LABEL, allowed, LABEL, right_allowed)


@pytest.mark.parametrize(("checks", "first"), [
    ([], None),
    ([check(True, True), check(None, None), check(None, False)], None),
    ([check(False, True), check(False, False)], 1),  # what no label can cure comes first
    ([check(True, True), check(False, True), check(False, None)], 1),
])
def test_what_is_denied_now(checks, first):
    assert denied(checks) == (None if first is None else checks[first])
    assert denied_for_good(checks) == [one for one in checks if one.right_allowed is False]


def test_connecting_takes_every_directory_the_inode_and_the_socket(monkeypatch, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to("a")
    view = changed(RIGHT, path=str(tmp_path / "link" / "s"), path_label=BAD)
    monkeypatch.setattr(labels, "path_label", lambda path: "d:d:%s" % path)
    asked = []

    def allowed(source, target, file_class, permission):
        asked.append((target, file_class, permission))
        return target != BAD

    monkeypatch.setattr(selinuxlib, "allowed", allowed)
    found = clients.connecting("client", view, lambda path: None)
    directories = [one.target for one in found if one.file_class == "dir"]
    assert directories[0] == "/"
    assert directories[-1] == str(tmp_path / "a")
    assert directories == sorted(directories)
    assert [(one.file_class, one.permission, one.allowed, one.right_allowed) for one in found[-2:]] == [
        ("sock_file", "write", False, True), ("unix_stream_socket", "connectto", True, True)]
    assert len(asked) == len(found) + 1  # a label that is right is asked for once
    datagram = clients.connecting("client", changed(view, datagram=True, socket_label=None), lambda path: None)[-1]
    assert (datagram.file_class, datagram.permission, datagram.allowed, datagram.right_allowed) == (
        "unix_dgram_socket", "sendto", None, True)


@pytest.mark.parametrize(("whys", "command"), [
    ([Why("no allow rule"), Why("no allow rule, and not audited")],
     "echo '(allow web_t var_run_t (sock_file (write))) (allow web_t var_run_t (unix_stream_socket (connectto)))'"
     " >my-web_t.cil && semodule -i my-web_t.cil"),
    ([Why("no allow rule"), Why("boolean", (("web_may", True), ("other", True)))], "setsebool -P web_may on"),
    ([Why("boolean", (("web_must_not", False),)), None], "setsebool -P web_must_not off"),
    ([Why("constraint"), Why("no allow rule")], None),  # no allow rule mends that
])
def test_what_the_policy_denies(whys, command):
    refused = [check(False, False), check(False, False, judging.SOCKET_OBJECT, "unix_stream_socket", "connectto")]
    judged = judging.policy_denies("web_t", refused, whys)
    assert judged.command == command
    assert "web_t" in judged.words
    assert "/run/foo.sock (var_run_t)" in judged.words
    assert "decide" in judged.remedy


@pytest.mark.parametrize(("local", "command"), [
    ([], "semanage fcontext -a -t foo_t '/run/foo\\.sock'"),
    ([Rule("/run/foo\\.sock", "file", LABEL), Rule("/run/.*", ALL_FILES, LABEL)],
     "semanage fcontext -a -t foo_t '/run/foo\\.sock'"),
    ([Rule("/run/foo[.]sock", ALL_FILES, LABEL)], "semanage fcontext -a -t foo_t '/run/foo\\.sock'"),
    ([Rule("/run/foo\\.sock", ALL_FILES, LABEL)], "semanage fcontext -m -f a -t foo_t '/run/foo\\.sock'"),
    ([Rule("/run/foo\\.sock", ALL_FILES, LABEL), Rule("/run/foo\\.sock", SOCKET, LABEL)],
     "semanage fcontext -m -f s -t foo_t '/run/foo\\.sock'"),
])
def test_the_rule_to_make(local, command):
    assert explanation.fcontext_command("foo_t", "/run/foo.sock", local) == command


@pytest.mark.parametrize(("given", "path"), [
    ("/run/foo.sock", "/run/foo.sock"), ("//run/./foo.sock/", "/run/foo.sock"), ("/", "/"), ("/a b/'", "/a b/'")])
def test_a_path_is_made_plain(given, path):
    assert pathfacts.plain_path(given) == path


@pytest.mark.parametrize("path", ["", "foo", "./foo", "/a/../b", "/..", "/a\0b", "/\udcff"])
def test_what_is_no_path_to_explain(path):
    with pytest.raises(UsageError):
        pathfacts.plain_path(path)


AVC = ('type=AVC msg=audit(%d.123:45): avc:  denied  { %s } for  pid=9 comm="web-client" %s scontext='
       'system_u:system_r:httpd_t:s0 tcontext=%s tclass=%s permissive=%d')


def denial(fields, time=1000, permission="write", file_class="sock_file", permissive=0):
    return AVC % (time, permission, fields, LABEL, file_class, permissive)


@pytest.mark.parametrize(("line", "found"), [
    (denial('name="foo.sock" dev="tmpfs" ino=5'), True),
    (denial('name="other.sock" dev="tmpfs" ino=5'), False),
    (denial('name="foo.sock" dev="tmpfs" ino=5', file_class="file"), False),
    (denial('name="foo.sock"', time=10), False),
    (denial('path="/run/foo.sock"', permission="connectto", file_class="unix_stream_socket"), True),
    (denial("path=2F72756E2F666F6F2E736F636B", permission="connectto", file_class="unix_stream_socket"), True),
    (denial('path="/var/lib/foo.sock"', permission="connectto", file_class="unix_stream_socket"), False),
    (denial('name="foo.sock"').replace("denied ", "granted"), False),
    ("audit: " + denial('name="foo.sock"'), True),
    ("garbage name=\"foo.sock\" avc: denied", False),
])
def test_the_denials_that_are_about_a_path(line, found):
    selected = denials.select([line], "/run/foo.sock", 500.0)
    assert len(selected) == int(found)
    if found:
        assert (selected[0].time, selected[0].comm, selected[0].target, selected[0].permissive) == (
            1000, "web-client", LABEL, False)


def test_the_last_denials_count():
    lines = [denial('name="foo.sock"', time=1000 + number, permissive=number % 2) for number in range(20)]
    selected = denials.select(lines, "/run/foo.sock", 500.0)
    assert [one.time for one in selected] == [1015, 1016, 1017, 1018, 1019]
    assert [one.permissive for one in selected] == [True, False, True, False, True]
