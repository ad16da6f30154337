"""The life of packages under an enforcing policy: every kind of transaction, two policies, and nothing left in the end.

No transaction says a word, but the one that fails, and none leaves a denial in the audit log.
"""

import re
from pathlib import Path
from typing import List, Set

from ..packages import build
from .conftest import PACKAGES
from .guest import Guest

HERE = Path(__file__).resolve().parent
OTHER = "targeted"
RULE = "/run/%s\\.sock"
# What the policy module of the packages would bring; here it stays, for each rebuild takes long.
TYPES = "".join("""(type {0}_var_run_t)
(roletype object_r {0}_var_run_t)
(typeattributeset file_type ({0}_var_run_t))
(allow init_t {0}_var_run_t (sock_file (create getattr setattr relabelfrom relabelto write append open read unlink)))
""".format(unit) for unit in ("bar", "baz"))
# rpm's command line knows no such transaction.
ERASE_AND_INSTALL = """
import rpm
transaction = rpm.TransactionSet()
transaction.setVSFlags(-1)
transaction.addErase("%s")
with open("%s", "rb") as package:
    transaction.addInstall(transaction.hdrFromFdno(package), "%s", "i")
opened = []
def callback(what, amount, total, key, data):
    if what == rpm.RPMCALLBACK_INST_OPEN_FILE:
        opened.append(open(key, "rb"))
        return opened[-1].fileno()
    if what == rpm.RPMCALLBACK_INST_CLOSE_FILE:
        opened.pop().close()
transaction.order()
raise SystemExit(bool(transaction.check() or transaction.run(callback, "")))
"""


def snapshot(guest: Guest) -> Set[str]:
    """Return what is on the host."""
    return set(guest.check(["/usr/bin/python3", "-I", "/root/snapshot.py"]).split("\n"))


def denials(guest: Guest) -> List[str]:
    """Return what the audit log holds of denials and of transitions that were refused."""
    log = guest.check("grep -aE 'type=(AVC|USER_AVC|SELINUX_ERR|USER_SELINUX_ERR) ' /var/log/audit/audit.log || :")
    return [line for line in log.split("\n") if line]


def kinds(lines: List[str]) -> Set[str]:
    """Return denials without what differs each time."""
    return {re.sub(r"msg=audit\S+|\b(pid|ino)=\d+", "", line) for line in lines}


class Life:
    """The packages on one guest."""

    def __init__(self, guest: Guest) -> None:
        self.guest = guest

    def rpm(self, *arguments: str) -> None:
        """Run a transaction that must succeed without a word."""
        assert self.guest.rpm(*arguments) == (0, "", ""), arguments

    def has(self, *units: str, policy: str = "default") -> None:
        """Assert that there are these rules of ours, besides the administrator's, and that they work."""
        listed = self.guest.check(["cat", "/etc/selinux/%s/contexts/files/file_contexts.local" % policy])
        rules = sorted(line.split()[0] for line in listed.split("\n") if line.startswith("/"))
        assert rules == [RULE % unit for unit in units] + ["/srv/admins(/.*)?"]
        for unit in units:
            assert self.guest.label("/run/%s.sock" % unit) == unit + "_var_run_t"

    def unchanged(self, *arguments: str) -> None:
        """Run a transaction that must neither commit anything nor touch PID 1."""
        before = (self.guest.commits(), self.guest.reexec_count())
        self.rpm(*arguments)
        assert (self.guest.commits(), self.guest.reexec_count()) == before, arguments


def test_the_life_of_the_packages(boot, base_packages, demo, tmp_path):
    """Install, upgrade, downgrade, reinstall, fail, erase and install at once, leave scriptlets out, switch the policy."""
    host, ours, client = base_packages
    editions = [demo("bar", variant=build.NO_RULE, policy=False, requires=False, edition=edition) for edition in (1, 2)]
    baz = demo("baz", variant=build.NO_RULE, policy=False)
    with boot(stale_pid1=True, install=False) as guest:
        life = Life(guest)
        guest.put("/root/snapshot.py", (HERE / "snapshot.py").read_bytes())
        guest.put("/root/types.cil", TYPES.encode())
        paths = guest.put_files("/root/rpms", [host, ours, client, *editions, baz, build.broken(PACKAGES)])
        host_rpm, ours_rpm, client_rpm, bar1, bar2, baz_rpm, broken = paths
        (newer,) = guest.put_files("/root/rpms", [build.newer(ours, tmp_path)])
        guest.check("semodule -i /root/types.cil 2>&1 && semanage fcontext -a -t var_lib_t '/srv/admins(/.*)?' && "
                    "for where in /etc/selinux /var/lib/selinux; do cp -a $where/default $where/%s; done" % OTHER)
        life.rpm("-i", host_rpm, client_rpm)
        before, denied = snapshot(guest), denials(guest)

        life.rpm("-i", ours_rpm, bar1)
        life.has("bar")
        assert guest.reexec_count() == 1
        life.unchanged("-U", newer, bar2)
        life.unchanged("-U", "--oldpackage", ours_rpm, bar1)
        life.unchanged("--reinstall", ours_rpm, bar1)
        life.has("bar")

        failed = guest.rpm("-U", broken, bar2)
        assert failed.status not in (0, None)
        assert "broken-1-1.noarch" in failed.err
        assert failed.out == "system_u:system_r:initrc_t:s0"  # said by its scriptlet: the domain of scriptlets here
        assert guest.check(["rpm", "-q", "bar-demo"]) == "bar-demo-2-2.noarch\n"
        life.has("bar")

        done = guest.run(["/usr/bin/python3", "-Ic", ERASE_AND_INSTALL % ("bar-demo", baz_rpm, baz_rpm)])
        assert done == (0, "", "")
        assert guest.check(["rpm", "-qa", "*-demo"]) == "baz-demo-2-1.noarch\n"
        life.has("baz")

        # Nobody is called: what is due is done by the next transaction in which somebody is.
        life.unchanged("-e", "--noscripts", "baz-demo", "foreman-selinux-helpers")
        life.has("baz")
        guest.check("systemctl stop baz.socket; systemctl daemon-reload")
        life.unchanged("-i", "--noscripts", ours_rpm, bar1)
        life.rpm("-U", "--replacepkgs", bar1)
        life.has("bar")

        guest.check("sed -i s/=default/=%s/ /etc/selinux/config" % OTHER)
        life.rpm("-U", "--replacepkgs", bar1)
        life.has("bar")
        life.has("bar", policy=OTHER)
        life.rpm("-e", "bar-demo", "foreman-selinux-helpers")
        life.has()
        life.has(policy=OTHER)
        guest.check("sed -i s/=%s/=default/ /etc/selinux/config" % OTHER)

        after = snapshot(guest)
        assert before - after == set()
        # systemd keeps what it bound to, unless the unit says RemoveOnStop=.
        assert {line.split()[0] for line in after - before} <= {"/run/bar.sock", "/run/baz.sock"}
        assert kinds(denials(guest)) - kinds(denied) == set()
