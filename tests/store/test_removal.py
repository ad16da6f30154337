"""A module with a type of ours can be removed once our rules are given back: the real semodule, in an alternate root."""

import bz2
import subprocess
import sys

import pytest

from ..policyroot import POLICY, TOP
from . import steps

PROFILE = "[bar.socket]\ntype = %s\npath = /run/bar.sock\n"
RULE = "/run/bar\\.sock"
# Types of modules, by the text of the module and where its type comes from.
TYPE = "(type bar_t)\n(roletype object_r bar_t)\n"
BLOCK = "(block box (blockinherit shape))\n(roletype object_r box.bar_t)\n"
SHAPE = "(block shape (blockabstract shape) (type bar_t))\n"
PACKAGE = "module bar 1.0;\nrequire { class file read; role object_r; }\ntype bar_t;\nrole object_r types bar_t;\n" \
    "allow bar_t bar_t:file read;\n"
GIVE_BACK = """
import sys
sys.path.insert(0, %r)
from foreman_selinux_helpers.repair import removal
from foreman_selinux_helpers.doors.deadline import Deadline
from foreman_selinux_helpers.doors.log import Log
if %r:
    removal._is_replaced_by = lambda pid: True
removal.run(sys.argv[2:], Log(1), Deadline(60), sys.argv[1])
"""


