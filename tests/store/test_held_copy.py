"""A process's own copy of the label database is asked, and the process itself: both say the same."""

import json
import os
import random
import subprocess
import sys
import time

import pytest

from foreman_selinux_helpers.doors import heldcopy, labelfiles, procfs, scratch
from foreman_selinux_helpers.doors.deadline import Deadline
from foreman_selinux_helpers.doors.policydb import CompiledPolicy
from foreman_selinux_helpers.doors.policystore import Store
from foreman_selinux_helpers.doors.run import Runner
from foreman_selinux_helpers.model import labelcache
from foreman_selinux_helpers.model.filecontexts import ALL_FILES, SOCKET, Rule
from foreman_selinux_helpers.model.processes import judge
from foreman_selinux_helpers.model.rules import ADD, MODIFY, REMOVE, Change
from foreman_selinux_helpers.sources import processes

from ..policyroot import POLICY

ROUNDS = int(os.environ.get("ROUNDS", "30"))
FOO, RUN = ("system_u:object_r:%s" % name for name in ("foo_var_run_t", "run_t"))
PATHS = ["/run/%d.sock" % number for number in range(12)] + ["/run", "/run/a/b", "/srv/x", "/var/run/3.sock", "/run//4.sock"]
# What libsemanage leaves in a file's time: a new process is told from the files only a second later.
LATER = 1.2
MAGIC = b"\x8a\xff\x7c\xf9"

PROCESS = """
import json, selinux, stat, sys
selinux.selinux_set_policy_root(sys.argv[1])
handle = selinux.selabel_open(selinux.SELABEL_CTX_FILE, None, 0)
print(flush=True)
for line in sys.stdin:
    answers = {}
    if line == "again\\n":
        selinux.selabel_close(handle)
        handle = selinux.selabel_open(selinux.SELABEL_CTX_FILE, None, 0)
    else:
        for path in json.loads(line):
            try:
                answers[path] = selinux.selabel_lookup_raw(handle, path, stat.S_IFSOCK)[1]
            except OSError:
                answers[path] = None
    print(json.dumps(answers), flush=True)
"""
MAPS = """
import mmap, sys
held = []
for name in sys.argv[1:]:
    with open(name, 'rb') as stream: held.append(mmap.mmap(stream.fileno(), 0, prot=mmap.PROT_READ))
print(flush=True)
sys.stdin.read()
"""


class Holder:
    """A process that has opened the database of a root."""

    def __init__(self, *argv):
        self._process = subprocess.Popen([sys.executable, "-Ic", *argv], stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, universal_newlines=True)
        assert self._process.stdout.readline() == "\n"
        self.pid = self._process.pid

    def _say(self, line):
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def answers(self, paths=PATHS):
        """Return what the process itself answers."""
        return self._say(json.dumps(paths))

    def open_again(self):
        """Have it read the files on disk."""
        self._say("again")

    def end(self):
        """End it."""
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


@pytest.fixture
def start(small):
    """Return a function that starts a process, with a database of the small root."""
    holders = []

    def started(*argv):
        holders.append(Holder(*argv or (PROCESS, str(small.files.parent.parent))))
        return holders[-1]
    yield started
    for one in holders:
        one.end()


@pytest.fixture
def change(small):
    """Return a function that commits changes of local rules."""
    store = Store(str(small.path), POLICY, apart=True)

    def commit(*changes):
        store.apply(changes, False, Runner(Deadline(60)))
    return commit


@pytest.fixture(autouse=True)
def _nothing_is_left(monkeypatch, tmp_path):
    """In a place of our own: beside us other tests kill what may be at work in /tmp."""
    place = tmp_path / "scratch"
    place.mkdir()
    monkeypatch.setattr(scratch, "_PLACES", (str(place),))
    yield
    assert os.listdir(str(place)) == []


def ask(holder, small, paths=PATHS):
    return heldcopy.ask(holder.pid, paths, str(small.files))


def state(holder, small):
    return labelfiles.read(holder.pid, str(small.files)).state


def rule(regex, context=FOO, file_type=ALL_FILES):
    return Change(ADD, Rule(regex, file_type, context))


