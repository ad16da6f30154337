"""What goes wrong on real hosts: runs that are killed, stores that cannot be written, files nobody expected."""

import fcntl
import json
import os
import random
import stat
import subprocess
import sys
import time

import pytest

from foreman_selinux_helpers.doors.deadline import Deadline
from foreman_selinux_helpers.doors.labeldatabase import LabelDatabase
from foreman_selinux_helpers.doors.policystore import Store
from foreman_selinux_helpers.doors.run import Runner
from foreman_selinux_helpers.model.errors import HelperError
from foreman_selinux_helpers.model.filecontexts import ALL_FILES, Rule
from foreman_selinux_helpers.model.rules import ADD, Change

from ..policyroot import TOP
from .test_register import CONTEXT, DEATH, PROFILE, actions, admins_rule, lookup

OTHER = "system_u:object_r:httpd_runtime_t:s0"
OTHER_PROFILE = "[bar.socket]\ntype = httpd_runtime_t\npath = /run/bar.sock\n"
MOMENTS = pytest.mark.parametrize("moment", ["before", "after"])


@MOMENTS
def test_a_run_killed_while_it_changes_a_type(root, tool, moment):
    root.profile("foo", PROFILE)
    tool("register")
    root.profile("foo", PROFILE.replace("foo_var_run_t", "httpd_runtime_t"))
    assert tool("register", before=DEATH % moment)["status"] == 9
    assert tool("register")["status"] == 0
    assert root.local_rules() == ["/run/foo\\.sock " + OTHER]
    tool("unregister")
    assert root.local_rules() == []


@MOMENTS
def test_a_run_killed_while_it_removes(root, tool, moment):
    root.profile("foo", PROFILE)
    tool("register")
    assert tool("unregister", before=DEATH % moment)["status"] == 9
    assert len(root.local_rules()) == int(moment == "before")
    assert tool("register")["status"] == 0
    assert root.local_rules() == ["/run/foo\\.sock " + CONTEXT]


@MOMENTS
def test_a_run_killed_while_a_rule_moves(root, tool, moment):
    root.profile("foo", PROFILE)
    tool("register")
    before = (root.files / "file_contexts.subs_dist").read_text()
    root.turn_equivalence_round()
    assert tool("register", before=DEATH % moment)["status"] == 9
    (root.files / "file_contexts.subs_dist").write_text(before)
    assert tool("register")["status"] == 0
    assert root.local_rules() == ["/run/foo\\.sock " + CONTEXT]


def test_a_killed_run_of_one_package_is_not_forgotten_by_another(root, tool):
    root.profile("foo", PROFILE)
    assert tool("register", before=DEATH % "after")["status"] == 9
    root.profile("bar", OTHER_PROFILE)
    tool("unregister", "bar")
    tool("register")
    assert actions(tool("unregister", "foo")) == [("/run/foo\\.sock", "remove")]
    assert root.local_rules() == ["/run/bar\\.sock " + OTHER]


def test_unregister_takes_one_of_two_and_knows_units(root, tool):
    root.profile("foo", PROFILE)
    root.profile("bar", OTHER_PROFILE)
    tool("register")
    (root.path / "usr/share/foreman-selinux-helpers/profiles.d/foo.conf").unlink()
    assert actions(tool("unregister", "--dry-run", "foo.socket")) == [("/run/foo\\.sock", "remove")]
    assert len(root.local_rules()) == 2
    assert actions(tool("unregister", "foo.socket")) == [("/run/foo\\.sock", "remove")]
    assert root.local_rules() == ["/run/bar\\.sock " + OTHER]
    assert tool("unregister", "nobody.socket")["status"] == 0


