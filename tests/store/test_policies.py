"""Two policies are installed, and rules of ours are in both."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List

import pytest

from .. import schema
from ..policyroot import POLICY, PolicyRoot
from . import steps

SECOND = "targeted"
CONTEXT = "system_u:object_r:foo_var_run_t"
ADMINS = "/srv/admins(/.*)?"


def rules(root: PolicyRoot, policy: str) -> List[str]:
    """Return the regexes of a policy's local rules."""
    text = (root.path / "etc/selinux" / policy / "contexts/files/file_contexts.local").read_text()
    return sorted(line.split()[0] for line in text.split("\n") if line.strip() and not line.startswith("#"))


def records(root: PolicyRoot) -> List[str]:
    return sorted(one.name for one in (root.path / "var/lib/foreman-selinux-helpers").glob("*.json"))


def run(root: PolicyRoot, *arguments: str, status: int = 0) -> Dict[str, Any]:
    done = subprocess.run(steps.command(root.path, *arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False, universal_newlines=True)
    assert done.returncode == status, (done.stdout, done.stderr)
    document: Dict[str, Any] = json.loads(done.stdout) if done.stdout else {}
    if document:
        schema.check_if_possible(document)
    document["stderr"] = done.stderr
    return document


@pytest.fixture
def both(small):
    """Return a root where both policies have our rules; the second is active, and has one of an administrator's."""
    for where in ("etc/selinux", "var/lib/selinux"):
        shutil.copytree(str(small.path / where / POLICY), str(small.path / where / SECOND), symlinks=True)
    for name in ("foo", "bar"):
        small.profile(name, "[%s.socket]\ntype = foo_var_run_t\npath = /run/%s.sock\n" % (name, name))
    run(small, "register")
    (small.path / "etc/selinux/config").write_text("SELINUX=enforcing\nSELINUXTYPE=%s\n" % SECOND)
    run(small, "register")
    subprocess.check_call([sys.executable, "-I", str(Path(__file__).parent / "administrator.py"), str(small.path),
                           SECOND, ADMINS, "system_u:object_r:run_t"])
    assert rules(small, POLICY) == ["/run/bar\\.sock", "/run/foo\\.sock"]
    assert rules(small, SECOND) == ["/run/bar\\.sock", "/run/foo\\.sock", ADMINS]
    assert records(small) == ["default.json", "targeted.json"]
    return small


def test_unregister_takes_our_rules_out_of_both(both):
    """One package's, then all; the administrator's stays."""
    planned = run(both, "unregister", "--dry-run", "foo")
    done = run(both, "unregister", "foo")
    assert done["rules"] == planned["rules"]
    assert [(one["regex"], one["reason"]) for one in done["rules"]] == [
        ("/run/foo\\.sock", "added for foo.socket"),
        ("/run/foo\\.sock", "added for foo.socket, in the policy default")]
    assert (rules(both, POLICY), rules(both, SECOND)) == (["/run/bar\\.sock"], ["/run/bar\\.sock", ADMINS])
    run(both, "unregister")
    assert (rules(both, POLICY), rules(both, SECOND), records(both)) == ([], [ADMINS], [])


def test_trouble_with_one_policy_keeps_nothing_in_the_other(both):
    """Whichever it is: the active one or the other; it is said, and the record of what is left stays."""
    (both.path / "var/lib/foreman-selinux-helpers/default.json").write_text("{")
    assert "default.json: is damaged" in run(both, "unregister", status=1)["stderr"]
    assert (rules(both, SECOND), records(both)) == ([ADMINS], ["default.json"])
    assert rules(both, POLICY) == ["/run/bar\\.sock", "/run/foo\\.sock"]


def test_trouble_with_the_active_policy_keeps_nothing_in_the_other(both):
    (both.path / "var/lib/foreman-selinux-helpers/targeted.json").write_text("{")
    assert "targeted.json: is damaged" in run(both, "unregister", status=1)["stderr"]
    assert (rules(both, POLICY), records(both)) == ([], ["targeted.json"])


def test_a_policy_that_was_removed_is_forgotten_with_the_last_of_ours(both):
    """As its package takes it away; before that it may come back, with its rules."""
    for where in ("etc/selinux", "var/lib/selinux"):
        shutil.rmtree(str(both.path / where / POLICY))
    run(both, "unregister", "foo")
    assert records(both) == ["default.json", "targeted.json"]
    run(both, "unregister")
    assert (rules(both, SECOND), records(both)) == ([ADMINS], [])


def test_without_an_active_policy(both):
    """SELINUXTYPE names a policy that is not there: what is in the others goes all the same."""
    (both.path / "etc/selinux/config").write_text("SELINUX=disabled\nSELINUXTYPE=gone\n")
    run(both, "unregister")
    assert (rules(both, POLICY), rules(both, SECOND), records(both)) == ([], [ADMINS], [])
