"""Types: aliases, attributes, names that are no types; policies with levels and without."""

import subprocess
import sys
from pathlib import Path

import pytest

from foreman_selinux_helpers.doors import policydb

from .test_register import CONTEXT, PROFILE, actions

# Names, in Debian's policy, of one type; the first is the type's own.
ALIASES = ("httpd_runtime_t", "httpd_var_run_t")


def test_names_are_resolved_as_in_the_policy(root):
    types = policydb.CompiledPolicy(str(root.path), "default")
    assert [types.primary(name) for name in ALIASES] == [ALIASES[0]] * 2
    assert types.same(*ALIASES)
    assert not types.same(ALIASES[0], "foo_var_run_t")
    for name in ("domain", "httpd", "var_run", "object_r", "system_u", "s0", "file", "process", "no_such_t", "", "\n"):
        assert types.primary(name) is None, name


def test_every_type_and_alias_of_a_whole_policy(root):
    """The names and the aliases that the policy compiler says there are."""
    cil = root.path / "policy.cil"
    kernel = root.path / "var/lib/selinux/default/active/policy.kern"
    subprocess.check_call(["checkpolicy", "-M", "-b", "-C", "-o", str(cil), str(kernel)], stdout=subprocess.DEVNULL)
    types, actual, attributes = [], {}, []
    for line in cil.read_text().split("\n"):
        words = line.strip("()").split()
        if words[:1] == ["type"]:
            types.append(words[1])
        elif words[:1] == ["typealiasactual"]:
            actual[words[1]] = words[2]
        elif words[:1] == ["typeattribute"]:
            attributes.append(words[1])
    assert min(len(types), len(actual), len(attributes)) > 100
    known = policydb.CompiledPolicy(str(root.path), "default")
    assert {name: known.primary(name) for name in types} == {name: name for name in types}
    assert {name: known.primary(name) for name in actual} == actual
    assert [name for name in attributes if known.primary(name)] == []
    for name in sorted(set(actual.values())) + types[::20]:
        assert sorted(known.names(name)) == sorted([name] + [alias for alias, meant in actual.items() if meant == name])


def test_an_alias_is_the_type(root, tool):
    """A rule of the policy for the type serves a profile that has the alias, in an image as well."""
    root.rule("/run/foo\\.sock")
    root.profile("bar", "[bar.socket]\ntype = %s\npath = /run/bar.sock\n" % ALIASES[1])
    assert actions(tool("register")) == [("/run/bar\\.sock", "add")]
    assert root.local_rules() == ["/run/bar\\.sock system_u:object_r:%s:s0" % ALIASES[0]]
    root.profile("bar", "[bar.socket]\ntype = %s\npath = /run/bar.sock\n" % ALIASES[0])
    assert actions(tool("register")) == [("/run/bar\\.sock", "keep")]


@pytest.mark.parametrize("name", ["foo-bar_run_t", "foo-alias_run_t"], ids=["type", "alias"])
def test_names_with_hyphens(root, tool, name):
    module = root.path / "hyphens.cil"
    module.write_text("(type foo-bar_run_t) (roletype object_r foo-bar_run_t) (typealias foo-alias_run_t)\n"
                      "(typealiasactual foo-alias_run_t foo-bar_run_t) (typeattributeset file_type (foo-bar_run_t))\n")
    subprocess.check_call(["semodule", "-p", str(root.path), "-s", "default", "-n", "-i", str(module)])
    root.profile("foo", PROFILE.replace("foo_var_run_t", name))
    for action in ("add", "keep"):
        assert actions(tool("register")) == [("/run/foo\\.sock", action)]
    assert root.local_rules() == ["/run/foo\\.sock system_u:object_r:foo-bar_run_t:s0"]
    found = tool("explain", "/run/foo.sock")
    assert (found["type"], found["expected"]) == (name, "system_u:object_r:foo-bar_run_t:s0")
    assert actions(tool("unregister")) == [("/run/foo\\.sock", "remove")]


@pytest.mark.parametrize("name", ["foo_var_run", "domain", "no_such_t"], ids=["part", "attribute", "unknown"])
def test_what_is_no_type_is_refused_before_the_commit(root, tool, name):
    root.profile("foo", PROFILE.replace("foo_var_run_t", name))
    before = root.state()
    done = tool("register")
    assert (done["rules"][0]["action"], done["rules"][0]["reason"]) == ("skip", "the policy has no type " + name)
    assert root.state() == before


@pytest.fixture
def plain(tmp_path):
    """Return a root with a policy without levels, and a function that runs our command on it."""
    root = tmp_path / "root"
    (root / "etc/selinux/plain/contexts/files").mkdir(parents=True)
    (root / "var/lib/selinux").mkdir(parents=True)
    (root / "etc/selinux/config").write_text("SELINUX=enforcing\nSELINUXTYPE=plain\n")
    (root / "etc/selinux/semanage.conf").write_text("module-store = direct\ndisable-genhomedircon = true\n")
    module = root / "base.cil"
    module.write_text((Path(__file__).parent / "plain.cil").read_text())
    subprocess.check_call(["semodule", "-p", str(root), "-s", "plain", "-n", "-i", str(module)],
                          stderr=subprocess.DEVNULL)
    return root


@pytest.mark.parametrize("name", ["foo_var_run_t", "foo_socket_t"])
def test_a_policy_without_levels(plain, name):
    profiles = plain / "usr/share/foreman-selinux-helpers/profiles.d"
    profiles.mkdir(parents=True)
    (profiles / "foo.conf").write_text(PROFILE.replace("foo_var_run_t", name))
    local = plain / "etc/selinux/plain/contexts/files/file_contexts.local"
    command = [sys.executable, "-Ic", "import sys; sys.path.insert(0, %r)\nfrom foreman_selinux_helpers.cli import main\n"
               "sys.exit(main())" % str(Path(policydb.__file__).parents[2]), "--root", str(plain), "-q", "register"]
    for _ in range(2):
        subprocess.check_call(command)
        assert local.read_text().split("\n")[-2].split() == ["/run/foo\\.sock", CONTEXT[:-len(":s0")]]
