"""Links of an image that lead out of it: nothing that is outside is read as a part of the image, or written."""

import json
import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from foreman_selinux_helpers.doors import profilefiles

from ..policyroot import POLICY, PolicyRoot
from . import steps
from .test_register import PROFILE

FILES, STORE = "etc/selinux/%s" % POLICY, "var/lib/selinux/%s" % POLICY
STATE, VENDOR, ADMIN = "var/lib/foreman-selinux-helpers", profilefiles.VENDOR_DIR, profilefiles.ADMIN_DIR
OPENS = "trace=open,openat,?openat2,creat,execve"
RULES = ["/run/foo\\.sock system_u:object_r:foo_var_run_t"]
VERBS = (["status"], ["explain", "/run/foo.sock"], ["detect"], ["lint", "--target", "host", "/dev/null"], ["stale"],
         ["register", "--dry-run"], ["register"], ["repair"], ["unregister"])

# Without these nothing can be said of the policy, and so nothing is done.
POLICYS = ["etc", "etc/selinux", "etc/selinux/config", FILES, FILES + "/contexts", FILES + "/contexts/files",
           FILES + "/contexts/files/file_contexts", FILES + "/contexts/files/file_contexts.bin",
           FILES + "/contexts/files/file_contexts.subs_dist", FILES + "/contexts/files/file_contexts.local",
           FILES + "/policy", FILES + "/policy/policy.33"]
# What libsemanage would follow.
STORES = ["etc/selinux/semanage.conf", "var", "var/lib", "var/lib/selinux", STORE, STORE + "/active", STORE + "/active/modules",
          STORE + "/active/commit_num", STORE + "/active/modules/400", STORE + "/semanage.trans.LOCK", "var/lib/selinux/final"]
OURS = [STATE, STATE + "/%s.json" % POLICY, STATE + "/lock", VENDOR, VENDOR + "/foo.conf", "usr", "usr/share", ADMIN,
        "etc/foreman-selinux-helpers", "etc/foreman-selinux-helpers/foreman-selinux-helpers.conf"]
OTHERS = ["etc/os-release", "var/lib/dpkg", "var/lib/dpkg/status", "var/lib/rpm", "var/lib/rpm/rpmdb.sqlite", "run"]
CLIMBING = ["etc", "etc/selinux", FILES, FILES + "/contexts/files/file_contexts", FILES + "/policy", "etc/selinux/semanage.conf",
            STORE, STORE + "/active/modules", STATE, VENDOR, "etc/foreman-selinux-helpers", "etc/os-release", "var/lib/dpkg", "run"]


def everything(root):
    """Return all that can be told of each file of a tree."""
    found = {}
    for directory, names, files in os.walk(str(root)):
        for path in [directory] + [os.path.join(directory, name) for name in names + files]:
            status = os.lstat(path)
            content = Path(path).read_bytes() if stat.S_ISREG(status.st_mode) else b""
            found[path] = (status.st_ino, status.st_mode, status.st_nlink, status.st_mtime_ns, content)
    return found


@pytest.fixture(scope="module")
def complete(small_source, memory):
    """Return an image that has all that is looked for, to be copied."""
    image = PolicyRoot(small_source, memory / "complete")
    root = image.path
    image.profile("foo", PROFILE)
    for directory in (ADMIN, "var/lib/dpkg/info", "var/lib/rpm", "run", STORE + "/active/modules/400", "var/lib/selinux/final"):
        (root / directory).mkdir(parents=True, exist_ok=True)
    (root / "etc/foreman-selinux-helpers/foreman-selinux-helpers.conf").write_text("[daemon-reexec]\nallowed = no\n")
    (root / "etc/os-release").write_text("ID=debian\n")
    (root / "var/lib/dpkg/status").write_text("Package: systemd\nStatus: install ok installed\nVersion: 252.1-1\n\n")
    (root / "var/lib/rpm/rpmdb.sqlite").write_bytes(b"SQLite format 3\0")
    assert subprocess.call(steps.command(root, "register"), stdout=subprocess.DEVNULL) == 0
    assert image.local_rules() == RULES
    return root


