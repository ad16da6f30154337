"""Which transactions call us, how often and in which order; a policy package that comes and goes by itself.

The policy packages have the layout of foreman-selinux: a module below /usr/share/selinux, scripts that
enable and disable it, and hooks.  Every transaction must end with status 0 and without a word.
"""

import bz2
import subprocess

import pytest

from ..packages import build
from ..packages.build import REGULAR_FILES, RIGHT
from ..vm import image
from .conftest import PACKAGES
from .test_transactions import mounted

SCRIPTLETS = "usr/libexec/foreman-selinux-helpers"
RULE = "/run/foreman\\.sock"
PLACES = ["/usr/share/foreman-selinux-helpers/profiles.d/a.conf", "/usr/share/selinux/packages/a.lst", "/etc/selinux/a",
          "/usr/lib/systemd/system/a.socket", "/etc/systemd/system/a.socket.d/a.conf"]


def files(name, *paths, **options):
    return build.files(PACKAGES, name, *paths, **options)


def policy(variant=build.NO_RULE, unit="foreman", **options):
    return build.policy(PACKAGES, unit, variant, **options)


def watch(tree):
    """Have each call of ours written down, with what the command is asked for then.

    A scriptlet knows by its own name what to do, and so is moved, not renamed.
    """
    (tree.path / SCRIPTLETS / "real").mkdir()
    for name in ("trigger", "removal", "preun"):
        script = tree.path / SCRIPTLETS / name
        script.rename(script.parent / "real" / name)
        script.write_text("#!/bin/sh\necho \"%s $*\" >>/calls\nexec /%s/real/%s \"$@\"\n" % (name, SCRIPTLETS, name))
        script.chmod(0o755)
    module = next(tree.path.glob("usr/lib/python3/dist-packages/foreman_selinux_helpers/cli.py"))
    module.write_text(module.read_text().replace(
        "    deadline = Deadline(arguments.timeout)\n",
        "    deadline = Deadline(arguments.timeout)\n"
        "    open('/calls', 'a').write('verb %s\\n' % arguments.verb)\n"))
    assert "open('/calls'" in module.read_text()


def calls(tree):
    """Return what was written down since last asked."""
    log = tree.path / "calls"
    found = log.read_text().split("\n")[:-1] if log.exists() else []
    if log.exists():
        log.unlink()
    return found


def modules(tree):
    listed = subprocess.check_output(["semodule", "-p", str(tree.path), "-s", image.POLICY, "-l"], universal_newlines=True)
    return [name for name in listed.split() if name in ("foreman", "bar")]


# -- who is called ---------------------------------------------------------------------------------

@pytest.mark.parametrize("place", PLACES)
def test_each_place_calls_us_once(tree, place):
    """When it comes, when it is replaced, and when it goes; an upgrade does it once, though both triggers fire."""
    watch(tree)
    tree.quiet("-i", files("a", place))
    assert calls(tree) == ["trigger in", "verb repair"]
    tree.quiet("-U", files("a", place, edition=2))
    assert calls(tree) == ["trigger in", "verb repair", "trigger un"]
    tree.quiet("-e", "a")
    removal = ["removal " + place] if place.endswith(".conf") and "profiles.d" in place else []
    assert calls(tree) == [*removal, "trigger un", "verb repair"]


def test_many_packages_and_places_share_one_call(tree):
    watch(tree)
    tree.quiet("-i", files("a", *PLACES), files("b", "/usr/lib/systemd/system/b.socket"), files("c", "/etc/selinux/c"))
    assert calls(tree) == ["trigger in", "verb repair"]
    tree.quiet("-e", "a", "b", "c")
    assert calls(tree) == ["removal " + PLACES[0], "trigger un", "verb repair"] + ["trigger un"] * 4


def test_other_places_do_not_call_us(tree):
    watch(tree)
    places = ["/usr/share/a", "/etc/systemd/a.conf", "/usr/lib/systemd/a", "/etc/a"]
    tree.quiet("-i", files("a", *places))
    tree.quiet("-U", files("a", *places, edition=2))
    tree.quiet("-e", "a")
    assert calls(tree) == []


def test_after_systemds_own(tree):
    watch(tree)
    tree.quiet("-i", files("systemd-triggers", "/usr/share/systemd-triggers", systemds=True))
    calls(tree)  # systemd's has run for the units that are there, ours among them
    tree.quiet("-i", files("a", "/etc/systemd/system/a.socket"))
    assert calls(tree) == ["systemd in", "trigger in", "verb repair"]
    tree.quiet("-e", "a")
    assert calls(tree) == ["systemd un", "trigger un", "verb repair"]


def test_twice_is_harmless(tree, demo):
    """As rpm 6.0 does it on an upgrade; and without what is noted of a transaction."""
    tree.quiet("-i", demo("bar"))
    state = (tree.commits(), tree.rules(), (tree.state / "default.json").stat())
    watch(tree)
    for argument in ("in", "in", "un", "un"):
        tree.check("/%s/trigger" % SCRIPTLETS, argument)
    assert (tree.commits(), tree.rules(), (tree.state / "default.json").stat()) == state
    assert calls(tree).count("verb repair") == 2  # the database is as the last "in" has left it
    (tree.state / "transaction").unlink()
    tree.check("/%s/trigger" % SCRIPTLETS, "un")
    assert calls(tree) == ["trigger un", "verb repair"]
    assert (tree.commits(), tree.rules()) == state[:2]


