"""CentOS 7 and 8: the whole story where systemd answers as 219 and 239 do, enforcing.

What is emulated, each test says again: the answers of systemctl, busctl and systemd-run to our command (old_systemd.py,
which is compared with what the real versions answered), what the systemd binary says of its version, a PID 1 that keeps its
label cache (stale_pid1.c), and for 219 a PID 1 that labels wrongly where it finds an old socket file.  Below is Debian 12.
"""

import re
from pathlib import Path
from typing import Dict, List

from ..packages import build
from ..packages.build import NO_RULE
from . import old_systemd
from .conftest import PACKAGES
from .guest import COMMAND, Guest
from .test_story import assert_right, sockets, steps

HERE = Path(__file__).resolve().parent
CONTEXTS = "/etc/selinux/default/contexts/files"
# A socket whose object has the wrong label: its program had another one when it was made.
FOO = "/run/foo.sock"
FOO_PROGRAM = "/usr/local/bin/foo"
MAKE_FOO = ("cp /bin/sleep {0} && chcon -t httpd_exec_t {0} && systemctl daemon-reload && systemctl start foo.socket &&"
            " restorecon {0}").format(FOO_PROGRAM)
# Same length: it is replaced in libsystemd-shared.
BINARY_SAYS = """
import os, sys
path = "/usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-252.so"
content = open(path, "rb").read()
(found,) = {part for part in content.split(b"\\0") if part.startswith(b"systemd 252 (")}
now = b"systemd %s\\n%%s\\n" % sys.argv[1].encode()
with open(path + ".new", "wb") as file:
    file.write(content.replace(found + b"\\0", now + b"\\0" * (len(found) - len(now) + 1)))
os.rename(path + ".new", path)
"""
# Before our command alone: semanage itself needs the binding.
HIDE_BINDING = """import sys
with open("/proc/self/cmdline", "rb") as _file:
    _words = _file.read().split(b"\\0")[1:3]
if any(_word.endswith(b"/foreman-selinux-helpers") or b"/libexec/foreman-selinux-helpers/" in _word for _word in _words):
    sys.modules["semanage"] = None
"""


def become(guest: Guest, version: str) -> None:
    """Have our command answered as this version does."""
    said = old_systemd.VERSIONS[version]
    guest.put("/root/binary_says.py", BINARY_SAYS.encode())
    guest.put("/root/old_systemd.py", (HERE / "old_systemd.py").read_bytes(), 0o755)
    guest.put(old_systemd.DIRECTORY + "/version", version.encode())
    guest.check("python3 -I /root/binary_says.py '%s' && restorecon /usr/lib/x86_64-linux-gnu/systemd/*.so" % said)
    guest.check("for one in systemctl busctl systemd-run; do mv /usr/bin/$one {0}/ && chcon -t bin_t {0}/$one &&"
                " cp /root/old_systemd.py /usr/bin/$one; done".format(old_systemd.DIRECTORY))
    assert guest.check("/usr/lib/systemd/systemd --version").startswith("systemd %s\n" % said)


def add_foo(guest: Guest) -> None:
    """Start foo.socket, of which the object's label is httpd_t and should be initrc_t."""
    guest.put("/etc/systemd/system/foo.socket", b"[Socket]\nListenStream=%s\n" % FOO.encode())
    guest.put("/etc/systemd/system/foo.service", b"[Unit]\nRequires=foo.socket\n[Service]\nExecStart=%s infinity\n"
              % FOO_PROGRAM.encode())
    guest.put("/etc/foreman-selinux-helpers/profiles.d/foo.conf", b"[foo.socket]\ntype = httpd_runtime_t\n")
    guest.check(MAKE_FOO)


def orders(guest: Guest) -> Dict[str, int]:
    """Return how often our command gave each order, and forget them."""
    found: Dict[str, int] = {}
    for line in asked(guest):
        words = line.replace(" -- ", " ").split()
        if words[0] == "systemd-run" or words[1] in ("start", "stop", "restart", "daemon-reload", "daemon-reexec"):
            order = words[0] if words[0] == "systemd-run" else " ".join(words[1:])
            found[order] = found.get(order, 0) + 1
    return found


