"""A policy package and an application package that come and go by themselves, under an enforcing policy.

The profile of Foreman ships with us, so neither of the two packages brings anything of ours.  No transaction
says a word.
"""

from ..packages import build
from .conftest import PACKAGES
from .guest import Guest
from .test_story import SOCKET, assert_right

RULE = "/run/foreman\\.sock"


def policy(variant: str, **options):
    return build.policy(PACKAGES, "foreman", variant, **options)


def erase(guest: Guest, *names: str) -> None:
    assert guest.rpm("-e", *names) == (0, "", "")


def rules(guest: Guest):
    return [line.split()[0] for line in guest.rules()]


def has_module(guest: Guest) -> bool:
    return "foreman" in guest.check("semodule -l").split()


def test_a_stock_systemd(boot, install, demo):
    """The application first; each is upgraded alone and erased alone.  PID 1 is never re-executed."""
    with boot() as guest:
        install(guest, demo("foreman", helper="none", policy=False))
        assert guest.label(SOCKET) == "var_run_t"
        assert guest.connect(SOCKET).status == 1

        install(guest, policy(build.NO_RULE))
        assert rules(guest) == [RULE]
        assert_right(guest, "foreman")

        commits = guest.commits()
        install(guest, demo("foreman", helper="none", policy=False, edition=2))
        assert (rules(guest), guest.commits()) == ([RULE], commits)
        assert_right(guest, "foreman")

        install(guest, policy(build.RIGHT, edition=2))
        assert_right(guest, "foreman")

        erase(guest, "foreman-selinux")
        assert (rules(guest), has_module(guest)) == ([], False)
        assert guest.check("ls -A /var/lib/foreman-selinux-helpers").split() == ["lock", "transaction"]
        assert guest.tool("status", "foreman.socket")["sockets"][0]["problem"] in ("no-such-type", None)
        erase(guest, "foreman-demo")
        assert guest.reexec_count() == 0
        assert guest.denials("foreman-selinux") == []


def test_a_stale_pid_1(boot, install, demo):
    """The policy first, without the type; its upgrade alone makes the socket right, with one re-exec.  Both go at once."""
    with boot(stale_pid1=True) as guest:
        install(guest, policy(build.NO_RULE, kind="foreman_old_t"))
        install(guest, demo("foreman", helper="none", policy=False))
        assert (rules(guest), guest.label(SOCKET), guest.reexec_count()) == ([], "var_run_t", 0)

        install(guest, policy(build.REGULAR_FILES, edition=2))
        assert (rules(guest), guest.reexec_count()) == ([RULE], 1)
        assert_right(guest, "foreman")

        commits = guest.commits()
        install(guest, demo("foreman", helper="none", policy=False, edition=2))
        assert (rules(guest), guest.commits(), guest.reexec_count()) == ([RULE], commits, 1)
        assert_right(guest, "foreman")

        erase(guest, "foreman-selinux", "foreman-demo")
        assert (rules(guest), has_module(guest), guest.reexec_count()) == ([], False, 1)
        assert guest.denials("foreman-selinux") == []
