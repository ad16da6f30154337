"""Several programs that change local rules at once: no rule is lost, nobody waits for ever, the record is right."""

import subprocess
import sys
from pathlib import Path

import pytest

from ..policyroot import POLICY
from . import steps

CONTEXT, OTHER = "system_u:object_r:foo_var_run_t", "system_u:object_r:run_t"
ROUNDS = 100
ADMINISTRATOR = Path(__file__).parent / "administrator.py"


@pytest.fixture
def two(small):
    """Return a root with the profiles of two packages."""
    for name in ("foo", "bar"):
        small.profile(name, "[%s.socket]\ntype = foo_var_run_t\npath = /run/%s.sock\n" % (name, name))
    return small.path


def start(argv):
    return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            universal_newlines=True)


def ended(running):
    """Wait for programs; each must succeed."""
    for one in running:
        out, err = one.communicate(timeout=60)
        assert one.returncode == 0, (out, err)


def test_two_packages_register_and_unregister(two):
    """Each for itself, as scriptlets with a name do: both rules are there, and both are known to be ours."""
    ours = {"/run/foo\\.sock": CONTEXT, "/run/bar\\.sock": CONTEXT}
    for number in range(ROUNDS // 2):
        ended([start(steps.command(two, "register", name)) for name in ("foo", "bar")])
        assert steps.local_rules(two) == steps.recorded(two) == ours, number
        ended([start(steps.command(two, "unregister", name)) for name in ("foo", "bar")])
        assert steps.local_rules(two) == steps.recorded(two) == {}, number
    assert steps.left_behind(two) == []


def test_the_same_twice(two):
    """Two runs for everything: the slower one finds that there is nothing left to do."""
    ours = {"/run/foo\\.sock": CONTEXT, "/run/bar\\.sock": CONTEXT}
    for number in range(ROUNDS // 4):
        ended([start(steps.command(two, "register")) for _ in range(2)])
        assert steps.local_rules(two) == steps.recorded(two) == ours, number
        ended([start(steps.command(two, "unregister")) for _ in range(2)])
        assert steps.local_rules(two) == steps.recorded(two) == {}, number


def test_beside_the_administrator(two):
    """Every rule of both is kept, and only ours are taken back."""
    theirs = {}
    for number in range(ROUNDS):
        verb = "unregister" if number % 2 else "register"
        rule = ["/srv/%d" % number, OTHER]
        theirs[rule[0]] = rule[1]
        ended([start(steps.command(two, verb)),
               start([sys.executable, "-I", str(ADMINISTRATOR), str(two), POLICY, *rule])])
        ours = {} if number % 2 else {"/run/foo\\.sock": CONTEXT, "/run/bar\\.sock": CONTEXT}
        assert steps.local_rules(two) == dict(theirs, **ours), number
        assert steps.recorded(two) == ours, number


def test_the_administrators_rule_for_our_path_wins_whoever_is_faster(two):
    """A rule for the very path that we are adding: it is theirs, however it falls out."""
    (two / "usr/share/foreman-selinux-helpers/profiles.d/bar.conf").unlink()
    outcomes = set()
    for number in range(ROUNDS // 2):
        running = [start(steps.command(two, "register")),
                   start([sys.executable, "-I", str(ADMINISTRATOR), str(two), POLICY, "/run/foo\\.sock", OTHER])]
        for one in running:
            one.communicate(timeout=60)
        # Ours may have been first, and is then changed by theirs; it is never the other way round.
        assert running[1].returncode == 0
        assert steps.local_rules(two) == {"/run/foo\\.sock": OTHER}, number
        outcomes.add(running[0].returncode)
        subprocess.check_call(steps.command(two, "unregister"), stdout=subprocess.DEVNULL)
        assert steps.local_rules(two) == {"/run/foo\\.sock": OTHER}, number
        subprocess.check_call([sys.executable, "-I", str(ADMINISTRATOR), str(two), POLICY, "--delete",
                               "/run/foo\\.sock"])
    assert outcomes <= {0, 1}