def test_over_many_changes(small, start, change):
    """Whatever was changed since, and whenever the process has opened it, the copy says what the process says."""
    chance = random.Random(12)
    holder = start()
    there, differed, later = {}, 0, 0
    for _ in range(ROUNDS):
        regex = "/run/%s\\.sock" % chance.choice(["[0-4]", "[^/]+", *map(str, range(12))])
        key = (regex, chance.choice([ALL_FILES, SOCKET]))
        action = chance.choice([MODIFY, REMOVE]) if key in there else ADD
        there[key] = chance.choice([FOO, RUN])
        change(Change(action, Rule(*key, there[key])))
        if action == REMOVE:
            del there[key]
        found = ask(holder, small)
        assert (found.unseen, found.answers) == (None, holder.answers())
        now = start()
        assert state(now, small) == labelcache.FRESH
        new = ask(now, small)
        assert (new.unseen, new.answers, new.assumed) == (None, now.answers(), None)
        differed += new.answers != found.answers
        now.end()
        if chance.random() < 0.3:
            holder.open_again()
            later += 1
            assert ask(holder, small).answers == new.answers
    assert differed > ROUNDS // 4
    assert later > 0


def test_a_whole_policy_with_homedirs(root, tool):
    """The real policy, in which a profile's rule is new and then gone again."""
    time.sleep(LATER)  # the substitutions have just been copied
    holder = Holder(PROCESS, str(root.files.parent.parent))
    paths = ["/run/foo.sock", "/var/run/foo.sock", "/home/somebody/.ssh/agent", "/run/dbus/system_bus_socket", "/dev/log"]
    try:
        root.profile("foo", "[foo.socket]\ntype = foo_var_run_t\npath = /run/foo.sock\n")
        for verb in ("register", "unregister"):
            assert tool(verb)["changed"]
            found = heldcopy.ask(holder.pid, paths, str(root.files))
            assert (found.unseen, found.answers) == (None, holder.answers(paths))
            holder.open_again()
            found = heldcopy.ask(holder.pid, paths, str(root.files))
            assert found.answers == holder.answers(paths)
            assert (found.answers["/run/foo.sock"] or "").startswith("system_u:object_r:foo_") == (verb == "register")
            assert found.answers["/home/somebody/.ssh/agent"]
    finally:
        holder.end()


def test_the_first_local_rules(small, start, change):
    """No process can hold what was not there; that it was not is an assumption, and said to be one."""
    holder = start()
    change(rule("/run/1\\.sock"))
    found = ask(holder, small)
    assert (found.unseen, found.answers) == (None, holder.answers())
    assert found.answers["/run/1.sock"] == RUN
    assert "file_contexts.local" in found.assumed


@pytest.mark.parametrize("name", ["file_contexts.subs", "file_contexts.subs_dist"])
def test_substitutions_are_read_as_text(small, start, change, name):
    change(rule("/run/3\\.sock"))
    holder = start()
    (small.files / name).write_text("/srv /run\n/var/run /run\n")
    found = ask(holder, small)
    assert (found.answers, name in found.unseen) == ({}, True)
    time.sleep(LATER)
    new = start()
    assert ask(new, small).answers == new.answers()
    assert new.answers()["/var/run/3.sock"] == FOO
    assert ask(new, small).answers["/srv/x"] == RUN
    change(rule("/run/4\\.sock"))
    assert ask(new, small).answers == new.answers()
    # The same process, with the rules that were written after the substitutions.
    holder.open_again()
    assert ask(holder, small).answers == holder.answers()


def make_older(compiled, seconds=10):
    """Make a compiled file older than its text, as an edit of the text does."""
    status = os.stat(str(compiled))
    os.utime(str(compiled), (status.st_atime - seconds, status.st_mtime - seconds))


def test_local_rules_that_were_edited_by_hand(small, start, change):
    """Such text is newer than what is compiled from it: libselinux reads it, and maps nothing."""
    change(rule("/run/1\\.sock"))
    local, compiled = small.files / "file_contexts.local", small.files / "file_contexts.local.bin"
    before = start()
    assert state(before, small) == labelcache.FRESH
    make_older(compiled)
    with local.open("a") as text:
        text.write("/run/2\\.sock\t%s\n" % FOO)
    # Who holds the compiled file is outdated.
    assert state(before, small) == labelcache.STALE
    assert labelfiles.outdated_since(procfs.held_label_files(before.pid), str(small.files)) == int(os.stat(str(local)).st_ctime)
    assert ask(before, small).answers == before.answers()
    assert before.answers()["/run/2.sock"] == RUN
    # Who has read the text is not, for ever.
    time.sleep(LATER)
    after = start()
    assert not any("local" in one.path for one in procfs.held_label_files(after.pid))
    found = labelfiles.read(after.pid, str(small.files))
    assert (found.state, "read as text" in found.evidence[-1]) == (labelcache.FRESH, True)
    assert ask(after, small).answers == after.answers()
    assert after.answers()["/run/2.sock"] == FOO
    # Once it is edited again nobody knows what the process has read.
    with local.open("a") as text:
        text.write("/run/3\\.sock\t%s\n" % FOO)
    found = labelfiles.read(after.pid, str(small.files))
    assert (found.state, "may have changed" in found.evidence[0]) == (labelcache.UNKNOWN, True)
    assert "file_contexts.local" in ask(after, small).unseen
    # A commit writes over it; it is then taken for granted that there was nothing.
    change(rule("/run/5\\.sock"))
    assert state(after, small) == labelcache.STALE
    assert "file_contexts.local" in ask(after, small).assumed


