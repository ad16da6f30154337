"""Real transactions in an alternate root, where only what is permanent may be done.

Every one must end with status 0 and without a word; neither systemd nor the kernel is spoken to.
"""

import json
import subprocess
from contextlib import ExitStack, contextmanager

import pytest

from ..packages.build import ALIASED, REGULAR_FILES, RIGHT

SHIPPED = "/usr/share/foreman-selinux-helpers/profiles.d/"


def test_installed_alone_it_registers_nothing_and_leaves_nothing(bare, ours, newer):
    """The types of the shipped profiles are not in the policy."""
    tree = bare
    commits = tree.commits()
    tree.quiet("-i", ours)
    assert (tree.rules(), tree.records(), tree.commits()) == ([], [], commits)
    status = json.loads(tree.check("foreman-selinux-helpers", "--json", "status"))
    assert any("chroot" in note for note in status["notes"])
    tree.quiet("-U", newer)
    tree.quiet("-e", "foreman-selinux-helpers")
    assert (tree.rules(), tree.commits(), tree.runtime_calls()) == ([], commits, "")
    left = tree.check("find", "/", "-xdev", "-name", "*foreman*selinux*helpers*", "-not", "-path", "/proc/*")
    assert left == ""


def test_the_life_of_a_package_with_macros(tree, newer, demo):
    """Version 1 has no socket in /run; version 2 has, and calls the macros."""
    tree.quiet("-i", demo("foreman", 1, helper="none", policy=False))
    assert tree.rules() == []
    tree.quiet("-U", demo("foreman", helper="macros"))
    assert tree.rules() == ["/run/foreman\\.sock"]
    assert tree.records() == ["default.json"]
    assert "foreman_var_run_t" in tree.check("matchpathcon", "-m", "socket", "/run/foreman.sock")

    commits = tree.commits()
    tree.quiet("-U", newer)
    assert (tree.rules(), tree.commits()) == (["/run/foreman\\.sock"], commits)
    tree.quiet("-U", demo("foreman", helper="macros", edition=2))
    assert tree.rules() == ["/run/foreman\\.sock"]
    assert tree.modules() == ["foreman_demo"]

    tree.quiet("-e", "foreman-demo")
    assert (tree.rules(), tree.records(), tree.modules()) == ([], [], [])
    assert tree.runtime_calls() == ""


def test_the_life_of_a_package_that_just_ships_a_profile(tree, newer, demo):
    """The file triggers do everything, and in time for the policy module to be removed."""
    tree.quiet("-i", demo("bar", variant=REGULAR_FILES))
    assert tree.rules() == ["/run/bar\\.sock"]

    record = (tree.state / "default.json").stat()
    commits = tree.commits()
    tree.quiet("-U", newer)
    assert tree.commits() == commits, "an upgrade of ours must not take anything back in between"
    assert (tree.state / "default.json").stat() == record
    tree.quiet("-U", demo("bar", variant=REGULAR_FILES, edition=2, policy=False))
    assert tree.commits() == commits, "nor an upgrade of the package"
    assert tree.rules() == ["/run/bar\\.sock"]

    tree.quiet("-U", demo("bar", variant=REGULAR_FILES, edition=3))
    tree.quiet("-e", "bar-demo")
    assert (tree.rules(), tree.records(), tree.modules()) == ([], [], [])
    assert tree.runtime_calls() == ""


def test_two_packages_in_one_transaction_share_a_commit(tree, demo):
    """With them go our package and their rules; an administrator's rule stays."""
    tree.check("semanage", "fcontext", "-N", "-a", "-t", "var_lib_t", "/srv/a(/.*)?")
    before = tree.commits()
    tree.quiet("-i", demo("bar", requires=False), demo("baz", variant=ALIASED))
    assert tree.commits() == before + 3, "the two policy modules, and our rules together"
    assert tree.rules() == ["/run/bar\\.sock", "/run/baz\\.sock", "/srv/a(/.*)?"]
    tree.quiet("-e", "bar-demo")
    assert tree.rules() == ["/run/baz\\.sock", "/srv/a(/.*)?"]
    tree.quiet("-e", "baz-demo", "foreman-selinux-helpers")
    assert (tree.rules(), tree.records(), tree.modules()) == (["/srv/a(/.*)?"], [], [])
    assert not tree.state.exists()