def asked(guest: Guest) -> List[str]:
    """Return what our command asked and ordered since this was last looked at."""
    return guest.check("touch {0}; cat {0}; rm {0}".format(old_systemd.LOG)).split("\n")[:-1]


def assert_nothing_left(guest: Guest) -> None:
    """Assert that another run does nothing."""
    before = (guest.commits(), guest.reexec_count())
    orders(guest)
    again = guest.tool("repair")
    assert (again["status"], again["changed"], again["plan"], again["results"]) == (0, False, [], [])
    assert orders(guest) == {}
    assert (guest.commits(), guest.reexec_count()) == before


def object_type(one: Dict[str, str]) -> str:
    """Return the type of a socket object in a document."""
    return one["socket_label"].split(":")[2]


def test_rhel_8_before_the_backport(boot, install, demo):
    """239-41: its answers are emulated, and that PID 1 keeps its label cache; told, explained, and mended by rpm alone."""
    with boot(stale_pid1=True) as guest:
        become(guest, "239-41")
        install(guest, demo("foreman", 2, helper="none"), triggers=False)
        add_foo(guest)

        status = guest.tool("status")
        found = sockets(status)
        assert (status["status"], status["label_cache"]["state"]) == (1, "stale")
        assert found["foreman.socket"]["problem"] == "label-cache-stale"
        assert [object_type(found[unit]) for unit in ("foreman.socket", "foo.socket")] == ["initrc_t", "httpd_t"]
        assert any(line.startswith("busctl get-property") for line in asked(guest))
        assert guest.tool("explain", "/run/foreman.sock")["cause"] == "label-cache-stale"
        running = guest.tool("detect")["running"]
        assert (running["version"], running["evr"], running["refresh"]) == ("239 (239-41.el8_3)", "239-41.el8_3", "NEVER")
        assert "daemon-reexec" in [one["step"] for one in guest.tool("repair", "--dry-run")["plan"]]
        assert orders(guest) == {}

        install(guest, demo("foreman", 2, helper="macros", policy=False, edition=2))  # the policy module stays
        assert orders(guest) == {"daemon-reexec": 1, "restart foreman.socket": 1, "restart foo.socket": 1}, guest.journal()
        assert guest.reexec_count() == 1
        assert_right(guest, "foreman")
        found = sockets(guest.tool("status"))
        assert object_type(found["foo.socket"]) == "initrc_t"
        assert {one["problem"] for one in found.values()} == {None}
        assert_nothing_left(guest)

        assert guest.rpm("-e", "foreman-demo", "foreman-selinux-helpers") == (0, "", "")
        assert guest.rules() == []
        assert guest.reexec_count() == 1


def test_rhel_8_after_the_backport(boot):
    """239-82: its answers are emulated; PID 1 is Debian's, which notices policy loads too. The socket object is judged."""
    with boot() as guest:
        become(guest, "239-82")
        guest.check("semanage fcontext -a -t httpd_runtime_t '/run/foo\\.sock'")
        add_foo(guest)
        one = sockets(guest.tool("status"))["foo.socket"]
        assert (one["problem"], object_type(one)) == ("socket-label", "httpd_t")
        running = guest.tool("detect")["running"]
        assert (running["evr"], running["refresh"]) == ("239-82.el8_10.2", "ON_POLICY_LOAD")
        orders(guest)
        done = guest.tool("repair")
        assert (done["status"], steps(done)) == (0, ["restart"])
        assert orders(guest) == {"restart foo.socket": 1}
        assert object_type(sockets(done)["foo.socket"]) == "initrc_t"
        assert_nothing_left(guest)
        assert guest.reexec_count() == 0


