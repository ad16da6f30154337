"""Builds the guests' disk images: Debian with SELinux, in two policy layouts.

``debian`` is as shipped: /var/run stands for /run.  ``el`` has the equivalence turned round, and
the policy's rules with it, as EL 7 to 9 have them.  Everything is cached below one directory
under a name made of what goes in.
"""

import bz2
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, NamedTuple, Sequence

HERE = Path(__file__).resolve().parent
DIRECTORY = HERE.parent.parent / "build/guests"
PACKAGES = (
    "systemd-sysv dbus udev kmod procps selinux-policy-default policycoreutils policycoreutils-python-utils "
    "semodule-utils python3-selinux python3-semanage python3-rpm python3-distro python3-packaging python3-audit "
    "auditd rpm strace linux-image-cloud-amd64"
).split()
LAYOUTS = ("debian", "el")
POLICY = "default"
# The policy's modules that stay.  Each rebuild takes half the time then, and every installation of
# a policy module in an emulated guest is one.
_MODULES = frozenset((
    "apache apt backup base bootloader cgroup clock cron daemontools devicekit dirmngr entropyd getty gpg hostname "
    "i18n_input inetd iptables kerberos ldap logrotate lvm mta netutils networkmanager nis nscd policykit puppet rpc "
    "rpcbind rsync rtkit setrans shutdown slocate ssh sssd staff su sudo tmpreaper tzdata unconfined unprivuser uuidd "
    "xdg xserver"
).split())
_DISK_SIZE = "1800M"
# Of systemd's generators those that stay: the mounts, and systemd.wants= of the kernel's command line.
# Each of the others takes time at every daemon-reload and daemon-reexec, and has nothing to generate.
_GENERATORS = frozenset(("systemd-fstab-generator", "systemd-debug-generator"))
# Not needed for anything that is tested, and slow without hardware virtualisation.
_MASKED = (
    "apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer "
    "e2scrub_reap.service systemd-pstore.service getty@tty1.service serial-getty@ttyS0.service "
    "systemd-timesyncd.service systemd-networkd.service"
).split()
_UNIT = """[Unit]
Description=Commands from the host
After=auditd.service
StartLimitIntervalSec=0
[Service]
ExecStart=/usr/bin/python3 /usr/local/sbin/guest-agent
Restart=always
RestartSec=1
[Install]
WantedBy=multi-user.target
"""


class Image(NamedTuple):
    """A disk and what boots it."""

    layout: str
    disk: Path
    kernel: Path
    initrd: Path


def say(message: str) -> None:
    """Show progress."""
    print("[%s] %s" % (time.strftime("%H:%M:%S"), message), file=sys.stderr, flush=True)