def test_installed_together(bare, ours, demo):
    """In one transaction with the package that needs it; a rule that is right already is left to the policy."""
    bare.quiet("-i", demo("bar"), ours, demo("foreman", helper="macros"), demo("baz", variant=RIGHT))
    assert bare.rules() == ["/run/bar\\.sock", "/run/foreman\\.sock"]
    bare.quiet("-e", "bar-demo", "foreman-demo", "baz-demo", "foreman-selinux-helpers")
    assert (bare.rules(), bare.modules(), bare.runtime_calls()) == ([], [], "")


def test_our_rules_go_with_our_package_while_its_users_stay(bare, ours, demo):
    """A package that does not require the helper keeps its policy module; we take along only what we added."""
    bare.quiet("-i", demo("foreman", helper="none"), ours)
    assert bare.rules() == ["/run/foreman\\.sock"]
    bare.quiet("-e", "foreman-selinux-helpers")
    assert (bare.rules(), bare.modules()) == ([], ["foreman_demo"])


@contextmanager
def mounted(tree):
    """Mount /proc, /sys and /dev as dnf --installroot and image builders do."""
    with ExitStack() as stack:
        for name in ("proc", "sys", "dev"):
            target = tree.path / name
            target.mkdir(exist_ok=True)
            subprocess.check_call(["mount", "--rbind", "/" + name, str(target)])
            stack.callback(subprocess.check_call, ["umount", "-R", "-l", str(target)])
            subprocess.check_call(["mount", "--make-rslave", str(target)])
        yield


def test_in_an_image_build_with_the_hosts_proc(tree, demo):
    """The host's PID 1 is seen there, and still is not ours."""
    (tree.path / "run/systemd/system").mkdir(parents=True)
    with mounted(tree):
        tree.quiet("-i", demo("bar", policy=False, variant=RIGHT))
        assert tree.rules() == []
        calls = tree.runtime_calls()
        assert "daemon-reexec" not in calls
        assert "load_policy" not in calls
        status = json.loads(tree.check("foreman-selinux-helpers", "--json", "status"))
        assert any("chroot-or-image" in note for note in status["notes"])


def test_without_a_policy(tree, demo):
    """A host without SELinux: nothing to do, and nothing said."""
    for path in ("etc/selinux", "var/lib/selinux"):
        subprocess.check_call(["rm", "-rf", str(tree.path / path)])
    tree.quiet("-i", demo("bar", policy=False))
    tree.quiet("-U", demo("bar", policy=False, edition=2))
    tree.quiet("-e", "bar-demo", "foreman-selinux-helpers")
    assert tree.runtime_calls() == ""
    assert tree.records() == []


@pytest.mark.parametrize("damage", ["no-python", "no-module", "crash", "no-semanage", "bad-policy"])
def test_what_is_broken_on_the_host_fails_no_transaction(tree, demo, damage):
    """Whatever is missing or broken, packages are installed and erased as if we were not there."""
    package = next(tree.path.glob("usr/lib/python3/dist-packages/foreman_selinux_helpers"))
    if damage == "no-python":
        (tree.path / "usr/bin/python3").unlink()
    elif damage == "no-module":
        for file in package.glob("*.py"):
            file.write_text("raise ImportError('nothing is here')\n")
    elif damage == "crash":
        (package / "cli.py").write_text("import os, sys\nprint('noise')\nsys.stderr.write('noise')\nos.abort()\n")
    elif damage == "no-semanage":
        (tree.path / "usr/lib/python3/dist-packages/semanage.py").write_text("raise ImportError('broken')\n")
    else:
        for file in tree.files.glob("file_contexts*"):
            file.write_bytes(b"\xff\xfe\0( broken [\n" * 99)
    tree.quiet("-i", demo("bar", policy=False), demo("foreman", helper="macros", policy=False))
    tree.quiet("-U", demo("bar", policy=False, edition=2))
    tree.quiet("-e", "bar-demo", "foreman-demo")
    tree.quiet("-e", "foreman-selinux-helpers")


def test_a_bad_profile_does_not_keep_the_others_from_being_served(tree, demo):
    """Refused, said in the journal, and the transaction goes on."""
    bad = tree.path / SHIPPED[1:] / "bad.conf"
    bad.write_text("not a profile\n")
    tree.quiet("-i", demo("bar"))
    assert tree.rules() == ["/run/bar\\.sock"]
