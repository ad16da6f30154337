"""What detect reads of an image's packages: real ones, in a real database."""

import json
import subprocess

import pytest

from ..packages import build
from .conftest import PACKAGES

CODE = "import sys; sys.path.insert(0, %r); from foreman_selinux_helpers.cli import main; sys.exit(main())" % str(build.TOP)


@pytest.mark.parametrize(("number", "named", "refresh"), [
    ("41.el8_3", "", "NEVER"),
    ("41.el8_3", "#11888912", "NEVER"),  # another bug
    ("41.el8_3.1", "#1888912", "ON_POLICY_LOAD"),  # somebody's own backport
    ("45.0.1.el8", "", "ON_POLICY_LOAD"),
    ("82.el8_10.2", "rhbz#1888912", "ON_POLICY_LOAD"),
])
def test_the_release_and_the_changelog_of_el_8(tmp_path, number, named, refresh):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").write_text('ID="rocky"\nID_LIKE="rhel centos fedora"\n')
    package = build.systemd(PACKAGES, number, named)
    subprocess.check_call(["rpm", "--force-debian", "--root", str(tmp_path), "--justdb", "-i", str(package)])
    out = subprocess.run(["/usr/bin/python3", "-Ic", CODE, "--json", "--root", str(tmp_path), "detect"], check=True,
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE).stdout
    found = json.loads(out.decode())
    installed = found["installed"]
    assert (installed["evr"], installed["refresh"]) == ("239-" + number, refresh)
    assert ("renew the label cache" in " ".join(installed["evidence"])) == (named.endswith("#1888912"))
    assert (found["running"]["version"], found["reexec_due"]) == (None, False)


@pytest.mark.parametrize("place", ["/usr/lib/sysimage/rpm", "/var/lib/rpm"])
def test_the_database_is_looked_for_and_none_is_made(tmp_path, place):
    """It is where the image's rpm has it; librpm alone would make one where this host's has it."""
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/os-release").write_text("ID=fedora\n")
    assert installed(root) is None
    assert sorted(str(one.relative_to(root)) for one in root.rglob("*")) == ["etc", "etc/os-release"]
    subprocess.check_call(["rpm", "--force-debian", "--root", str(root), "--dbpath", place, "--justdb", "-i",
                           str(build.systemd(PACKAGES, "41.el8_3", ""))])
    assert installed(root) == "239-41.el8_3"


def installed(root):
    done = subprocess.run(["/usr/bin/python3", "-Ic", CODE, "--json", "--root", str(root), "detect"], check=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.stderr == b""
    return json.loads(done.stdout.decode())["installed"]["evr"]