@contextmanager
def one_at_a_time(lock: Path) -> Iterator[None]:
    """Keep other processes out of what is built meanwhile."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with open(str(lock), "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def build(layout: str) -> Image:
    """Return the image of a layout, built if it is not there yet."""
    with one_at_a_time(DIRECTORY / "lock"):
        return _build(layout)


def _build(layout: str) -> Image:
    archive = base()
    recipe = hashlib.sha256(b"".join(
        [archive.name.encode()] + [(HERE / name).read_bytes() for name in ("image.py", "agent.py", "stale_pid1.c")]))
    name = "%s-%s" % (layout, recipe.hexdigest()[:16])
    image = Image(layout, *(DIRECTORY / (name + suffix) for suffix in (".img", ".kernel", ".initrd")))
    if image.disk.exists():
        return image
    say("building the guest image with the %s policy layout" % layout)
    root = DIRECTORY / ("%s.root" % name)
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    try:
        _run(["tar", "-xf", str(archive), "-C", str(root), "--numeric-owner", "--exclude=./dev/*"])
        _furnish(root)
        _trim_policy(root)
        if layout == "el":
            _turn_equivalence_round(root)
        _label(root)
        shutil.copy(next((root / "boot").glob("vmlinuz-*")), image.kernel)
        shutil.copy(next((root / "boot").glob("initrd.img-*")), image.initrd)
        temporary = image.disk.with_suffix(".tmp")
        _run(["mke2fs", "-q", "-t", "ext4", "-F", "-O", "^has_journal", "-d", str(root), str(temporary), _DISK_SIZE])
        temporary.rename(image.disk)
        for old in DIRECTORY.glob("%s-*" % layout):
            if old.suffix in (".img", ".kernel", ".initrd") and not old.name.startswith(name):
                old.unlink()
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return image


def base() -> Path:
    """Return the tar archive of the installed packages; takes a minute to make."""
    name = hashlib.sha256(" ".join(PACKAGES).encode()).hexdigest()[:16]
    archive = DIRECTORY / ("base-%s.tar" % name)
    with one_at_a_time(DIRECTORY / "lock-base"):
        if not archive.exists():
            say("installing Debian for the guests (about a minute)")
            temporary = archive.with_name("unfinished-" + archive.name)
            _run(["mmdebstrap", "--quiet", "--variant=apt", "--include=" + ",".join(PACKAGES), "bookworm", str(temporary)])
            temporary.rename(archive)
    return archive


def _furnish(root: Path) -> None:
    """Put in what makes it a guest: the agent, quick booting, the emulation of an old PID 1."""
    agent = root / "usr/local/sbin/guest-agent"
    shutil.copy(HERE / "agent.py", agent)
    agent.chmod(0o755)
    units = root / "etc/systemd/system"
    (units / "guest-agent.service").write_text(_UNIT)
    wants = units / "multi-user.target.wants"
    wants.mkdir(exist_ok=True)
    (wants / "guest-agent.service").symlink_to("/etc/systemd/system/guest-agent.service")
    for unit in _MASKED:
        (units / unit).unlink() if (units / unit).is_symlink() else None
        (units / unit).symlink_to("/dev/null")
    generators = root / "etc/systemd/system-generators"
    generators.mkdir(exist_ok=True)
    for generator in (root / "usr/lib/systemd/system-generators").iterdir():
        if generator.name not in _GENERATORS:
            (generators / generator.name).symlink_to("/dev/null")
    (root / "etc/fstab").write_text("/dev/vda / ext4 rw,noatime 0 0\n")
    (root / "etc/hostname").write_text("guest\n")
    (root / "etc/machine-id").write_text("0" * 31 + "1\n")
    (root / "etc/selinux/config").write_text("SELINUX=enforcing\nSELINUXTYPE=%s\n" % POLICY)
    _run(["cc", "-shared", "-fPIC", "-O2", "-o", str(root / "usr/lib/stale_pid1.so"), str(HERE / "stale_pid1.c")])


def _trim_policy(root: Path) -> None:
    """Remove the policy's modules that no guest needs: every commit copies them all, disabled ones too."""
    listed = _run(["semodule", "-p", str(root), "-s", POLICY, "-l"]).split()
    argv = ["semodule", "-p", str(root), "-s", POLICY, "-n", "-X", "100"]
    for module in sorted(set(listed) - _MODULES):
        argv += ["-r", module]
    _run(argv)


def _turn_equivalence_round(root: Path) -> None:
    """Make /run stand for /var/run, in the substitutions and in every module of the policy store."""
    subs = root / "etc/selinux" / POLICY / "contexts/files/file_contexts.subs_dist"
    text = re.sub(r"(?m)^/var/run\s+/run\s*$", "/run /var/run", subs.read_text())
    text = re.sub(r"(?m)^/run/lock\s+/var/lock\s*$", "/run/lock /var/lock\n/var/run/lock /var/lock", text)
    subs.write_text(text if text.endswith("\n") else text + "\n")
    modules = root / "var/lib/selinux" / POLICY / "active/modules"
    for cil in modules.glob("*/*/cil"):
        content = cil.read_bytes()
        packed = content.startswith(b"BZh")
        plain = bz2.decompress(content) if packed else content
        turned = re.sub(rb'(?m)^(\s*\(filecon ")/run(?=[/"(\[.])', rb"\1/var/run", plain)
        if turned != plain:
            cil.write_bytes(bz2.compress(turned) if packed else turned)
    _run(["semodule", "-p", str(root), "-s", POLICY, "-B", "-n"])


def _label(root: Path) -> None:
    """Label the tree from outside, by the policy that is in it."""
    contexts = root / "etc/selinux" / POLICY / "contexts/files/file_contexts"
    _run(["setfiles", "-F", "-r", str(root), str(contexts), str(root)])


def _run(argv: Sequence[str]) -> str:
    environment = dict(os.environ, LC_ALL="C", PATH="/usr/sbin:/usr/bin:/sbin:/bin")
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env=environment, check=False)
    if done.returncode != 0:
        raise RuntimeError("%s ended with %d:\n%s" % (" ".join(argv), done.returncode, done.stdout.decode()[-2000:]))
    return done.stdout.decode()