def test_an_edit_within_the_second_of_the_commit_does_not_count(small, start, change):
    """libselinux compares whole seconds, and then takes what is compiled."""
    change(rule("/run/1\\.sock"))
    local, compiled = small.files / "file_contexts.local", small.files / "file_contexts.local.bin"
    with local.open("a") as text:
        text.write("/run/2\\.sock\t%s\n" % FOO)
    for file, part in ((local, 900), (compiled, 100)):
        os.utime(str(file), ns=(1700000000000000000 + part * 1000000,) * 2)
    holder = start()
    assert holder.answers()["/run/2.sock"] == RUN
    assert any("local" in one.path for one in procfs.held_label_files(holder.pid))
    assert state(holder, small) == labelcache.FRESH
    assert ask(holder, small).answers == holder.answers()


def test_files_that_are_gone(small, start, change):
    change(rule("/run/1\\.sock"))
    holder = start()
    answers = holder.answers()
    for name in ("file_contexts.local.bin", "file_contexts.bin"):
        (small.files / name).unlink()
        assert state(holder, small) == labelcache.STALE
        assert ask(holder, small).answers == answers
    time.sleep(LATER)
    new = start()  # most is read as text
    assert state(new, small) == labelcache.FRESH
    assert ask(new, small).answers == new.answers() == answers
    (small.files / "file_contexts.homedirs.bin").unlink()
    new = start()  # all is
    assert ask(new, small).unseen == "its copy cannot be asked: it holds no compiled file contexts"
    assert state(new, small) == labelcache.UNKNOWN


def test_a_process_that_holds_two_generations_or_has_ended(small, start, change):
    """Nobody knows by which it labels."""
    main = small.files / "file_contexts.bin"
    kept = small.files / "kept"
    os.link(str(main), str(kept))
    change(rule("/run/1\\.sock"))
    holder = start("import os\n" + MAPS.replace("print(", "os.unlink(sys.argv[1]); print("), str(kept), str(main))
    # What is held under a name that is no database's is nobody's.
    assert ask(holder, small).unseen is None
    one = start(MAPS, str(main))
    os.rename(str(main), str(kept))
    main.write_bytes(kept.read_bytes())
    both = start(MAPS, str(main), str(kept))
    kept.rename(main.with_name("file_contexts.bin"))
    assert "two generations" in ask(both, small).unseen
    assert ask(one, small).unseen is None
    one.end()
    assert "maps cannot be read" in ask(one, small).unseen


def test_stale_says_who_would_label_which_socket_wrongly(small, start, change):
    """As a process that is outdated is wrong only where rules have changed for a socket."""
    holder = start()

    same_type = CompiledPolicy(str(small.path), POLICY).same

    def read():
        sockets = processes.Sockets(str(small.path), POLICY, lambda: PATHS)
        found = judge(processes.read(str(small.files), sockets), same_type)
        return {process.pid: process for process in found}
    assert read() == {}
    change(rule("/srv/elsewhere"))
    found = read()[holder.pid]
    assert (found.harmless, found.wrong, found.unseen) == (True, [], None)
    change(rule("/run/3\\.sock"))
    found = read()[holder.pid]
    assert (found.harmless, found.wrong) == (False, [("/run/3.sock", RUN, FOO)])
    # By another name of the same type.
    holder.open_again()
    change(Change(MODIFY, Rule("/run/3\\.sock", ALL_FILES, "system_u:object_r:foo_socket_t")))
    assert read()[holder.pid].harmless is True
    (small.files / "file_contexts.subs").write_text("/a /b\n")
    found = read()[holder.pid]
    assert (found.harmless, "file_contexts.subs" in found.unseen) == (None, True)


