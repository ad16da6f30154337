"""Builds guests of the other Debian releases: an older and a newer systemd, libselinux and Python.

Each has its own policy and tools below bookworm's kernel: trixie's own panics under the emulation
of qemu 7.2.  What bookworm's images are named after stays apart, so that they are not built again.
"""

import hashlib
import shutil
from pathlib import Path

from . import image

RELEASES = ("bullseye", "trixie")
_PACKAGES = [name for name in image.PACKAGES if not name.startswith("linux-image-")]
# What bullseye's installer does before the first package, and trixie's packages themselves.
_MERGED_USR = 'for name in bin lib lib64 sbin; do mkdir -p "$1/usr/$name" && ln -s "usr/$name" "$1/$name"; done'
_ADMINISTRATOR = """[Service]
SELinuxContext=unconfined_u:unconfined_r:unconfined_t:s0
"""


def build(release: str) -> image.Image:
    """Return the image of a release, built if it is not there yet (two releases may be built at a time)."""
    bookworm = image.build("debian")
    with image.one_at_a_time(image.DIRECTORY / ("lock-" + release)):
        return image.Image(release, _disk(release), bookworm.kernel, bookworm.initrd)


def _disk(release: str) -> Path:
    modules = image.base()
    recipe = hashlib.sha256(b"".join([modules.name.encode()] + [
        (image.HERE / name).read_bytes() for name in ("releases.py", "image.py", "agent.py", "stale_pid1.c")]))
    disk = image.DIRECTORY / ("%s-%s.img" % (release, recipe.hexdigest()[:16]))
    if disk.exists():
        return disk
    image.say("building the guest image of %s (about a minute)" % release)
    root = disk.with_suffix(".root")
    shutil.rmtree(root, ignore_errors=True)
    try:
        image._run(["mmdebstrap", "--quiet", "--variant=apt", "--include=" + ",".join(_PACKAGES),
                    *(["--setup-hook=" + _MERGED_USR] if release == "bullseye" else []), release, str(root)])
        image._run(["tar", "-xf", str(modules), "-C", str(root / "usr/lib"), "--strip-components=3", "./usr/lib/modules"])
        image._furnish(root)
        _furnish(root)
        _trim_policy(root)
        image._label(root)
        temporary = disk.with_suffix(".tmp")
        image._run(["mke2fs", "-q", "-t", "ext4", "-F", "-O", "^has_journal", "-d", str(root), str(temporary),
                    image._DISK_SIZE])
        temporary.rename(disk)
        for old in image.DIRECTORY.glob("%s-*.img" % release):
            if old != disk:
                old.unlink()
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return disk


def _furnish(root: Path) -> None:
    """Let commands run as an administrator's, and rpm's scriptlets in their caller's domain, as in bookworm."""
    # bullseye's policy keeps a service from systemd-run, trixie's from journalctl.
    agent = root / "etc/systemd/system/guest-agent.service.d/administrator.conf"
    agent.parent.mkdir()
    agent.write_text(_ADMINISTRATOR)
    # Debian's policy has no rpm_script_t.
    (root / "usr/lib/rpm/macros.d/macros.transaction_selinux").unlink(missing_ok=True)


def _trim_policy(root: Path) -> None:
    """Remove the policy's modules that no guest needs, by the release's own tools: each writes its own formats."""
    semodule = ["chroot", str(root), "semodule", "-s", image.POLICY]
    unneeded = set(image._run([*semodule, "-l"]).split()) - image._MODULES
    image._run([*semodule, "-n", "-X", "100", *(word for module in sorted(unneeded) for word in ("-r", module))])
