"""The path equivalences that distributions ship, to check a package without their policies.  Data.

Each table is a ``file_contexts.subs_dist``, in the order of that file.  An update may change the table of a release:
the newest known table is used, and earlier ones are listed where they differ.  The target ``host`` uses the host's
own files.
"""

from ..model.equivalence import Equivalences, parse
from ..model.typed import Dict, Iterator, Optional, Sequence, Tuple, Value

HOST = "host"

# selinux-policy-3.13.1-60.el7_2.3, SOURCES/file_contexts.subs_dist.
_EL7 = """\
/run /var/run
/run/lock /var/lock
/run/systemd/system /usr/lib/systemd/system
/run/systemd/generator /usr/lib/systemd/system
/lib /usr/lib
/lib64 /usr/lib
/usr/lib64 /usr/lib
/usr/local/lib64 /usr/lib
/usr/local/lib32 /usr/lib
/etc/init.d /etc/rc.d/init.d
/etc/systemd/system /usr/lib/systemd/system
/var/lib/xguest/home /home
/var/named/chroot/usr/lib64 /usr/lib
/var/named/chroot/lib64 /usr/lib
/var/home /home
/var/roothome /root
"""

# selinux-policy-3.14.3-128.el8_9.1, SOURCES/file_contexts.subs_dist.
_EL8 = """\
/run /var/run
/run/lock /var/lock
/run/systemd/system /usr/lib/systemd/system
/run/systemd/generator /usr/lib/systemd/system
/run/systemd/generator.late /usr/lib/systemd/system
/lib /usr/lib
/lib64 /usr/lib
/usr/lib64 /usr/lib
/usr/local/lib64 /usr/lib
/usr/local/lib32 /usr/lib
/etc/systemd/system /usr/lib/systemd/system
/var/lib/xguest/home /home
/var/named/chroot/usr/lib64 /usr/lib
/var/named/chroot/lib64 /usr/lib
/home-inst /home
/home/home-inst /home
/var/roothome /root
/sbin /usr/sbin
/sysroot/tmp /tmp
/var/usrlocal /usr/local
"""

# selinux-policy-38.1.35-2.el9 (9.4), SOURCES/file_contexts.subs_dist.  Later minor releases were not checked.
_EL9 = """\
/run /var/run
/run/lock /var/lock
/run/systemd/system /usr/lib/systemd/system
/run/systemd/generator /usr/lib/systemd/system
/run/systemd/generator.early /usr/lib/systemd/system
/run/systemd/generator.late /usr/lib/systemd/system
/lib /usr/lib
/lib64 /usr/lib
/usr/lib64 /usr/lib
/usr/local/lib64 /usr/lib
/usr/local/lib32 /usr/lib
/etc/systemd/system /usr/lib/systemd/system
/var/lib/xguest/home /home
/var/named/chroot/usr/lib64 /usr/lib
/var/named/chroot/lib64 /usr/lib
/var/named/chroot/var /var
/home-inst /home
/home/home-inst /home
/var/roothome /root
/sbin /usr/sbin
/sysroot/tmp /tmp
/var/usrlocal /usr/local
/var/mnt /mnt
/bin /usr/bin
"""

# selinux-policy-40.12-1 (Fedora dist-git 6dd5c78a, 2024-02-06), on which EL 10 is based: /var/run is reversed.
_EL10 = """\
/var/run /run
/var/lock /run/lock
/run/systemd/system /usr/lib/systemd/system
/run/systemd/generator /usr/lib/systemd/system
/run/systemd/generator.early /usr/lib/systemd/system
/run/systemd/generator.late /usr/lib/systemd/system
/lib /usr/lib
/lib64 /usr/lib
/usr/lib64 /usr/lib
/usr/local/lib64 /usr/lib
/usr/local/lib32 /usr/lib
/etc/systemd/system /usr/lib/systemd/system
/var/lib/xguest/home /home
/var/named/chroot/usr/lib64 /usr/lib
/var/named/chroot/lib64 /usr/lib
/var/named/chroot/var /var
/home-inst /home
/home/home-inst /home
/var/roothome /root
/sbin /usr/sbin
/sysroot/tmp /tmp
/var/usrlocal /usr/local
/var/mnt /mnt
/bin /usr/bin
"""

