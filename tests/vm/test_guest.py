"""The guests themselves: a boot, the emulation of an old PID 1 and the two policy layouts.

Nothing of ours is installed here, so that a failure points at the harness and not at the product.
"""

import time
from typing import Callable

import pytest

from .guest import Guest

RULE = "semanage fcontext -a -t httpd_runtime_t '/run/foo\\.sock'"
RIGHT, WRONG = "httpd_runtime_t", "var_run_t"


@pytest.fixture
def add_socket() -> Callable[[Guest], None]:
    """Return a function that starts foo.socket in a guest."""
    def added(guest: Guest) -> None:
        guest.put("/etc/systemd/system/foo.socket", b"[Socket]\nListenStream=/run/foo.sock\n")
        guest.put("/etc/systemd/system/foo.service", b"[Service]\nExecStart=/bin/sleep infinity\n")
        guest.check("systemctl daemon-reload && systemctl start foo.socket")
    return added


def label_after(guest: Guest, command: str) -> str:
    """Return the type of the socket that is made anew after a command."""
    guest.check(command + " && systemctl restart foo.socket")
    return guest.label("/run/foo.sock")


def outdated(guest: Guest) -> bool:
    """Whether PID 1 holds label databases that are no longer the ones on disk."""
    return "(deleted)" in guest.check("grep file_contexts /proc/1/maps")


def test_emulated_old_pid1_keeps_the_old_label_until_it_is_re_executed(boot, add_socket):
    """As releases before 245: neither the policy load nor a daemon-reload helps."""
    with boot(stale_pid1=True) as guest:
        assert guest.check("getenforce").strip() == "Enforcing"
        add_socket(guest)
        assert guest.label("/run/foo.sock") == WRONG
        assert not outdated(guest)
        assert label_after(guest, RULE) == WRONG
        assert label_after(guest, "systemctl daemon-reload") == WRONG
        assert outdated(guest)
        assert guest.reexec_count() == 0
        assert label_after(guest, "systemctl daemon-reexec") == RIGHT
        assert not outdated(guest)
        assert guest.reexec_count() == 1


def test_el_layout_survives_a_rebuild_of_the_policy(boot):
    """The rules are turned round in the store's modules, so that no rebuild turns them back."""
    module = b'(filecon "/var/run/foo\\.sock" any (system_u object_r httpd_runtime_t ((s0) (s0))))\n'
    with boot("el") as guest:
        contexts = ["cat", "/etc/selinux/default/contexts/files/file_contexts"]
        before = set(guest.check(contexts).split("\n"))
        guest.put("/root/foo.cil", module)
        guest.check("semodule -i /root/foo.cil")
        after = set(guest.check(contexts).split("\n"))
        assert {line.split()[0] for line in after ^ before} == {"/var/run/foo\\.sock"}
        assert not any(line.startswith("/run/") for line in after)
        for path in ("/run/foo.sock", "/var/run/foo.sock"):
            assert guest.check(["matchpathcon", "-n", path]).split(":")[2] == RIGHT


def test_a_time_limit_ends_the_children_too(boot):
    """The channel is free again at once, whatever the command left running."""
    with boot() as guest:
        start = time.monotonic()
        assert guest.run("sleep 100; true", timeout=2).status is None
        assert time.monotonic() - start < 20
        assert guest.run("pgrep -x sleep").status == 1
