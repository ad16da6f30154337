"""Reports made by sos itself, with our plugin; and libselinux's answers from the rules in one.

sos runs on this machine in a mount namespace of its own, in which the policy is the tests' and our command is installed.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from foreman_selinux_helpers.sources.report import ReportSource

from .. import policyroot, reports

PLUGIN = policyroot.TOP / "integrations/sos/foreman_selinux_helpers.py"
# What sos needs to be imported.
_PACKAGES = ("sosreport", "python3-pexpect", "python3-ptyprocess")
_NAMESPACE = """set -e
mount --bind "$1/etc/selinux" /etc/selinux
mount --bind "$2/bin" /usr/local/sbin
# What it prints goes to its user; -o: the plugins that are run.
exec /usr/bin/python3 "$2/usr/bin/sos" report --batch --tmp-dir "$2/out" -z gzip -o "$3" >"$2/printed"
"""
_ANSWERS = """import json, sys
from foreman_selinux_helpers.doors.labeldatabase import LabelDatabase
from foreman_selinux_helpers.sources.report import ReportSource
paths, policy, place = sys.argv[3:], sys.argv[1], sys.argv[2]
def answers(root):
    print(json.dumps([LabelDatabase(root, policy).lookup(path) for path in paths]))
if place.endswith(".tar.gz"):
    with ReportSource.open(place).root() as root:
        answers(root)
else:
    answers(place)
"""
_PATHS = ("/run/foo.sock", "/var/run/dbus/system_bus_socket", "/run/nothing", "/srv/x")


@pytest.fixture(scope="module")
def sos(tmp_path_factory):
    """Return a directory with Debian's sos, and our plugin in it."""
    place = tmp_path_factory.mktemp("sos")
    policyroot.run("apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", *_PACKAGES, cwd=place)
    for package in place.glob("*.deb"):
        policyroot.run("dpkg-deb", "-x", str(package), str(place))
    shutil.copy(str(PLUGIN), str(place / "usr/lib/python3/dist-packages/sos/report/plugins"))
    (place / "bin").mkdir()
    command = place / "bin/foreman-selinux-helpers"
    # sos starts it with an environment that it makes.
    command.write_text("#!/bin/sh\nPYTHONPATH=%s:%s exec %s -m foreman_selinux_helpers \"$@\"\n" % (
        policyroot.TOP, ":".join(path for path in sys.path if path), sys.executable))
    command.chmod(0o755)
    return place


@pytest.fixture
def made(sos, root):
    """Return a function that has sos make a report with some of its plugins, and returns the archive."""
    def report(plugins: str) -> Path:
        shutil.rmtree(str(sos / "out"), ignore_errors=True)
        (sos / "out").mkdir()
        environment = dict(os.environ, PYTHONPATH=str(sos / "usr/lib/python3/dist-packages"), PYTHONDONTWRITEBYTECODE="1")
        subprocess.run(["unshare", "--mount", "/bin/sh", "-c", _NAMESPACE, "sh", str(root.path), str(sos), plugins],
                       env=environment, check=True, timeout=300)
        return next((sos / "out").glob("*.tar.gz"))
    return report


def test_the_plugin_and_what_it_collects(made, root):
    archive = made("foreman_selinux_helpers,dpkg,host")
    source = ReportSource.open(str(archive))
    assert source.document("stale")["processes"] == []
    assert source.document("detect")["command"] == "detect"
    assert source.report.text("sos_commands/foreman_selinux_helpers/status.json")
    assert source.selinux().policy == policyroot.POLICY
    assert source.packages()["systemd"]
    assert source.machine().hostname == os.uname().nodename
    in_report, on_disk = (json.loads(subprocess.check_output(
        [sys.executable, "-c", _ANSWERS, policyroot.POLICY, str(place), *_PATHS], cwd=str(policyroot.TOP)))
        for place in (archive, root.path))
    assert in_report == on_disk
    assert len(set(on_disk)) > 2


def test_a_report_without_the_plugin_says_what_is_missing(made):
    source = ReportSource.open(str(made("process,dpkg,host")))
    assert source.document("stale") is None
    assert source.label_caches().incomplete is None
    with source.root() as root:
        assert root is None
    assert "rules for labels: the policy type is not known" in source.unseen


def test_what_the_policy_of_a_report_allows(root, tmp_path):
    """A real policy, read in a child: what a domain may do, and that one that is not there is told."""
    place = "etc/selinux/%s/" % policyroot.POLICY
    files = dict(reports.el9(), **{"etc/selinux/config": "SELINUX=enforcing\nSELINUXTYPE=%s\n" % policyroot.POLICY,
                                   "sos_commands/selinux/sestatus": "SELinux status: enabled\nLoaded policy name: %s\n"
                                   "Current mode: enforcing\n" % policyroot.POLICY})
    for path in sorted((root.path / place).glob("contexts/files/file_contexts*")) + sorted(
            (root.path / place).glob("policy/policy.*")):
        files[str(path.relative_to(root.path))] = path.read_bytes()
    report = reports.archive(tmp_path / "report.tar.xz", files)

    def explain(domain):
        return subprocess.run([sys.executable, "-m", "foreman_selinux_helpers", "explain", "/run/foreman.sock", "--client",
                               domain, "--sos", str(report), "--json"], cwd=str(policyroot.TOP), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=120)
    client = json.loads(explain("httpd_t").stdout.decode())["client"]
    assert (client["domain"], client["context"]) == ("httpd_t", "system_u:system_r:httpd_t:s0")
    checks = {check["target"]: check for check in client["checks"]}
    assert (checks["/"]["right_allowed"], checks["/run"]["right_allowed"]) == (True, True)
    # The denial of the report tells the label: httpd_t may not write a var_run_t socket.
    assert (checks["/run/foreman.sock"]["label"], checks["/run/foreman.sock"]["allowed"]) == (
        "system_u:object_r:var_run_t:s0", False)
    unknown = explain("no_such_domain_t")
    assert unknown.returncode == 2
    assert b"--client no_such_domain_t: the loaded policy has no such domain" in unknown.stderr
