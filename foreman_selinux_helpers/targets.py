"""The path equivalences that distributions ship, for looking at a policy without having it at hand.  Data.

Each table is a ``file_contexts.subs_dist``, in the order of that file.  A release may change
its table in an update; the newest one that is known is meant.  A host's own files say more, which
is what the target ``host`` is for.
"""

from typing import Dict, NamedTuple, Optional

from .equivalence import Equivalences, parse

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

# selinux-policy-38.1.35-2.el9 (9.4), SOURCES/file_contexts.subs_dist.  38.1.23 (9.3) has no line for /bin.
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

# selinux-policy-40.12-1 (Fedora dist-git 6dd5c78a, 2024-02-06), which EL 10 began with: /var/run turned round.
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


class Target(NamedTuple):
    """One distribution: its equivalences, and the m4 name that its policy is built with (None: not known)."""

    name: str
    equivalences: Equivalences
    distro: Optional[str] = None


def _target(name: str, table: str, distro: str) -> Target:
    return Target(name, Equivalences((), parse(table, name)), distro)


# DISTRO of the policy's build.conf, which its Makefile turns into a definition.
TARGETS: Dict[str, Target] = {one.name: one for one in (
    _target("el7", _EL7, "distro_redhat"),
    _target("el8", _EL8, "distro_redhat"),
    _target("el9", _EL9, "distro_redhat"),
    _target("el10", _EL10, "distro_redhat"),
    _target("fedora", _FEDORA, "distro_redhat"),
    _target("debian", _DEBIAN, "distro_debian"),
)}
NAMES = tuple(TARGETS) + (HOST,)
