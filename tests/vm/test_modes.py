"""Who may connect by file modes: the kernel refuses a real user, the cause says why, and what is printed mends it."""

import shlex
from typing import Any, Dict

from .guest import Guest
from .test_explain import put_profile, put_unit
from .test_story import SOCKET, assert_right

USER = "nobody"
CONNECT = "import socket, sys; print(socket.socket(socket.AF_UNIX).connect_ex(sys.argv[1]))"
# user::rw-, user:nobody:---, group::rw-, mask::rw-, other::rw-
ACL = ("import os, pwd, struct, sys; os.setxattr(sys.argv[1], 'system.posix_acl_access', struct.pack('<I', 2) + b''.join("
       "struct.pack('<HHI', *one) for one in ((1, 6, 2**32 - 1), (2, 0, pwd.getpwnam('nobody').pw_uid),"
       " (4, 6, 2**32 - 1), (16, 6, 2**32 - 1), (32, 6, 2**32 - 1))))")
FOREMAN = "[foreman.socket]\ntype = foreman_var_run_t\nclient = httpd_t\nuser = %s\n"


def refused(guest: Guest, path: str) -> bool:
    """Tell whether the kernel refuses the user."""
    out = guest.check("runuser -u %s -- /usr/bin/python3 -Ic %s %s" % (USER, shlex.quote(CONNECT), path)).strip()
    assert out in ("0", "13")
    return out == "13"


def judged(guest: Guest, path: str, denied: bool) -> Dict[str, Any]:
    """Assert that status, explain and repair say what the kernel does; return what explain says."""
    assert refused(guest, path) is denied
    before = guest.check("stat -c '%%U %%G %%a' %s %s" % (path, path.rpartition("/")[0]))
    cause = "mode-denies" if denied else None
    found = guest.tool("explain", path)
    for document in (guest.tool("status"), guest.tool("repair")):
        (socket,) = [one for one in document["sockets"] if one["path"] == path]
        assert (document["status"], socket["problem"], socket["remedy"]) == (int(denied), cause, found["remedy"])
        assert [socket[key] for key in ("owner", "group", "mode")] == [found[key] for key in ("owner", "group", "mode")]
    assert (found["status"], found["cause"]) == (int(denied), cause)
    owner, group, mode = before.splitlines()[0].split()
    assert (found["owner"], found["group"], found["mode"]) == (owner, group, mode.rjust(4, "0"))
    assert guest.check("stat -c '%%U %%G %%a' %s %s" % (path, path.rpartition("/")[0])) == before
    return found


def test_who_may_connect(boot, install, demo):
    with boot() as guest:
        install(guest, demo("foreman"))
        assert_right(guest, "foreman")
        status = guest.tool("status")
        assert [one for one in status["notes"] if "every local user may connect to /run/foreman.sock by its mode 0666" in one]

        # A user that the host does not have is no problem; nor is one that may connect.
        put_profile(guest, "foreman-demo", FOREMAN % "nosuch")
        assert "names the user nosuch, which this host does not have" in " ".join(judged(guest, SOCKET, False)["notes"])
        put_profile(guest, "foreman-demo", FOREMAN % USER)
        judged(guest, SOCKET, False)

        guest.put("/etc/systemd/system/foreman.socket.d/mode.conf", b"[Socket]\nSocketMode=0600\n")
        guest.check("systemctl daemon-reload && systemctl restart foreman.socket")
        found = judged(guest, SOCKET, True)
        assert "nobody may not write /run/foreman.sock (root:root 0600)" in found["why"]
        assert not any("every local user" in one for one in found["notes"])
        assert found["command_to_run"] == "systemctl edit foreman.socket"
        settings = "SocketGroup=nogroup and SocketMode=0660"
        assert settings in found["remedy"]
        guest.put("/root/editor", ("#!/bin/sh\nsed -i '2a [Socket]\\n%s' \"$1\"\n" % settings.replace(
            " and ", "\\n")).encode(), 0o755)
        guest.check("script -qec 'env SYSTEMD_EDITOR=/root/editor %s' /dev/null" % found["command_to_run"])
        guest.check("systemctl restart foreman.socket")
        found = judged(guest, SOCKET, False)
        assert (found["owner"], found["group"], found["mode"]) == ("root", "nogroup", "0660")
        assert_right(guest, "foreman")

        # An entry for the user counts for more than its group.
        guest.check("/usr/bin/python3 -Ic %s %s" % (shlex.quote(ACL), SOCKET))
        found = judged(guest, SOCKET, True)
        assert "entry for this user in its access control list" in found["why"]
        assert found["command_to_run"] == "setfacl -m u:nobody:rw /run/foreman.sock"
        guest.check("systemctl restart foreman.socket")

        # A directory on the way, which systemd makes.
        guest.put("/etc/systemd/system/x.socket.d/mode.conf", b"[Socket]\nDirectoryMode=0750\n")
        put_unit(guest, "x", "/run/setrans/x.sock")
        put_profile(guest, "x", "[x.socket]\ntype = setrans_runtime_t\nuser = %s\n" % USER)
        found = judged(guest, "/run/setrans/x.sock", True)
        assert "nobody may not search /run/setrans (root:root 0750)" in found["why"]
        assert "DirectoryMode= in the [Socket] section of x.socket" in found["remedy"]
        assert found["command_to_run"] == "chmod o+x /run/setrans"
        guest.check(found["command_to_run"])
        judged(guest, "/run/setrans/x.sock", False)