def test_rules_of_a_package_that_is_gone_are_removed_with_the_next_run(root, tool):
    root.profile("foo", PROFILE)
    root.profile("bar", OTHER_PROFILE)
    tool("register")
    (root.path / "usr/share/foreman-selinux-helpers/profiles.d/foo.conf").unlink()
    assert actions(tool("register")) == [("/run/bar\\.sock", "keep"), ("/run/foo\\.sock", "remove")]
    assert root.local_rules() == ["/run/bar\\.sock " + OTHER]


def test_a_broken_profile_costs_no_rule(root, tool):
    root.profile("foo", PROFILE)
    root.profile("bar", OTHER_PROFILE)
    tool("register")
    theirs = root.local_rules()
    root.profile("foo", "nonsense")
    assert tool("register")["status"] == 2
    assert root.local_rules() == theirs


def test_who_holds_the_lock_is_said(root, tool):
    root.profile("foo", PROFILE)
    with open(str(root.path / "var/lib/selinux/default/semanage.trans.LOCK"), "r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = tool("--timeout", "1", "register")
    assert "locked by another program" in done["results"][0]["detail"]
    assert actions(tool("register")) == [("/run/foo\\.sock", "add")]


def test_no_store_is_a_failure_where_rules_are_missing(root, tool):
    root.profile("foo", PROFILE)
    os.rename(str(root.path / "var/lib/selinux"), str(root.path / "var/lib/elsewhere"))
    done = tool("register")
    assert (done["status"], done["ok"], done["changed"]) == (1, False, False)
    assert "there is no policy store" in done["results"][0]["detail"]
    assert tool("unregister")["status"] == 0


def test_a_record_that_cannot_be_kept_stops_the_commit(root, tool):
    root.profile("foo", PROFILE)
    (root.path / "var/lib/foreman-selinux-helpers").write_text("a file, not a directory")
    done = tool("register")
    assert done["status"] == 1
    assert "var/lib/foreman-selinux-helpers is not a directory" in done["stderr"]
    assert root.local_rules() == []


def test_a_damaged_record_stops_everything_with_one_line(root, tool):
    root.profile("foo", PROFILE)
    tool("register")
    (root.path / "var/lib/foreman-selinux-helpers/default.json").write_text("{")
    for verb in ("status", "register", "unregister"):
        done = tool(verb)
        assert (done["status"], done["stderr"].count("\n")) == (1, 1)
        assert "is damaged" in done["stderr"]
    assert root.local_rules() == ["/run/foo\\.sock " + CONTEXT]


@pytest.mark.parametrize("content", [b"", b"\0" * 4096], ids=["empty", "zeros"])
def test_a_binary_policy_that_is_none(root, tool, content):
    root.profile("foo", PROFILE)
    for file in (root.path / "etc/selinux/default/policy").iterdir():
        file.write_bytes(content)
    assert "internal error" not in tool("status")["stderr"]


@pytest.mark.parametrize("name", ["file_contexts.subs", "file_contexts.subs_dist", "file_contexts.local", "file_contexts"])
def test_what_cannot_be_read_is_one_line(root, tool, name):
    root.profile("foo", PROFILE)
    for file in root.files.glob(name + "*"):
        if file.name in (name, name + ".bin"):
            file.unlink()
    (root.files / name).mkdir()
    done = tool("status")
    assert done["status"] == 1
    assert done["stderr"].count("\n") <= 1
    assert "internal error" not in done["stderr"]


def test_huge_files_are_read(root, tool):
    root.profile("foo", PROFILE)
    (root.files / "file_contexts.subs").write_text("".join("/srv/%d /opt/%d\n" % (one, one) for one in range(20000)))
    with open(str(root.files / "file_contexts"), "a") as rules:
        rules.writelines("/opt/huge%d(/.*)? system_u:object_r:usr_t:s0\n" % one for one in range(50000))
    (root.files / "file_contexts.bin").unlink()
    assert tool("status")["sockets"][0]["problem"] == "no-rule"


@pytest.mark.parametrize("path", ["/run/with space.sock", "/run/é+(1)[2].sock", "/run/it's\\odd.sock", "/run/{a,b}|c*?.sock",
                                  "/run/wide\u2003space.sock", "/run//double///slash.sock"])
def test_any_path_is_matched_literally(root, tool, path):
    root.profile("foo", "[foo.socket]\ntype = foo_var_run_t\npath = %s\n" % path)
    assert tool("register")["status"] == 0
    assert lookup(root, path) == CONTEXT
    assert lookup(root, path + "x") != CONTEXT
    assert tool("register")["rules"][0]["action"] == "keep"
    root.turn_equivalence_round()
    assert tool("register")["status"] == 0
    assert lookup(root, path) == CONTEXT
    assert len(root.local_rules()) == 1


# Right after the commit somebody else's equivalence leads the path elsewhere.
MEANWHILE = """
from foreman_selinux_helpers.doors import policystore
committed = policystore.Store.apply
def apply(self, *arguments):
    committed(self, *arguments)
    with open(%r, "a") as stream:
        stream.write("/run/foo.sock /run/elsewhere.sock\\n")
policystore.Store.apply = apply
"""


def test_what_has_no_effect_is_taken_back(root, tool):
    root.profile("foo", PROFILE)
    done = tool("register", before=MEANWHILE % str(root.files / "file_contexts.subs_dist"))
    assert (done["status"], done["results"][0]["outcome"]) == (1, "failed")
    detail = done["results"][0]["detail"]
    assert "it had no effect: libselinux answers" in detail
    assert "file_contexts.subs_dist:" in detail  # turns the path into another one
    assert "; the rule of %s/file_contexts:" % root.files in detail
    assert root.local_rules() == []
    assert not (root.path / "var/lib/foreman-selinux-helpers/default.json").exists()


@pytest.mark.parametrize("path", ["/run/lock/foo.sock", "/var/lock/foo.sock"])
def test_debians_other_direction(root, tool, path):
    root.profile("foo", PROFILE.replace("/run/foo.sock", path))
    assert tool("register")["status"] == 0
    assert root.local_rules() == ["/var/lock/foo\\.sock " + CONTEXT]
    assert lookup(root, path) == CONTEXT
    assert tool("register")["rules"][0]["action"] == "keep"


@pytest.mark.parametrize(("local", "path", "canonical", "elsewhere"), [
    ("/srv/www /var/www\n/opt/app /srv/www/app\n", "/opt/app/foo.sock", "/srv/www/app/foo.sock", "/var/www/app/foo.sock"),
    # Debian turns /var/run into /run and /run/lock into /var/lock, but never one after the other.
    ("", "/var/run/lock/foo.sock", "/run/lock/foo.sock", "/var/lock/foo.sock"),
])
def test_substitutions_that_chain(root, tool, local, path, canonical, elsewhere):
    """libselinux substitutes once: the path is never looked up under its canonical spelling."""
    (root.files / "file_contexts.subs").write_text(local)
    root.profile("foo", PROFILE.replace("/run/foo.sock", path))
    before = {one: lookup(root, one) for one in (canonical, elsewhere)}
    done = tool("register")
    assert (done["status"], done["results"][0]["outcome"]) == (0, "done")
    assert root.local_rules() == ["%s %s" % (canonical.replace(".", "\\."), CONTEXT)]
    assert lookup(root, path) == CONTEXT
    assert {one: lookup(root, one) for one in before} == before

    state = root.state()
    again = tool("repair")
    assert (again["status"], again["changed"], again["plan"], root.state()) == (0, False, [], state)
    assert tool("register")["rules"][0]["action"] == "keep"
    found = tool("explain", path)
    assert (found["ok"], found["canonical"], found["expected"]) == (True, canonical, CONTEXT)
    assert found["rule"]["context"] == CONTEXT
    other = tool("explain", canonical)
    assert (other["canonical"], str(other["expected"])) == (elsewhere, before[elsewhere])
    tool("unregister")
    assert root.local_rules() == []


def test_substitutions_are_those_of_libselinux(root):
    """Random substitutions: the canonical path is where libselinux looks a path up."""
    chance = random.Random(7)
    names = ["", "/a", "/b", "/a/b", "/a/a", "/ab", "/b/a", "/", "/a/", "//a"]
    tails = ["", "/", "/a", "/b/a", "//b", "/ab/"]
    code = """
import json, selinux, sys
selinux.selinux_set_policy_root(sys.argv[1])
handle = selinux.selabel_open(selinux.SELABEL_CTX_FILE, None, 0)
print(json.dumps([selinux.selabel_lookup_raw(handle, path, 0)[1].split(":")[2] for path in json.load(sys.stdin)]))
"""
    for file in root.files.glob("file_contexts*"):
        file.unlink()
    places = ["/"] + [one + other for one in ("/a", "/b", "/ab") for other in ("", "/a", "/b", "/ab", "/a/a", "/a/b", "/b/a")]
    (root.files / "file_contexts").write_text("/.* u:r:other\n" + "".join(
        "%s u:r:t%d\n" % (place, number) for number, place in enumerate(places)))
    paths = [one + tail for one in names for tail in tails if (one + tail).startswith("/")]
    compared = 0
    for _ in range(60):
        for suffix in (".subs", ".subs_dist"):
            lines = ["%s%s%s%s" % (chance.choice(["", " ", "#"]), chance.choice(names), chance.choice([" ", "\t\t", ""]),
                                   chance.choice(names)) for _ in range(chance.randint(0, 4))]
            # libselinux 3.4 reads on behind a single word that ends the file without a newline.
            complete = lines and len(lines[-1].split()) > 1
            (root.files / ("file_contexts" + suffix)).write_text("\n".join(lines) + ("" if complete else "\n"))
        out = subprocess.run([sys.executable, "-Ic", code, str(root.path / "etc/selinux/default")], check=True,
                             input=json.dumps(paths).encode(), stdout=subprocess.PIPE).stdout
        database = LabelDatabase(str(root.path), "default")
        equivalences = database.equivalences()
        database.close()
        for path, answer in zip(paths, json.loads(out.decode())):
            canonical = equivalences.canonical(path)
            expected = "t%d" % places.index(canonical) if canonical in places else "other"
            assert answer == expected, (path, canonical, equivalences)
            compared += answer != "other"
    assert compared > 500


def test_the_administrators_rule_for_one_file_type_and_for_more(root, tool):
    """A rule that covers sockets wins; one for regular files does not."""
    root.profile("foo", PROFILE)
    admins_rule(root, "/run/f[o]+\\.sock", "httpd_runtime_t")
    assert tool("register")["rules"][0]["action"] == "skip"
    assert lookup(root, "/run/foo.sock") == OTHER


def test_a_full_disk_changes_nothing(root, tool, tmp_path):
    """The store on a file system of its own, with hardly any space left."""
    root.profile("foo", PROFILE)
    size = int(subprocess.check_output(["du", "-sk", str(root.path)]).split()[0])
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    code = "import sys; sys.path.insert(0, %r); from foreman_selinux_helpers.cli import main; sys.exit(main())" % str(TOP)
    script = """set -e
mount -t tmpfs -o size=%dk none %s || exit 77
cp -a %s/. %s
cd %s
find etc var -type f -exec sha256sum {} + | sort >/tmp/before.$$
status=0
%s -Ic '%s' --json --root %s register || status=$?
find etc var -type f ! -name default.json ! -path '*/tmp/*' ! -name '*.LOCK' -exec sha256sum {} + | sort >/tmp/after.$$
diff /tmp/before.$$ /tmp/after.$$ >&2
rm /tmp/before.$$ /tmp/after.$$
exit $status
""" % (size + 300, mounted, root.path, mounted, mounted, sys.executable, code.replace("'", '"'), mounted)
    done = subprocess.run(["unshare", "--mount", "/bin/bash", "-c", script], stdin=subprocess.DEVNULL, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
    if done.returncode == 77 or "unshare failed" in done.stderr:
        pytest.fail("nothing may be mounted here: this test needs a mount namespace of its own")
    assert done.returncode == 1, done.stderr
    document = json.loads(done.stdout)
    assert (document["ok"], document["changed"], document["results"][0]["outcome"]) == (False, False, "failed")
    assert "Traceback" not in done.stderr


def test_modes_of_what_is_written(root, tool):
    """Whatever the caller's umask is."""
    root.profile("foo", PROFILE)
    mask = os.umask(0o077)
    try:
        tool("register")
    finally:
        os.umask(mask)
    record = root.path / "var/lib/foreman-selinux-helpers/default.json"
    assert stat.S_IMODE(record.stat().st_mode) == 0o644
    assert stat.S_IMODE(record.parent.stat().st_mode) == 0o755
    for name in ("file_contexts.local", "file_contexts.local.bin"):
        assert (root.files / name).stat().st_mode & 0o444 == 0o444


@MOMENTS
def test_a_run_killed_while_it_takes_back_what_has_no_effect(root, tool, moment):
    """What it was about is not taken for the administrator's decision."""
    root.profile("foo", PROFILE)
    second = DEATH.replace("    if ", "    if [one for one in arguments[0] if one.action != 'remove']:\n"
                                      "        return original(self, *arguments)\n    if ")
    meanwhile = MEANWHILE % str(root.files / "file_contexts.subs_dist")
    assert tool("register", before=meanwhile + second % moment)["status"] == 9
    assert "administrator" not in str(tool("register")["rules"])
    assert tool("unregister")["status"] == 0
    assert root.local_rules() == []
    assert not (root.path / "var/lib/foreman-selinux-helpers/default.json").exists()


def test_no_commit_begins_when_the_time_is_up(root):
    """It should not be cut short by who waits for us."""
    over = Runner(Deadline(0.001))
    time.sleep(0.01)
    commits = root.commits()
    rule = Rule("/run/foo\\.sock", ALL_FILES, CONTEXT)
    with pytest.raises(HelperError, match="time limit"):
        Store(str(root.path), "default").apply([Change(ADD, rule)], False, over)
    assert root.commits() == commits


@pytest.mark.parametrize("configured", [True, False])
def test_a_store_elsewhere(root, tool, configured):
    """Where semanage.conf says, as on rpm-ostree; or beside the policy, as on EL 7, whose libsemanage knows it."""
    for name in ("active", "semanage.trans.LOCK", "semanage.read.LOCK"):
        if (root.path / "var/lib/selinux/default" / name).exists():
            (root.path / "var/lib/selinux/default" / name).rename(root.path / "etc/selinux/default" / name)
    root.profile("foo", PROFILE)
    if configured:
        with open(str(root.path / "etc/selinux/semanage.conf"), "a") as conf:
            conf.write("store-root = /etc/selinux\n")
        done = tool("register")
        assert done["status"] == 0, done["results"]
        assert root.local_rules() == ["/run/foo\\.sock " + CONTEXT]
    assert Store(str(root.path), "default").directory == str(root.path / "etc/selinux/default")


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_a_configuration_of_libsemanage_that_is_no_file(root, tool, make):
    """Its own parser would end our process, without a word."""
    root.profile("foo", PROFILE)
    conf = root.path / "etc/selinux/semanage.conf"
    conf.unlink()
    make(str(conf))
    done = subprocess.run([sys.executable, "-Ic", "import sys; sys.path.insert(0, %r)\nfrom foreman_selinux_helpers.cli "
                           "import main; sys.exit(main())" % str(TOP), "--root", str(root.path), "register"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr.count(b"\n")) == (1, 1)
    assert b"semanage.conf: cannot be read: it is not a regular file" in done.stderr
