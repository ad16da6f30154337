"""What lint suggests, linted again, is clean."""

import random

import pytest

from foreman_selinux_helpers.lint import fcsource, judge
from foreman_selinux_helpers.lint.codes import CODES, ERROR
from foreman_selinux_helpers.lint.judge import SocketPath
from foreman_selinux_helpers.lint.targets import TARGETS, Target
from foreman_selinux_helpers.model.equivalence import Equivalences, parse

HOSTS = [Target("host", Equivalences(parse(local, "subs"), parse(dist, "subs_dist"))) for local, dist in (
    ("/srv/www /var/www\n/opt/app /srv/www/app\n", "/var/run /run\n"),  # a chain
    ("/srv /run\n", "/run /var/run\n/var/lock /run/lock\n"), ("/run /srv/run\n/srv/run /run\n", ""),  # a loop
    ("/run /run/a\n", ""), ("/run /srv/x/\n", ""), ("/var/run /\n", ""))]
ALL = list(TARGETS.values())
DIRECTORIES = ["/run", "/var/run", "/run/lock", "/var/run/lock", "/var/lock", "/bin", "/sbin", "/usr/sbin", "/lib64", "/srv/www", "/opt/app",
               "/run/systemd/generator.early", "/run/systemd/generator\\.early", "/etc/systemd/system", "/etc/init.d", "/home/x",
               "HOME_DIR", "/srv", "/var//run", "/run/", "/var/named/chroot/var/run", "/var/roothome", "/(var/)?run", ""]
NAMES = ["/a", "/a/", "//a", "/a.sock", "/a\\.sock", "/a\\.socket", "/b c", "/a(/.*)?", "/a/(/.*)?", "(/.*)?", "/(/.*)?", "/.x/c.d", "/(a|b).sock",
         "/.*\\.sock", "/.*.sock", "/a/b", "/a\\.(sock|pid)", "/a[.]sock", "/(a/)?/b.sock", "", "/"]
CONTEXTS = ["gen_context(system_u:object_r:a_t,s0)", "gen_context(system_u:object_r:a_t:s0)", "gen_context(system_u:object_r:a_t,s0",
            "system_u:object_r:a_t:s0 # why", "<none>", "<<none>>", "a_t", "gen_context(system_u:object_r:b-c_t,s0)"]
SOCKETS = [SocketPath("/run/a", "a.socket"), SocketPath("/var/run/a/b", "b.socket"), SocketPath("/var/run/lock/a", "c.socket"),
           SocketPath("/opt/app/a.b", "d.socket"), SocketPath("/run/a/b c", "e.socket")]


def rule(chance):
    """Return a line with some faults."""
    return "%s%s  %s  %s" % (chance.choice(DIRECTORIES), chance.choice(NAMES), chance.choice(["", "--", "-s", "-d", "--"]),
                             chance.choice(CONTEXTS[:1] * 4 + CONTEXTS))


def findings(text, targets, sockets):
    source = fcsource.parse(text)
    assert source.problem is None
    found = judge.lint(source.rules, targets, sockets)
    assert {one.code for one in found} <= {code.name for code in CODES}
    return found


def chosen(chance, hosts):
    """Return some targets and sockets."""
    known = [*ALL, chance.choice(hosts)]
    return chance.sample(known, chance.randint(1, len(known))), chance.sample(SOCKETS, chance.randint(0, 3))


def test_of_one_rule():
    chance = random.Random(1)
    codes = {}
    for _ in range(2000):
        text = rule(chance)
        targets, sockets = chosen(chance, HOSTS)
        for one in findings(text, targets, sockets):
            if one.suggestion is not None:
                codes[one.code] = codes.get(one.code, 0) + 1
                left = findings(one.suggestion, targets, sockets)
                assert left == [], (text, one, left)
    assert set(codes) == {"aliased-path", "regular-file-only", "unescaped-dot", "bad-context", "never-matches"}
    assert min(codes.values()) > 50, codes


def test_of_several_rules():
    """With all suggestions taken at once, no error is left that had a suggestion, and none comes."""
    chance = random.Random(2)
    taken = 0
    for _ in range(800):
        lines = [rule(chance) for _ in range(4)]
        # Where /var/run stands for the root, what is right there matches far too much on the other targets.
        targets, sockets = chosen(chance, HOSTS[:-1])
        found = findings("\n".join(lines), targets, sockets)
        without = {one.line for one in found if one.suggestion is None}
        text = list(lines)
        for one in found:
            if one.suggestion is not None:
                text[one.line - 1] = one.suggestion
                taken += 1
        if without:
            continue
        left = [one for one in findings("\n".join(text), targets, sockets) if one.severity == ERROR]
        assert {one.code for one in left} <= {"unreachable"}, (lines, text, left)
    assert taken > 500


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_of_every_pair_of_a_directory_and_a_name(name):
    for directory in DIRECTORIES:
        for end in NAMES:
            text = "%s%s -- %s" % (directory, end, CONTEXTS[0])
            for one in findings(text, [TARGETS[name]], SOCKETS):
                if one.suggestion is not None:
                    assert findings(one.suggestion, [TARGETS[name]], SOCKETS) == [], (text, one)