# -- a policy module that goes ---------------------------------------------------------------------

def test_the_policy_package_comes_and_goes_by_itself(tree):
    """The profile of Foreman ships with us.  The rule comes with its type and goes in time for its module to go."""
    tree.quiet("-i", policy())
    assert (tree.rules(), modules(tree)) == ([RULE], ["foreman"])
    tree.quiet("-e", "foreman-selinux")
    assert (tree.rules(), tree.records(), modules(tree)) == ([], [], [])
    tree.quiet("-i", policy())
    assert tree.rules() == [RULE]
    assert tree.runtime_calls() == ""


def test_an_upgrade_gives_nothing_back(tree, newer):
    """Neither of the policy package, nor of ours, whose triggers are then told of every module there is."""
    tree.quiet("-i", policy())
    watch(tree)
    with mounted(tree):
        commits = tree.commits()
        tree.quiet("-U", policy(edition=2))
    # What upstream's own script does; the hook knows its caller.
    assert tree.commits() == commits + 1
    assert [one for one in calls(tree) if one.startswith(("removal /", "verb"))] == ["verb register", "verb repair"]
    assert (tree.rules(), modules(tree)) == ([RULE], ["foreman"])
    commits = tree.commits()
    tree.quiet("-U", newer)
    assert (tree.rules(), tree.commits()) == ([RULE], commits)


def test_an_upgrade_that_brings_the_right_rule(tree):
    """The story of this project: the application's package is not in the transaction."""
    tree.quiet("-i", policy(REGULAR_FILES))
    assert tree.rules() == [RULE]
    tree.quiet("-U", policy(RIGHT, edition=2))
    assert "foreman_var_run_t" in tree.check("matchpathcon", "-m", "socket", "/run/foreman.sock")
    tree.quiet("-e", "foreman-selinux")
    assert (tree.rules(), modules(tree)) == ([], [])


def test_a_module_that_has_another_type_now(tree):
    """A rule with the old type would keep the new module from being installed: the hook gives it back."""
    tree.quiet("-i", policy())
    with mounted(tree):
        tree.quiet("-U", policy(edition=2, kind="foreman_new_t"))
    assert (tree.rules(), modules(tree)) == ([], ["foreman"])
    known = (tree.path / "var/lib/selinux/default/active/modules/400/foreman/cil").read_bytes()
    assert b"(type foreman_new_t)" in bz2.decompress(known)


def test_scripts_by_hand(tree):
    """foreman-selinux-disable and -enable, outside of a transaction."""
    tree.quiet("-i", policy())
    tree.check("foreman-selinux-disable")
    assert (tree.rules(), tree.records(), modules(tree)) == ([], [], [])
    tree.check("foreman-selinux-enable")
    assert (tree.rules(), modules(tree)) == ([RULE], ["foreman"])


def test_a_module_without_hooks(tree, demo):
    """Another package's, whose profile an administrator wrote: the file trigger alone."""
    profile = tree.path / "etc/foreman-selinux-helpers/profiles.d/bar.conf"
    profile.write_text("[bar.socket]\ntype = bar_var_run_t\npath = /run/bar.sock\n")
    tree.quiet("-i", policy(unit="bar"), demo("bar", helper="none", policy=False))
    assert tree.rules() == ["/run/bar\\.sock"]
    tree.quiet("-e", "bar-demo")
    assert tree.rules() == ["/run/bar\\.sock"]
    tree.quiet("-e", "bar-selinux")
    assert (tree.rules(), modules(tree)) == ([], [])


def test_erased_together_with_us_in_either_order(tree, ours):
    tree.quiet("-i", policy())
    tree.quiet("-e", "foreman-selinux", "foreman-selinux-helpers")
    assert (tree.rules(), modules(tree)) == ([], [])
    tree.quiet("-i", policy(), ours)
    assert tree.rules() == [RULE]
    tree.quiet("-e", "foreman-selinux-helpers", "foreman-selinux")
    assert (tree.rules(), modules(tree), tree.state.exists()) == ([], [], False)


@pytest.mark.parametrize("damage", ["no-python", "no-module", "crash"])
def test_hooks_are_quiet_where_we_are_broken(tree, damage):
    package = next(tree.path.glob("usr/lib/python3/dist-packages/foreman_selinux_helpers"))
    for file in [package / "removal.py", package / "cli.py"] if damage != "no-python" else []:
        file.write_text("raise ImportError\n" if damage == "no-module" else "import os\nos.abort()\n")
    if damage == "no-python":
        (tree.path / "usr/bin/python3").unlink()
    for hook in sorted((tree.path / "usr/libexec/foreman-selinux").iterdir()):
        done = subprocess.run(["chroot", str(tree.path), "/usr/bin/bash", "/usr/libexec/foreman-selinux/" + hook.name],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        assert (done.returncode, done.stdout) == (0, b"")
