"""Registration with ``semanage import``, where the Python binding of libsemanage is missing.

It knows no other root, so a chroot is made from this machine's programs and the tests' policy.
"""

import json
import subprocess

import pytest

from ..policyroot import TOP
from .test_register import CONTEXT, PROFILE, lookup

# The binding is hidden from us alone: semanage itself needs it.
CODE = """import sys; sys.path.insert(0, "/package"); sys.modules["semanage"] = None
%s
from foreman_selinux_helpers.cli import main; sys.exit(main())"""
SCRIPT = """set -e
code=$1; root=$2; shift 2
mount --make-rprivate / || exit 77
mkdir -p $root/usr $root/dev $root/proc $root/package $root/tmp
for link in bin sbin lib lib64; do ln -sfn usr/$link $root/$link; done
mount --bind /dev $root/dev
mount --bind /usr $root/usr
mkdir -p $root/etc/foreman-selinux-helpers
mount --bind %s $root/package
cp /etc/passwd /etc/group /etc/nsswitch.conf /etc/ld.so.cache $root/etc/
exec chroot $root /usr/bin/python3 -I -c "$code" --json "$@"
""" % TOP


@pytest.fixture
def tool(root):
    """Return a function that runs our command in the chroot, without the binding."""
    def run(*arguments, before=""):
        done = subprocess.run(["unshare", "--mount", "/bin/bash", "-c", SCRIPT, "script", CODE % before, str(root.path),
                               *arguments],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                              universal_newlines=True, timeout=300)
        if done.returncode == 77 or "unshare failed" in done.stderr:
            pytest.fail("nothing may be mounted here: this test needs a mount namespace of its own")
        assert "Traceback" not in done.stderr, done.stderr
        document = json.loads(done.stdout or "{}")
        document["status"], document["stderr"] = done.returncode, done.stderr
        return document
    return run


def profile(root, name, text):
    """Put a profile where the administrator would: /usr is this machine's in the chroot."""
    directory = root.path / "etc/foreman-selinux-helpers/profiles.d"
    directory.mkdir(parents=True, exist_ok=True)
    (root.path / "usr/share/foreman-selinux-helpers").mkdir(parents=True, exist_ok=True)
    (directory / (name + ".conf")).write_text(text)


def test_rules_are_added_changed_and_removed(root, tool):
    profile(root, "foo", PROFILE + "  /run/it's a $(name).sock\n")
    commits = root.commits()
    done = tool("register")
    assert (done["status"], [one["outcome"] for one in done["results"]]) == (0, ["done", "done"]), done["results"]
    assert lookup(root, "/run/foo.sock") == lookup(root, "/run/it's a $(name).sock") == CONTEXT
    assert int(root.commits().strip("\0")) == int(commits.strip("\0")) + 1
    before = root.state()
    assert tool("register")["changed"] is False
    assert root.state() == before

    profile(root, "foo", PROFILE.replace("foo_var_run_t", "httpd_runtime_t"))
    assert tool("register")["status"] == 0
    assert lookup(root, "/run/foo.sock") == CONTEXT.replace("foo_var_run_t", "httpd_runtime_t")
    assert tool("unregister")["status"] == 0
    assert root.local_rules() == []


def test_what_the_policy_refuses_is_left_out(root, tool):
    profile(root, "foo", PROFILE)
    profile(root, "part", "[part.socket]\ntype = foo_var_run_t\nregex = /run/part(?a:x)\n")
    done = tool("register")
    assert done["status"] == 1
    assert {one["target"].split()[0]: one["outcome"] for one in done["results"]} == {
        "/run/foo\\.sock": "done", "/run/part(?a:x)": "failed"}
    assert root.local_rules() == ["/run/foo\\.sock " + CONTEXT]


def test_a_commit_under_way_outlives_the_time_limit(root, tool):
    """semanage is not killed in the middle of it, however short the time is."""
    profile(root, "foo", PROFILE)
    slow = root.path / "etc/slow"
    slow.write_text("#!/bin/sh\nsleep 4\nexec /usr/bin/python3 /usr/sbin/semanage \"$@\"\n")
    slow.chmod(0o755)
    tool("--timeout", "3", "register", before="from foreman_selinux_helpers.doors import commit\n"
                                                   "commit._SEMANAGE = \"/etc/slow\"\n")
    assert root.local_rules() == ["/run/foo\\.sock " + CONTEXT]
    assert tool("unregister")["status"] == 0
    assert root.local_rules() == []