def semodule(root, *arguments):
    """Run the real program; return whether it succeeded."""
    done = subprocess.run(["semodule", "-p", str(root.path), "-s", POLICY, "-n", *arguments], check=False,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode == 0


def install(root, name, content, *options):
    """Install a module from a file of that name; return the file's path in the root."""
    file = root.path / "usr/share/selinux/packages" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert semodule(root, *options, "-i", str(file))
    return "/" + str(file.relative_to(root.path))


def listed(root):
    out = subprocess.check_output(["semodule", "-p", str(root.path), "-s", POLICY, "-lfull"], universal_newlines=True)
    return sorted(tuple(line.split()[:2]) for line in out.split("\n") if line)


def run(root, *arguments):
    """Run our command."""
    done = subprocess.run(steps.command(root.path, *arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                          stdin=subprocess.DEVNULL, universal_newlines=True)
    assert done.returncode == 0, done


def give_back(root, *arguments, replaced=False):
    """Do what the scriptlet does before files go; return what it says."""
    done = subprocess.run([sys.executable, "-Ic", GIVE_BACK % (str(TOP), replaced), str(root.path), *arguments],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          universal_newlines=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done
    return done.stderr


def local(root):
    return sorted(steps.local_rules(root.path))


def registered(root, type_name="bar_t"):
    """Register the rule that keeps a module from being removed."""
    root.profile("bar", PROFILE % type_name)
    run(root, "register")
    assert local(root) == [RULE]


def package(root, tmp_path):
    """Return a real .pp, for a policy without levels, which gets what every translated one requires."""
    install(root, "base.cil", "(typeattribute cil_gen_require)\n(roleattribute cil_gen_require)\n")
    (tmp_path / "bar.te").write_text(PACKAGE)
    subprocess.check_call(["checkmodule", "-m", "-o", "bar.mod", "bar.te"], cwd=str(tmp_path), stdout=subprocess.DEVNULL)
    subprocess.check_call(["semodule_package", "-o", "bar.pp", "-m", "bar.mod"], cwd=str(tmp_path))
    return (tmp_path / "bar.pp").read_bytes()


@pytest.mark.parametrize("kind", ["bar.cil", "bar.cil.bz2", "bar.pp", "bar.pp.bz2"])
def test_a_module_goes_once_its_rules_are_given_back(small, tmp_path, kind):
    """And only then; what is given back is registered again where the type is back."""
    content = package(small, tmp_path) if ".pp" in kind else TYPE.encode()
    content = bz2.compress(content) if kind.endswith("bz2") else content
    file = install(small, kind, content)
    registered(small)
    assert not semodule(small, "-r", "bar")
    assert "unregister %s" % RULE in give_back(small, file)
    assert (local(small), steps.recorded(small.path)) == ([], {})
    assert semodule(small, "-r", "bar")
    assert ("400", "bar") not in listed(small)
    run(small, "register")  # the type is gone: nothing to do
    assert local(small) == []
    install(small, kind, content)
    run(small, "register")
    assert local(small) == [RULE]


def test_rules_of_other_types_stay(small):
    small.profile("foo", "[foo.socket]\ntype = foo_var_run_t\npath = /run/foo.sock\n")
    file = install(small, "bar.cil", TYPE + "(allow bar_t foo_var_run_t (file (read)))\n")
    registered_both = [RULE, "/run/foo\\.sock"]
    small.profile("bar", PROFILE % "bar_t")
    run(small, "register")
    assert local(small) == registered_both
    give_back(small, file)
    assert local(small) == ["/run/foo\\.sock"]
    commits = small.commits()
    assert give_back(small, file) == ""
    assert small.commits() == commits


def test_a_module_at_several_priorities(small):
    """Which one goes is not known: the rule is given back, and registered again while the type is still there."""
    file = install(small, "bar.cil", TYPE)
    install(small, "bar.cil", TYPE, "-X", "200")
    registered(small)
    give_back(small, file)
    assert local(small) == []
    assert semodule(small, "-X", "400", "-r", "bar")
    run(small, "register")
    assert local(small) == [RULE]
    assert not semodule(small, "-X", "200", "-r", "bar")
    give_back(small, file)
    assert semodule(small, "-X", "200", "-r", "bar")


def test_a_type_that_a_block_inherits(small):
    install(small, "shape.cil", SHAPE)
    file = install(small, "box.cil", BLOCK)
    registered(small, "box.bar_t")
    assert not semodule(small, "-r", "box")
    give_back(small, file)
    assert semodule(small, "-r", "box")


def test_a_module_of_another_name_than_its_file(small, tmp_path):
    """Then the file itself says which types it declares."""
    content = package(small, tmp_path)
    install(small, "bar.pp", content)
    registered(small)
    shipped = small.path / "usr/share/selinux/packages/shipped.pp.bz2"
    shipped.write_bytes(bz2.compress(content))
    give_back(small, "/usr/share/selinux/packages/shipped.pp.bz2")
    assert semodule(small, "-r", "bar")


def test_what_the_administrator_deleted_is_remembered(small):
    """The module's package comes again, and the rule does not."""
    file = install(small, "bar.cil", TYPE)
    registered(small)
    remover = "import semanage as s, sys\nh = s.semanage_handle_create(); s.semanage_set_root(sys.argv[1])\n" \
        "s.semanage_select_store(h, '%s', s.SEMANAGE_CON_DIRECT); s.semanage_connect(h)\n" \
        "s.semanage_begin_transaction(h)\n_, k = s.semanage_fcontext_key_create(h, sys.argv[2], s.SEMANAGE_FCONTEXT_ALL)\n" \
        "s.semanage_fcontext_del_local(h, k); s.semanage_set_reload(h, 0); sys.exit(s.semanage_commit(h) < 0)" % POLICY
    subprocess.check_call([sys.executable, "-Ic", remover, str(small.path), RULE], stderr=subprocess.DEVNULL)
    assert local(small) == []
    give_back(small, file)
    assert list(steps.recorded(small.path)) == [RULE]
    run(small, "register")
    assert local(small) == []


def test_a_module_that_is_replaced_keeps_its_rules(small):
    """foreman-selinux-enable runs the hook too: only a type that the new module does not have is given up."""
    file = install(small, "bar.cil", TYPE)
    registered(small)
    commits = small.commits()
    give_back(small, "--caller", "1", "bar", replaced=True)
    (small.path / file[1:]).write_bytes(b"\xff(")  # what cannot be read is taken to have it
    give_back(small, "--caller", "1", "bar", replaced=True)
    assert (local(small), small.commits()) == ([RULE], commits)
    (small.path / file[1:]).write_text(TYPE.replace("bar_t", "new_t"))
    assert not semodule(small, "-i", str(small.path / file[1:]))
    give_back(small, "--caller", "1", "bar", replaced=True)
    assert local(small) == []
    assert semodule(small, "-i", str(small.path / file[1:]))


def test_the_hook_at_a_removal_by_hand(small):
    install(small, "bar.cil", TYPE)
    registered(small)
    give_back(small, "--caller", "1", "foo")
    assert local(small) == [RULE]
    give_back(small, "--caller", "1", "bar")
    assert semodule(small, "-r", "bar")


def test_what_cannot_be_read_is_said_and_the_rest_is_served(small):
    """One line each; no traceback, nothing changed for it."""
    file = install(small, "bar.cil", TYPE)
    registered(small)
    (small.path / "usr/share/selinux/packages/odd.cil").write_text("(((")
    odd = "/usr/share/selinux/packages/odd.cil"
    said = give_back(small, odd)
    assert "odd.cil: it is not CIL" in said
    assert "unregister" in said
    assert local(small) == [RULE]
    give_back(small, odd, file)
    assert local(small) == []


def test_a_profile_and_its_module_share_a_commit(small):
    file = install(small, "bar.cil", TYPE)
    small.profile("foo", "[foo.socket]\ntype = foo_var_run_t\npath = /run/foo.sock\n")
    small.profile("bar", PROFILE % "bar_t")
    run(small, "register")
    commits = int(small.commits().strip("\0"))
    give_back(small, "/usr/share/foreman-selinux-helpers/profiles.d/foo.conf", file)
    assert (local(small), int(small.commits().strip("\0"))) == ([], commits + 1)