# -- what is not to be trusted ---------------------------------------------------------------------


def made(small, content, name="file_contexts.bin"):
    """Put a file in the place of a compiled one."""
    new = small.files / "new"
    new.write_bytes(content)
    os.rename(str(new), str(small.files / name))
    return str(small.files / name)


@pytest.mark.parametrize("content", [
    b"x", b"\0" * 4096, MAGIC + b"\xff" * 4096, b"/run/.*\tsystem_u:object_r:run_t\n", b"{}", os.urandom(1 << 16)],
    ids=["one byte", "zeros", "a magic number and nonsense", "text", "json", "noise"])
@pytest.mark.parametrize("name", ["file_contexts.bin", "file_contexts.homedirs.bin", "file_contexts.local.bin"])
def test_what_is_no_database(small, start, change, name, content):
    """A part that libselinux would pass over without a word is not passed over."""
    change(rule("/run/1\\.sock"))
    files = [str(small.files / ("file_contexts%s.bin" % part)) for part in ("", ".local")]
    file = made(small, content, name)
    found = ask(start(MAPS, *{*files, file}), small)
    assert found.answers == {}
    why = "libselinux cannot open %s" % name[:-4] if content.startswith(MAGIC) else "%s is no compiled file contexts" % name
    assert found.unseen.split(": ")[:2] == ["its copy cannot be asked", why]
    assert "\n" not in found.unseen


def test_any_byte_may_be_wrong(small, start, change):
    """Cut at any place, with any byte another: it is an answer, or one line; and in time."""
    change(*(rule("/run/[%d-9]\\.sock" % number) for number in range(5)))
    content = (small.files / "file_contexts.bin").read_bytes()
    chance = random.Random(3)
    seen = unseen = 0
    for number in range(ROUNDS):
        broken = bytearray(content)
        if number % 3 == 0:
            del broken[chance.randrange(1, len(broken)):]
        for _ in range(number % 4):
            broken[chance.randrange(len(broken))] = chance.choice([0, 1, 0x7f, 0xff, chance.randrange(256)])
        holder = start(MAPS, made(small, bytes(broken)))
        begun = time.monotonic()
        found = ask(holder, small)
        assert time.monotonic() - begun < 20
        seen += found.unseen is None
        unseen += found.unseen is not None
        assert "\n" not in (found.unseen or "")
        holder.end()
    assert seen > 0
    assert unseen > ROUNDS // 5


def test_files_that_are_too_large_or_not_roots(small, start):
    main = small.files / "file_contexts.bin"
    good = main.read_bytes()
    holder = start()
    os.chown(str(main), 1234, 0)
    assert "changed by others than root" in ask(holder, small).unseen
    os.chown(str(main), 0, 0)
    main.chmod(0o666)
    assert "changed by others than root" in ask(holder, small).unseen
    main.chmod(0o644)
    assert ask(holder, small).unseen is None
    with main.open("r+b") as sparse:
        sparse.truncate(1 << 40)
    assert "larger than 64 MiB" in ask(holder, small).unseen
    with main.open("r+b") as sparse:
        sparse.truncate(60 << 20)
    assert ask(holder, small).unseen is None or "libselinux" in ask(holder, small).unseen
    with main.open("r+b") as cut:
        cut.truncate(len(good) // 2)
    assert "libselinux cannot open file_contexts" in ask(holder, small).unseen
    with main.open("r+b") as cut:
        cut.truncate(0)
    assert "no compiled file contexts" in ask(holder, small).unseen


def test_without_the_capability(small, start):
    """Who is root without the power to look is told what is missing."""
    holder = start()
    code = ("import sys; sys.path.insert(0, %r)\nfrom foreman_selinux_helpers.doors import heldcopy\n"
            "print(heldcopy.ask(int(sys.argv[1]), ['/run/x'], sys.argv[2]))" % os.getcwd())
    for dropped, missing in (("-checkpoint_restore,-sys_admin", True), ("-checkpoint_restore", False), ("-sys_admin", False)):
        said = subprocess.check_output(["setpriv", "--bounding-set", dropped, "--inh-caps", dropped, sys.executable, "-Ic",
                                        code, str(holder.pid), str(small.files)], universal_newlines=True)
        assert ("without CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE" in said) == missing, said
