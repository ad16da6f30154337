"""Who may connect by file modes.  tests/store/test_modes.py compares with the kernel."""

import pytest

from foreman_selinux_helpers.model import modes
from foreman_selinux_helpers.model.modes import AclEntry, Permissions, Reach, User
from foreman_selinux_helpers.model.sockets import mode_notes

from .test_sockets import RIGHT, changed

ROOT = Permissions("/", 0, 0, 0o755, "root", "root")
RUN = ROOT._replace(path="/run")
SOCKET = Permissions("/run/foo.sock", 0, 20, 0o660, "root", "foo")
APACHE = User("apache", 48, [48], "apache")
LIST = [AclEntry(1, 6, 0), AclEntry(2, 4, 48), AclEntry(4, 6, 0), AclEntry(8, 6, 30),
        AclEntry(16, 6, 0), AclEntry(32, 6, 0)]
MASKED = [AclEntry(1, 6, 0), AclEntry(4, 6, 0), AclEntry(16, 4, 0), AclEntry(32, 6, 0)]


def refusal(socket=SOCKET, user=APACHE, run=RUN, unseen=None):
    return modes.refusal(Reach([ROOT, run], socket, unseen, user))


@pytest.mark.parametrize(("socket", "words", "mended", "command"), [
    ({}, "may not write /run/foo.sock (root:foo 0660), being neither its owner nor in its group",
     "such as SocketGroup=apache;", "systemctl edit foo.socket"),
    ({"mode": 0o600}, "(root:foo 0600), being neither", "such as SocketGroup=apache and SocketMode=0660;",
     "systemctl edit foo.socket"),
    ({"mode": 0o446, "gid": 48}, ", being in its group", "such as SocketMode=0466;", "systemctl edit foo.socket"),
    ({"mode": 0o466, "uid": 48}, ", being its owner", "such as SocketMode=0666;", "systemctl edit foo.socket"),
    ({"acl": LIST}, ") by the entry for this user in its access control list", "has to let apache write",
     "setfacl -m u:apache:rw /run/foo.sock"),
    ({"acl": LIST[2:-1] + [AclEntry(32, 4, 0)], "mode": 0o664}, "), not being named in its access", "has to let apache",
     "setfacl -m u:apache:rw /run/foo.sock"),
    ({"acl": MASKED, "gid": 48, "mode": 0o646}, ") by the entries for groups in its", "inherits the default list",
     "setfacl -m u:apache:rw /run/foo.sock"),
])
def test_what_the_socket_refuses(socket, words, mended, command):
    refused = refusal(SOCKET._replace(**socket))
    assert str(refused).startswith("apache may not write")
    assert words in str(refused)
    told = modes.remedy(refused, "foo.socket")
    assert mended in told.words
    assert told.command == command


@pytest.mark.parametrize(("run", "unit", "words", "command"), [
    ({"mode": 0o750}, "foo.socket", "DirectoryMode= in the [Socket] section of foo.socket", "chmod o+x '/run/a b'"),
    ({"mode": 0o701, "gid": 48}, "", "has to be searchable by apache", "chmod g+x '/run/a b'"),
    ({"mode": 0o055, "uid": 48}, "", "has to be searchable by apache", "chmod u+x '/run/a b'"),
    ({"mode": 0o775, "acl": LIST}, "", "has to let apache search", "setfacl -m u:apache:x '/run/a b'"),
])
def test_what_a_directory_refuses(run, unit, words, command):
    refused = refusal(SOCKET._replace(mode=0), run=RUN._replace(path="/run/a b", **run))
    assert refused.inode.path == "/run/a b"
    assert "may not search /run/a b" in str(refused)
    told = modes.remedy(refused, unit)
    assert words in told.words
    assert ("DirectoryMode" in told.words) == bool(unit)
    assert told.command == command


def test_what_another_program_made_has_no_setting():
    assert modes.remedy(refusal(), "") == ("the program that made /run/foo.sock decides its owner and mode", None)


@pytest.mark.parametrize("change", [
    {"user": User("root", 0, [0], "root")}, {"user": User("apache", 48, [48, 20], "apache")},
    {"socket": SOCKET._replace(mode=0o662)}, {"socket": SOCKET._replace(uid=48)},
    {"socket": SOCKET._replace(mode=0o602, acl=LIST)},  # an empty mask hides the list
    {"socket": None}, {"user": None}, {"unseen": "who may connect: Permission denied"},
])
def test_what_is_not_refused_or_not_known(change):
    assert refusal(**change) is None


def test_one_of_its_groups_is_enough():
    inode = SOCKET._replace(gid=48, acl=[one._replace(permissions=4) if one.tag == 4 else one for one in LIST[2:]])
    assert modes.allowed(inode, APACHE, modes.WRITE) == (False, modes.ACL_GROUPS)
    assert modes.allowed(inode, APACHE._replace(groups=[48, 30]), modes.WRITE) == (True, modes.ACL_GROUPS)


@pytest.mark.parametrize(("value", "entries"), [
    (b"\2\0\0\0", []),
    (b"\2\0\0\0" b"\2\0\6\0\x61\xea\0\0" b"\x20\0\4\0\xff\xff\xff\xff", [(2, 6, 60001), (32, 4, 0xFFFFFFFF)]),
])
def test_the_attribute(value, entries):
    assert modes.parse_acl(value) == entries


@pytest.mark.parametrize("value", [b"", b"\2", b"\1\0\0\0", b"\3\0\0\0", b"\0\0\0\2", b"\2\0\0\0\1", b"\2\0\0\0" + b"\0" * 7])
def test_what_is_no_attribute(value):
    with pytest.raises(ValueError, match="not an access control list"):
        modes.parse_acl(value)


OPEN = Reach([ROOT, RUN], SOCKET._replace(mode=0o666))
REFUSING = Reach([ROOT, RUN], SOCKET, user=APACHE)


@pytest.mark.parametrize(("change", "note"), [
    ({"wanted_client": "httpd_t"}, "by its mode 0666 (systemd's default is 0666), and the profile foo names only httpd_t:"),
    ({"wanted_user": "apache"}, "names only apache:"),
    ({"wanted_client": "httpd_t", "wanted_user": "apache"}, "names only httpd_t and apache:"),
    ({"wanted_user": "x", "listening": False, "reach": Reach()}, "names the user x, which this host does not have"),
    ({"wanted_user": "x", "listening": False, "reach": Reach(), "in_use": False}, None),
    ({}, None),
    ({"wanted_client": "httpd_t", "listening": False}, None),
    ({"wanted_client": "httpd_t", "reach": OPEN._replace(socket=SOCKET)}, None),
    ({"wanted_client": "httpd_t", "reach": OPEN._replace(socket=None)}, None),
    ({"wanted_client": "httpd_t", "reach": OPEN._replace(unseen="why")}, None),
    ({"wanted_client": "httpd_t", "reach": OPEN._replace(directories=[ROOT, RUN._replace(mode=0o750)])}, None),
])
def test_notes(change, note):
    found = mode_notes(changed(RIGHT, **dict({"reach": OPEN._replace(user=APACHE)}, **change)))
    assert len(found) == (note is not None)
    assert all(note in one for one in found)