def become_el7(guest: Guest, ours: Path, directory: Path) -> None:
    """Make of a guest what EL 7 is: systemd 219, rules in text alone, no binding of libsemanage, our package for it."""
    become(guest, "219")
    guest.put("/etc/os-release", b'NAME="CentOS Linux"\nID="centos"\nID_LIKE="rhel fedora"\nVERSION_ID="7"\n')
    guest.put("/usr/lib/python3/dist-packages/hide_binding.py", HIDE_BINDING.encode())
    guest.put("/usr/lib/python3/dist-packages/hide_binding.pth", b"import hide_binding\n")
    guest.check("printf '[sefcontext_compile]\\npath = /bin/true\\nargs = $@\\n[end]\\n' >>/etc/selinux/semanage.conf &&"
                " rm -f %s/*.bin && systemctl daemon-reexec" % CONTEXTS)
    packages = guest.put_files("/root/rpms", [build.el7(ours, directory), build.systemd(
        PACKAGES, "78.el7_9.9", upstream="219")])
    # It requires packages by their names in EL 7.
    assert guest.rpm("-U", "--nodeps", *packages) == (0, "", "")
    assert "file_contexts" not in guest.check("cat /proc/1/maps")


def test_el_7_whole(boot, install, demo, base_packages, tmp_path):
    """219: its answers are emulated, a PID 1 that keeps its cache, and one that labels a re-bound socket as its directory.

    And the rest of EL 7: no compiled rules, so that nobody can see what PID 1 holds; /run stands for /var/run; our command
    finds no binding of libsemanage; no file triggers, but our package's own scriptlet and the macros.
    """
    with boot("el", stale_pid1=True) as guest:
        become_el7(guest, base_packages[1], tmp_path)
        guest.put("/etc/foreman-selinux-helpers/profiles.d/bar.conf", b"[bar.socket]\ntype = bar_var_run_t\nclient = httpd_t\n")
        install(guest, demo("bar", variant=NO_RULE, layout="el", helper="none"))
        before = guest.reexec_count()
        orders(guest)

        status = guest.tool("status")
        assert (status["status"], status["label_cache"]["state"]) == (1, "unknown")
        assert sockets(status)["bar.socket"]["problem"] == "no-rule"
        assert object_type(sockets(status)["bar.socket"]) == "initrc_t"
        detected = guest.tool("detect")
        assert [detected["running"][name] for name in ("version", "evr", "refresh")] == ["219", None, "NEVER"]
        assert detected["installed"]["evr"] == "219-78.el7_9.9"
        planned = [one["step"] for one in guest.tool("repair", "--dry-run")["plan"]]
        assert orders(guest) == {}

        install(guest, demo("bar", variant=NO_RULE, layout="el", helper="macros", policy=False, edition=2))
        journal = guest.journal()
        assert orders(guest) == {"daemon-reexec": 1, "restart bar.socket": 1}, journal
        assert guest.reexec_count() == before + 1
        assert [rule.split()[0] for rule in guest.rules()] == ["/var/run/bar\\.sock"]
        assert_right(guest, "bar")
        assert len(re.findall("relabel /run/bar.sock: done", journal)) == 1
        assert {"daemon-reexec", "restart"} <= set(planned)
        assert_nothing_left(guest)

        # Somebody's restart labels it wrongly again: a re-exec would not help, and is not tried.
        guest.check("systemctl restart bar.socket")
        assert guest.label("/run/bar.sock") == "var_run_t"
        said = guest.run([COMMAND, "explain", "/run/bar.sock"])
        assert said.status == 1
        assert "whether PID 1 knows them is unknown" in " ".join(said.out.split())
        done = guest.tool("repair")
        assert (done["status"], steps(done)) == (0, ["relabel"])
        assert orders(guest) == {}
        assert guest.label("/run/bar.sock") == "bar_var_run_t"
        assert guest.reexec_count() == before + 1

        assert guest.rpm("-e", "bar-demo") == (0, "", "")
        assert guest.rules() == []
        assert guest.reexec_count() == before + 1