# fedora-selinux/selinux-policy, config/file_contexts.subs_dist since 91ce8535c (41.20).
_FEDORA = """\
/var/run /run
/var/lock /run/lock
/run/systemd/system /usr/lib/systemd/system
/run/systemd/generator.early /run/systemd/generator
/run/systemd/generator.late /run/systemd/generator
/lib /usr/lib
/lib64 /usr/lib
/usr/lib64 /usr/lib
/usr/local/lib64 /usr/lib
/usr/local/lib32 /usr/lib
/etc/systemd/system /usr/lib/systemd/system
/var/lib/xguest/home /home
/var/named/chroot/usr/lib64 /usr/lib
/var/named/chroot/lib64 /usr/lib
/var/named/chroot/var /var
/home-inst /home
/home/home-inst /home
/var/roothome /root
/sbin /usr/bin
/sysroot/tmp /tmp
/var/usrlocal /usr/local
/var/mnt /mnt
/bin /usr/bin
/usr/sbin /usr/bin
"""

# Debian's selinux-policy-default 2:2.20221101-9 (bookworm), /etc/selinux/default/contexts/files.
_DEBIAN = """\
/bin /usr/bin
/lib /usr/lib
/lib32 /usr/lib
/lib64 /usr/lib
/libx32 /usr/lib
/sbin /usr/sbin
/etc/init.d /etc/rc.d/init.d
/etc/systemd/system /usr/lib/systemd/system
/etc/systemd/user /usr/lib/systemd/user
/lib/systemd /usr/lib/systemd
/run/lock /var/lock
/usr/lib32 /usr/lib
/usr/lib64 /usr/lib
/usr/libx32 /usr/lib
/usr/local/lib32 /usr/lib
/usr/local/lib64 /usr/lib
/usr/local/lib /usr/lib
/var/lib/private /var/lib
/var/cache/private /var/cache
/var/log/private /var/log
/var/run /run
"""


# What earlier minor releases lack: 38.1.23-1.el9 and 38.1.23-1.el9_3.2 (9.3), 38.1.11-2.el9_2.4 (9.2).
_NOT_IN_9_3 = ("/bin",)
_NOT_IN_9_2 = ("/bin", "/run/systemd/generator.early")


class Target(Value):
    """One distribution: its equivalences, and the m4 name that its policy is built with (None: unknown).

    ``newest``: the minor releases that have these equivalences, if ``earlier`` ones have others.
    ``converts_var_run``: it has ``varrun-convert.sh``, which copies rules for /var/run to /run.
    """

    name: str
    equivalences: Equivalences
    distro: Optional[str] = None
    newest: str = ""
    earlier: Sequence[Tuple[str, Equivalences]] = ()
    converts_var_run: bool = False

    def releases(self) -> Iterator[Tuple[str, Equivalences]]:
        """Yield the name and the equivalences of each known release; the newest has the name of the target."""
        yield self.name, self.equivalences
        yield from self.earlier


def _without(table: str, sources: Sequence[str]) -> str:
    """Return a table without the lines of some sources."""
    return "".join(line for line in table.splitlines(True) if line.split()[0] not in sources)


def _target(name: str, table: str, distro: str = "distro_redhat", converts_var_run: bool = False) -> Target:
    return Target(name, Equivalences((), parse(table, name)), distro, converts_var_run=converts_var_run)


_EL9_TARGET = _target("el9", _EL9)._replace(newest="EL 9.4 and later", earlier=[
    (name, Equivalences((), parse(_without(_EL9, missing), name)))
    for name, missing in (("EL 9.3", _NOT_IN_9_3), ("EL 9.2", _NOT_IN_9_2))])

# The m4 name is DISTRO of the policy's build.conf, which its Makefile turns into a definition.
TARGETS: Dict[str, Target] = {target.name: target for target in (
    _target("el7", _EL7),
    _target("el8", _EL8),
    _EL9_TARGET,
    _target("el10", _EL10, converts_var_run=True),
    _target("fedora", _FEDORA, converts_var_run=True),
    _target("debian", _DEBIAN, "distro_debian"),
)}
NAMES = tuple(TARGETS) + (HOST,)
