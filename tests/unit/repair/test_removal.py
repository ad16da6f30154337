"""What a package takes away, as rpm lists it, and who runs the hooks of foreman-selinux."""

import os
import subprocess
import sys

import pytest

from foreman_selinux_helpers.doors import procfs
from foreman_selinux_helpers.repair import removal
from foreman_selinux_helpers.repair.removal import Going

PROFILES = "/usr/share/foreman-selinux-helpers/profiles.d/"
MODULES = "/usr/share/selinux/"


@pytest.mark.parametrize(("arguments", "expected"), [
    ([], Going()),
    ([PROFILES + "foo.conf"], Going(["foo"])),
    ([MODULES + "packages/targeted/foo.pp.bz2", MODULES + "targeted/bar.pp"],
     Going((), [MODULES + "packages/targeted/foo.pp.bz2", MODULES + "targeted/bar.pp"])),
    ([PROFILES + "foo.conf", MODULES + "packages/foo.cil"], Going(["foo"], [MODULES + "packages/foo.cil"])),
    # An upgrade of this package: rpm lists what all packages have.
    ([PROFILES + "foo.conf", PROFILES + "foreman.conf", MODULES + "packages/foo.pp"], Going()),
    ([PROFILES + "-v.conf", MODULES + "devel/foo.if", MODULES + "x.conf", "/etc/passwd", "/tmp/foo.pp"], Going()),
])
def test_what_goes(arguments, expected):
    found = removal.going(arguments)
    assert (list(found.profiles), list(found.modules), found.replaced) == (
        list(expected.profiles), list(expected.modules), expected.replaced)


@pytest.mark.parametrize("arguments", [["--caller"], ["--caller", "x"], ["--caller", "1", "../foo", "-r", ""]])
def test_odd_arguments_of_a_hook_name_nothing(arguments):
    assert removal.going(arguments) == Going((), [], False)


TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
CODE = "import sys; sys.path.insert(0, %r); from foreman_selinux_helpers.repair import removal;" \
    "print(removal.going(['--caller', sys.argv[1], 'foreman']).replaced)" % TOP


@pytest.mark.parametrize(("script", "replaced"), [
    ("foreman-selinux-enable", True), ("katello-selinux-enable", True), ("foreman-selinux-disable", False)])
def test_who_calls_the_hooks(tmp_path, script, replaced):
    """As upstream's scripts do: find(1) runs bash with each."""
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "x-before-disable.sh").write_text("%s -c \"%s\" \"$PPID\"\nexit 0\n" % (sys.executable, CODE))
    (hooks / "x-before-disable.sh").chmod(0o755)
    file = tmp_path / script
    file.write_text("#!/bin/bash\nfind %s -name \\*-before-disable.sh -type f -executable -exec /usr/bin/bash '{}' \\;\n"
                    "exit 0\n" % hooks)
    file.chmod(0o755)
    assert subprocess.check_output([str(file)], universal_newlines=True) == "%s\n" % replaced


def test_processes_that_are_not_there():
    assert (procfs.parent(0), procfs.command_line(0)) == (0, [])
    assert procfs.parent(os.getpid()) == os.getppid()
    assert procfs.command_line(os.getpid())