@pytest.fixture
def image(complete, place):
    """Return an image, and beside it a whole copy of it for its links to lead to."""
    shutil.copytree(str(complete), str(place / "outside"), symlinks=True)
    return PolicyRoot(complete, place / "image")


def run(root, trace, *arguments):
    """Run our command; return its outcome, and the files that it and its children opened, or ran."""
    done = subprocess.run(["strace", "-f", "-y", "-qq", "--seccomp-bpf", "-o", str(trace), "-e", OPENS,
                           *steps.command(root, *arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, universal_newlines=True, check=False, timeout=60)
    opened = re.findall(r"= \d+<([^>]*)>", trace.read_text()) + re.findall(r'execve\("([^"]*)"', trace.read_text())
    assert any(one.startswith("/usr/") for one in opened), opened
    assert "Traceback" not in done.stderr
    return done, opened


def lead_out(image, link, how):
    """Put a link in the place of a file or a directory, to that of the copy outside."""
    path, target = image.path / link, image.path.parent / "outside" / link
    if not target.exists():
        target.write_text("")
    if path.is_dir():
        shutil.rmtree(str(path))
    elif path.exists():
        path.unlink()
    if how == "climbing":
        path.symlink_to("../" * link.count("/") + "../outside/" + link)
    else:
        path.symlink_to(str(target))
    assert path.exists()


@pytest.mark.parametrize(("link", "how"), [(link, "absolute") for link in POLICYS + STORES + OURS + OTHERS]
                         + [(link, "climbing") for link in CLIMBING])
def test_a_link_that_leads_out(image, link, how):
    root, outside = image.path, image.path.parent / "outside"
    if link == "etc/os-release" or "rpm" in link:
        (root / "etc/os-release").write_text("ID=fedora\n")
    lead_out(image, link, how)
    before, inside = everything(outside), everything(root)
    for verb in VERBS if how == "absolute" else [["status"], ["register"], ["unregister"]]:
        done, opened = run(root, root.parent / "trace", *verb)
        assert [one for one in opened if one.startswith(str(outside))] == [], verb
        assert everything(outside) == before, verb
        said = [line for line in done.stderr.split("\n") if line]
        assert len(said) <= 1, said
        if link in POLICYS:
            assert done.returncode == 1, verb
            named = "%s/%s, a symbolic link to %s, leads out of the image %s" % (
                root, link, os.readlink(str(root / link)), root)
            assert named in said[0], verb
    if link in POLICYS:
        assert everything(root) == inside


@pytest.mark.parametrize(("link", "how"), [(link, "absolute") for link in STORES]
                         + [(link, "climbing") for link in CLIMBING if link in STORES])
def test_a_store_that_leads_out_is_not_changed(image, link, how):
    """And what stands in the way is named."""
    lead_out(image, link, how)
    root = image.path
    inside = everything(root)
    for verb in ("register", "unregister"):
        image.profile("foo", PROFILE.replace("foo.sock", "bar.sock"))
        done, _ = run(root, root.parent / "trace", verb)
        assert done.returncode == 1
        said = [line for line in done.stderr.split("\n") if line]
        assert said
        assert all(re.search("%s(, a| is a) symbolic link" % (root / link), line) for line in said)
        image.profile("foo", PROFILE)
    assert image.local_rules() == RULES
    after = everything(root)
    assert {one for one in after if one.startswith(str(root / "etc")) or "/selinux" in one} == {
        one for one in inside if one.startswith(str(root / "etc")) or "/selinux" in one}


@pytest.mark.parametrize("store_root", ["/../../outside/var/lib/selinux", "/var/lib/../../../outside/var/lib/selinux", "/srv"])
def test_a_store_root_that_leads_out(image, store_root):
    root = image.path
    (root / "srv").symlink_to("../outside/var/lib/selinux")
    with open(str(root / "etc/selinux/semanage.conf"), "a") as stream:
        stream.write("store-root = %s\n" % store_root)
    before = everything(root.parent / "outside")
    for verb in ("status", "register", "unregister"):
        done, opened = run(root, root.parent / "trace", verb)
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)
        assert "semanage.conf: store-root: " in done.stderr
        assert "leads out of the image" in done.stderr
        assert [one for one in opened if one.startswith(str(root.parent / "outside"))] == []
    assert everything(root.parent / "outside") == before


def test_without_a_configuration_this_hosts_is_not_taken(image):
    """libsemanage would read /etc/selinux/semanage.conf, without its root directory before it."""
    assert os.path.exists("/etc/selinux/semanage.conf")
    (image.path / "etc/selinux/semanage.conf").unlink()
    done, opened = run(image.path, image.path.parent / "trace", "unregister")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "there is no %s/etc/selinux/semanage.conf" % image.path in done.stderr
    assert "/etc/selinux/semanage.conf" not in opened
    assert image.local_rules() == RULES


@pytest.mark.parametrize("link", ["etc/selinux", FILES, FILES + "/contexts/files", FILES + "/policy", "var/lib/selinux",
                                  STORE, "var", "etc"])
def test_a_link_that_stays_inside_is_followed(image, link):
    """But none on the way to profiles and to the record."""
    root, elsewhere = image.path, image.path / "srv/elsewhere"
    elsewhere.parent.mkdir()
    (root / link).rename(elsewhere)
    (root / link).symlink_to("../" * link.count("/") + "srv/elsewhere")
    if link in ("var", "etc"):
        done, _ = run(root, root.parent / "trace", "status")
        assert "%s/%s is a symbolic link, where a directory must be" % (root, link) in done.stderr
        return
    outside = everything(root.parent / "outside")
    for verb, rules in (("unregister", []), ("register", RULES), ("status", RULES)):
        done, _ = run(root, root.parent / "trace", verb)
        assert (done.returncode, done.stderr) == (0, ""), verb
        assert image.local_rules() == rules
    assert everything(root.parent / "outside") == outside


def test_explain_follows_the_links_of_the_image(image, tool_of):
    root = image.path
    (root / "run").rmdir()
    (root / "data").mkdir()
    (root / "run").symlink_to("/data")
    (root / "data/foo.sock").symlink_to("/etc/passwd")
    found = tool_of(root, "explain", "/run/foo.sock")
    assert (found["exists"], found["path"]) == (True, "/run/foo.sock")
    assert any("leads to /data/foo.sock" in note for note in found["notes"])
    assert any("it is a symbolic link to /etc/passwd;" in note for note in found["notes"])
    (root / "run").unlink()
    (root / "run").symlink_to("../outside/etc")
    assert not tool_of(root, "explain", "/run/os-release")["exists"]
    assert tool_of(root, "explain", "/etc/os-release")["exists"]


@pytest.fixture
def tool_of():
    """Return a function that runs our command on a root and returns its document."""
    return lambda root, *arguments: json.loads(subprocess.run(
        steps.command(root, *arguments), stdout=subprocess.PIPE, universal_newlines=True).stdout)


def test_the_package_databases_are_the_images_own(image, tool_of):
    """An absolute link is followed inside; one of the database's own is refused."""
    root = image.path
    assert tool_of(root, "detect")["installed"]["version"] == "252.1-1"
    (root / "usr/lib").mkdir()
    (root / "var/lib/dpkg").rename(root / "usr/lib/dpkg")
    (root / "var/lib/dpkg").symlink_to("/usr/lib/dpkg")
    (root / "etc/os-release").rename(root / "usr/lib/os-release")
    (root / "etc/os-release").symlink_to("/usr/lib/os-release")
    assert tool_of(root, "detect")["installed"]["version"] == "252.1-1"
    (root / "usr/lib/dpkg/info/x.list").symlink_to("/usr/share")
    found = tool_of(root, "detect")
    assert (found["ok"], found["command"]) == (False, "detect")
    assert found["error"].startswith("%s/usr/lib/dpkg/info/x.list, a symbolic link to /usr/share, leads out" % root)
