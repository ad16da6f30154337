"""What is asked of a process's own copy of the label database, and the child that it is asked in."""

import faulthandler
import os
import pathlib
import signal
import struct
import subprocess
import sys
import time

import pytest

from foreman_selinux_helpers.doors import apart, capabilities, heldcopy, interrupts, labelfiles, procfs
from foreman_selinux_helpers.doors.deadline import Deadline
from foreman_selinux_helpers.doors.heldcopy import HeldAnswers, Unseen
from foreman_selinux_helpers.model import labelcache
from foreman_selinux_helpers.model.errors import HelperError
from foreman_selinux_helpers.model.labelcache import FRESH, STALE, UNKNOWN, HeldFile, Texts, Written

DIRECTORY = "/etc/selinux/targeted/contexts/files"
MAIN, HOMEDIRS, LOCAL = (DIRECTORY + "/file_contexts%s.bin" % part for part in ("", ".homedirs", ".local"))
LABEL = "system_u:object_r:foo_t:s0"
LIMITS = apart.Limits(5.0, 1 << 30, 1 << 20, 1 << 16)
NOTHING = struct.pack("=3I", 0xf97cff8a, 5, 16) + b"10.42 2022-12-11" + struct.pack("=I", 6) + b"8-8-el" + bytes(8)

TOP = str(pathlib.Path(__file__).resolve().parents[3])


# -- whether a label cache is outdated --------------------------------------------------------------


def test_the_range_of_a_mapping_is_named_as_in_map_files():
    lines = ("00400000-00b3e000 r--p 00000000 fe:00 7                          %s\n"
             "7f00-7f01 r--p 00000000 fe:00 7                          %s\n"
             "zz-7f r--p 00000000 fe:00 8                          %s (deleted)\n" % (MAIN, MAIN, LOCAL))
    assert procfs.parse_maps(lines) == {HeldFile(MAIN, 7, False): "400000-b3e000", HeldFile(LOCAL, 8, True): ""}


def test_when_a_process_was_started():
    before = time.time()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        started = procfs.started_at(process.pid)
        process.stdin.close()
    assert before - 0.1 <= started <= time.time() + 0.1
    assert procfs.started_at(process.pid) is None


@pytest.mark.parametrize("stat", [b"", b"7 (a) b)", b"7 (x) " + b"z " * 40, b"7 (x) S " + b"1 " * 5])
def test_a_start_that_is_not_told(tmp_path, stat):
    (tmp_path / "7").mkdir()
    (tmp_path / "7/stat").write_bytes(stat)
    assert procfs.started_at(7, str(tmp_path)) is None


HELD = [HeldFile(MAIN, 1, False), HeldFile(LOCAL, 3, False)]
DISK = {MAIN: 1, LOCAL: 3}
OLD, NEW = Written(100.2, 100.5), Written(200.5, 200.5)


def judged(held, disk, written, opened_after=150.0):
    return labelcache.compare(held, disk.get, DIRECTORY, Texts(written.get, opened_after))


@pytest.mark.parametrize(("held", "text", "opened_after", "state", "word"), [
    (HELD, Written(100.9, 300.0), None, FRESH, "is held and on disk"),  # the same second: what is compiled is used
    (HELD, None, None, FRESH, "is held and on disk"),
    (HELD, NEW, 150.0, STALE, "is newer"),
    (HELD[:1], NEW, 250.0, FRESH, "read as text"),
    (HELD[:1], NEW, 150.0, UNKNOWN, "may have changed"),
    (HELD[:1], NEW, 200.5, UNKNOWN, "may have changed"),  # as file times have ticks
    (HELD[:1], NEW, None, UNKNOWN, "may have changed"),
    (HELD[:1], Written(200.5, 260.0), 250.0, UNKNOWN, "may have changed"),  # moved here, its time kept
    (HELD[:1], OLD, 250.0, STALE, "not held"),
])
def test_a_compiled_file_that_is_older_than_its_text_is_no_evidence(held, text, opened_after, state, word):
    written = {MAIN: OLD, LOCAL: OLD, MAIN[:-4]: OLD, LOCAL[:-4]: text}
    found = judged(held, DISK, written, opened_after)
    assert (found.state, word in found.evidence[-1]) == (state, True), found
    assert LOCAL[:-4] in found.evidence[-1]


def test_a_text_of_which_nothing_is_compiled():
    written = {MAIN: OLD, LOCAL[:-4]: NEW}
    assert judged(HELD[:1], {MAIN: 1}, written).state == UNKNOWN
    assert judged(HELD[:1], {MAIN: 1}, written, 300.0).state == FRESH
    assert judged(HELD[:1], {MAIN: 9}, written).state == STALE  # whatever else
    assert judged(HELD[:1], {MAIN: 1}, {MAIN: OLD}).state == FRESH


def test_the_bound_on_when_a_database_was_opened():
    assert labelcache.opened_after(None, []) is None
    assert labelcache.opened_after(50.0, [20.0, 70.5]) == 70.5
    assert labelcache.opened_after(90.0, [20.0]) == 89.0


def test_since_when_an_edited_text_makes_a_process_outdated(tmp_path):
    text, compiled = tmp_path / "file_contexts.local", tmp_path / "file_contexts.local.bin"
    for file in (text, compiled):
        file.write_bytes(b"")
    os.utime(str(compiled), (100, 100))
    inode = os.stat(str(compiled)).st_ino
    since = labelfiles.outdated_since([HeldFile(str(compiled), inode, False)], str(tmp_path))
    assert since == int(os.stat(str(text)).st_ctime)
    assert labelfiles.outdated_since([], str(tmp_path)) is None  # it is not used by anybody


# -- what is copied --------------------------------------------------------------------------------


def test_what_a_process_holds_of_a_database():
    held = {HeldFile(MAIN, 1, False): "1-2", HeldFile(LOCAL, 2, True): "3-4",
            HeldFile(DIRECTORY + "/file_contexts.subs", 3, False): "5-6", HeldFile("/c" + MAIN, 4, False): "7-8"}
    assert heldcopy.chosen(held, DIRECTORY) == {"file_contexts": "1-2", "file_contexts.local": "3-4"}
    for more, word in (({HeldFile(MAIN, 9, True): "9-a"}, "two generations"), ({HeldFile(HOMEDIRS, 9, True): ""}, "not told")):
        with pytest.raises(Unseen, match=word):
            heldcopy.chosen({**held, **more}, DIRECTORY)
    with pytest.raises(Unseen, match="no compiled"):
        heldcopy.chosen({}, DIRECTORY)


@pytest.mark.parametrize(("written", "texts", "new"), [
    ({}, [], []),
    ({"file_contexts": NEW, "file_contexts.subs_dist": OLD}, ["file_contexts.subs_dist"], []),
    ({"file_contexts.local": OLD}, ["file_contexts.local"], []),
    ({"file_contexts.local": OLD, "file_contexts.local.bin": Written(90.0, 90.0)}, ["file_contexts.local"], []),
    ({"file_contexts.local": NEW, "file_contexts.local.bin": NEW}, [], ["file_contexts.local"]),
    ({"file_contexts.local.bin": NEW}, [], ["file_contexts.local"]),
    ({"file_contexts.local": NEW, "file_contexts.local.bin": OLD}, None, None),
    ({"file_contexts.local": NEW}, None, None),
    ({"file_contexts.subs": NEW}, None, None),
    ({"file_contexts.subs_dist": NEW, "file_contexts.subs_dist.bin": NEW}, None, None),
    ({"file_contexts.subs_dist": Written(1.0, 200.0)}, None, None),  # another was moved to its place
])
def test_the_texts_that_a_process_must_have_read(written, texts, new):
    if texts is None:
        with pytest.raises(Unseen, match="may have changed since"):
            heldcopy.read(["file_contexts"], written.get, 150.0)
    else:
        assert heldcopy.read(["file_contexts"], written.get, 150.0) == (texts, new)


def test_a_database_without_its_first_part_is_never_taken_for_new():
    with pytest.raises(Unseen, match="file_contexts is read as text"):
        heldcopy.read(["file_contexts.local"], {"file_contexts": NEW, "file_contexts.bin": NEW}.get, 150.0)


@pytest.mark.parametrize(("content", "empty"), [
    (NOTHING, True), (NOTHING[:-8] + b"\1" + bytes(7), False), (NOTHING + b"\0", False), (NOTHING[:-1], False),
    (b"", False), (NOTHING[:8], False), (bytes(60), False),
    (struct.pack("=2I", 0xf97cff8a, 1) + bytes(8), True), (struct.pack("=2I", 0xf97cff8a, 6) + NOTHING[8:], False),
    (struct.pack(">2I", 0xf97cff8a, 6) + NOTHING[8:], False),
    (struct.pack("=3I", 0xf97cff8a, 5, 0xffffffff) + bytes(30), False)])
def test_a_compiled_file_without_rules(content, empty):
    assert heldcopy.is_empty(content) is empty


# -- what comes back -------------------------------------------------------------------------------


def test_answers_come_back_as_they_are():
    paths = ["/run/a", "/run/b b", "/run/\u00e9"]
    answers = {"/run/a": LABEL, "/run/b b": None, "/run/\u00e9": "u:r:t:s0-s15:c0.c1023"}
    assert heldcopy.decode(heldcopy.encode(answers, paths, []), paths) == HeldAnswers(answers)
    assumed = heldcopy.decode(heldcopy.encode(answers, paths, ["file_contexts.local"]), paths)
    assert (assumed.answers, "no file_contexts.local" in assumed.assumed) == (answers, True)


@pytest.mark.parametrize("answer", [
    b"", b"\0", b"\0%s" % LABEL.encode(), b"\0a\0", b"\0u:r:t:s0\n\0", b"\0u:r:\xff\0", b"\0u:r:t\0u:r:t\0", b"\0u:r:%s\0" % (b"t" * 5000),
    b"/etc/shadow\0u:r:t\0", b"\0\x1b[31mu:r:t\0", b"\0u:r:t s0\0", b"\0::\0"])
def test_an_answer_that_is_none_is_not_believed(answer):
    found = heldcopy.decode(answer, ["/run/a"])
    assert found.answers == {}
    assert found.unseen.startswith("its copy cannot be asked: ")
    assert "\n" not in found.unseen


def test_nothing_is_asked_for_no_paths_and_none_for_far_too_many():
    assert heldcopy.ask(1, [], "/x") == HeldAnswers({})
    assert "more than" in heldcopy.ask(1, ["/run/x"] * 20000, "/x").unseen


# -- a process that is none ------------------------------------------------------------------------


@pytest.fixture
def process(tmp_path):
    """Make what /proc says of a process, and the directory of a policy."""
    proc, files, scratch = tmp_path / "proc", tmp_path / "contexts/files", tmp_path / "scratch"
    for directory in (proc / "7/map_files", files, scratch):
        directory.mkdir(parents=True)
    (proc / "7/stat").write_text("7 (x) S " + "0 " * 50)
    (proc / "7/maps").write_text("00001000-2000 r--p 00000000 fe:00 252                        %s/file_contexts.bin (deleted)\n" % files)
    (proc / "7/map_files/1000-2000").write_bytes(struct.pack("=I", 0xf97cff8a) + b"rules")
    return tmp_path


def copied(process):
    """Copy in a child, as it is done; return the names, and what is in them."""
    def act():
        heldcopy._copied(7, str(process / "contexts/files"), str(process / "scratch"), str(process / "proc"))
        return b",".join(b"%s=%s" % (os.fsencode(one.name), one.read_bytes()) for one in sorted((process / "scratch").iterdir()))
    return apart.call(act, LIMITS)


@pytest.mark.skipif(os.geteuid() != 0, reason="files must be root's")
def test_what_libselinux_is_given(process):
    files = process / "contexts/files"
    (files / "file_contexts").write_text("of no concern: it is mapped")
    subs = files / "file_contexts.subs_dist"
    subs.write_text("/a /b\n")
    held = process / "proc/7/map_files/1000-2000"
    os.utime(str(held), (time.time() + 5, time.time() + 5))
    found = copied(process)
    assert (found.fault, found.answer) == ("", b"file_contexts.bin=%s,file_contexts.subs_dist=/a /b\n" % held.read_bytes())


@pytest.mark.skipif(os.geteuid() != 0, reason="files must be root's")
@pytest.mark.parametrize(("shell", "word"), [
    ("rm proc/7/map_files/*", "no longer mapped"), ("chmod o+w proc/7/map_files/*", "others than root"),
    ("chown 12 proc/7/map_files/*", "others than root"), ("truncate -s 65M proc/7/map_files/*", "larger than 64 MiB"),
    ("rm proc/7/map_files/*; mkdir proc/7/map_files/1000-2000", "not a regular file"),
    ("rm proc/7/map_files/*; mkfifo proc/7/map_files/1000-2000", "not a regular file"),
    ("rm proc/7/map_files/*; ln -s /dev/zero proc/7/map_files/1000-2000", "not a regular file"),
    ("truncate -s 0 proc/7/map_files/*", "no compiled"), ("echo text >proc/7/map_files/1000-2000", "no compiled"),
    ("rm proc/7/maps", "cannot be read"), (": >proc/7/maps", "no compiled"),
    ("sed -i s/00001000/odd/ proc/7/maps", "not told"),
    ("mkfifo contexts/files/file_contexts.subs", "may have changed"),
    ("echo >contexts/files/file_contexts.local", "may have changed"),
    ("mkfifo contexts/files/file_contexts.subs; touch -d 2100-01-01 proc/7/map_files/*", "not a regular file"),
    ("truncate -s 65M contexts/files/file_contexts.subs; touch -d 2100-01-01 proc/7/map_files/*", "larger than 64 MiB"),
])
def test_what_is_odd_ends_in_one_line(process, shell, word):
    subprocess.check_call(shell, shell=True, cwd=str(process))
    begun = time.monotonic()
    found = copied(process)
    assert (found.answer, word in found.fault, "\n" in found.fault) == (b"", True, False), found
    assert time.monotonic() - begun < 4


@pytest.mark.skipif(os.geteuid() != 0, reason="files must be root's")
def test_nothing_of_a_try_before_is_left(process, monkeypatch):
    """A part that the process has let go of meanwhile is not mixed with what it holds now."""
    monkeypatch.setattr(heldcopy, "_PAUSE", 0)
    place = process / "proc/7/map_files"
    (place / "3000-4000").write_bytes((place / "1000-2000").read_bytes())
    main, local = (HeldFile("%s/file_contexts%s.bin" % (process / "contexts/files", part), 1, True) for part in ("", ".local"))
    held = [{main: "1000-2000", local: "3000-4000"}] + [{main: "1000-2000"}] * 3
    monkeypatch.setattr(procfs, "mapped_label_files", lambda pid, proc: held.pop(0))
    monkeypatch.setattr(capabilities, "read_map_files_by", lambda: None)
    monkeypatch.setattr(capabilities, "drop_all", lambda: None)
    found = heldcopy._copied(7, str(process / "contexts/files"), str(process / "scratch"), str(process / "proc"))
    assert found == (str(process / "scratch/file_contexts"), [str(process / "scratch/file_contexts")], [])
    assert os.listdir(str(process / "scratch")) == ["file_contexts.bin"]


def test_a_process_that_opens_its_database_while_it_is_copied(process, monkeypatch):
    """It is tried again, and given up."""
    monkeypatch.setattr(heldcopy, "_PAUSE", 0)
    tries = []

    def look(pid, proc):
        tries.append(pid)
        return {HeldFile("%s/file_contexts.bin" % (process / "contexts/files"), len(tries), True): "1000-2000"}
    monkeypatch.setattr(procfs, "mapped_label_files", look)
    # Not in a child, so that the tries can be counted; the capabilities are ours to keep.
    monkeypatch.setattr(capabilities, "read_map_files_by", lambda: None)
    if os.geteuid() == 0:
        with pytest.raises(heldcopy.Changing, match="anew"):
            heldcopy._copied(7, str(process / "contexts/files"), str(process / "scratch"), str(process / "proc"))
        assert len(tries) == 6


# -- the child -------------------------------------------------------------------------------------


def test_what_the_child_returns():
    assert apart.call(lambda: b"x" * 60000, LIMITS) == (b"x" * 60000, "")
    assert apart.call(lambda: b"", LIMITS) == (b"", "")


def fail(error):
    raise error


def die(number):
    faulthandler.disable()  # pytest's prints
    os.kill(os.getpid(), number)


def forever():
    while True:
        pass


@pytest.mark.parametrize(("act", "word"), [
    (lambda: die(signal.SIGSEGV), "signal 11"), (lambda: die(signal.SIGBUS), "signal 7"),
    (lambda: die(signal.SIGABRT), "signal 6"), (lambda: die(signal.SIGSTOP), "did not end within"),
    (lambda: time.sleep(60), "did not end within"), (forever, "did not end within"),
    (lambda: bytes(2 << 30), "too much memory"), (lambda: b"x" * 70000, "answered more than"),
    (lambda: os._exit(0), "no answer"), (lambda: os._exit(3), "status 3"), (lambda: fail(ValueError("x")), "status 1"),
    (lambda: fail(HelperError("one\nline")), "one line"), (lambda: fail(OSError(2, "No such")), "No such"),
    (lambda: pathlib.Path("big").write_bytes(bytes(2 << 20)), "File too large")], ids=range(14))
def test_a_child_that_fails_is_one_line(act, word, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    begun = time.monotonic()
    found = apart.call(act, LIMITS._replace(seconds=1.0))
    assert (found.answer, word in found.fault, "\n" in found.fault) == (b"", True, False), found
    assert time.monotonic() - begun < 4
    assert capfd.readouterr() == ("", "")
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith("core")] == []


def test_what_the_child_prints_is_not_seen(capfd):
    assert apart.call(lambda: os.system("echo out; echo err >&2; cat").to_bytes(2, "big"), LIMITS) == (b"\0\0", "")
    assert capfd.readouterr() == ("", "")


def test_no_descriptor_is_left():
    before = os.listdir("/proc/self/fd")
    apart.call(lambda: b"x", LIMITS)
    apart.call(lambda: fail(HelperError("x")), LIMITS)
    assert os.listdir("/proc/self/fd") == before


def test_a_signal_that_asks_us_to_stop_ends_the_child_and_is_heard(tmp_path):
    """Sent to the process alone, or as a terminal sends it to both: it ends in time, as it does elsewhere."""
    code = ("import sys, time; sys.path.insert(0, %r)\n"
            "from foreman_selinux_helpers.doors import apart, interrupts\n"
            "from foreman_selinux_helpers.doors.deadline import Deadline\n"
            "try:\n"
            "    with interrupts.heard(Deadline(60)):\n"
            "        print(flush=True)\n"
            "        apart.call(lambda: time.sleep(50), apart.Limits(50.0, 1 << 30, 1, 1))\n"
            "        print('not heard')\n"
            "except KeyboardInterrupt as error: print('heard', error)\n" % TOP)
    for send in (os.kill, os.killpg):
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True) as process:
            process.stdout.readline()
            time.sleep(0.3)
            begun = time.monotonic()
            send(process.pid, signal.SIGTERM)
            assert process.stdout.read() == b"heard 15\n"
            assert time.monotonic() - begun < 3


def test_the_alarm_and_the_handlers_of_the_caller_stay():
    heard = []
    with interrupts.heard(Deadline(60)):
        before = signal.getsignal(signal.SIGTERM)
        assert apart.call(lambda: b"%d" % (signal.getsignal(signal.SIGTERM) == signal.SIG_DFL), LIMITS).answer == b"1"
        assert signal.getsignal(signal.SIGTERM) is before
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 50
        assert apart.call(lambda: b"%d" % signal.getitimer(signal.ITIMER_REAL)[0], LIMITS).answer == b"0"
        assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()
        heard.append(apart.call(lambda: str(sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ()))).encode(), LIMITS).answer)
    assert heard == [b"[]"]


def test_a_caller_that_has_the_ends_of_children_forgotten():
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        assert apart.call(lambda: b"x", LIMITS) == (b"x", "")
    finally:
        signal.signal(signal.SIGCHLD, before)


# -- capabilities ----------------------------------------------------------------------------------


def test_the_text_of_capabilities():
    assert capabilities.parse("Name:\tx\nCapInh:\t0000000000000001\nCapPrm:\t000001ffffffffff\nCapEff:\t0000010000200000\n") \
        == (0x10000200000, 0x1ffffffffff, 1)
    for text in ("", "CapEff:\tzz\nCapPrm:\t0\nCapInh:\t0\n", "CapEff:\t0\n"):
        with pytest.raises(ValueError):
            capabilities.parse(text)


@pytest.mark.skipif(os.geteuid() != 0, reason="others have none")
def test_one_of_two_capabilities_is_dropped_and_then_all():
    def act():
        found = [capabilities.sets()]
        capabilities.read_map_files_by()
        found.append(capabilities.sets())
        capabilities.drop_all()
        return repr([tuple(one) for one in [*found, capabilities.sets()]]).encode()

    before, less, none = eval(apart.call(act, LIMITS).answer.decode())
    both = all(before[0] >> one & 1 for one in (capabilities.CAP_SYS_ADMIN, capabilities.CAP_CHECKPOINT_RESTORE))
    assert less[0] == (before[0] & ~(1 << capabilities.CAP_CHECKPOINT_RESTORE) if both else before[0])
    assert less[1:] == before[1:]
    assert none == (0, 0, 0)


@pytest.mark.parametrize(("effective", "left"), [
    ((21, 40), (21,)), ((40,), (40,)), ((21,), (21,)), ((), ()), ((0, 21, 40), (0, 21))])
def test_which_is_dropped(monkeypatch, effective, left):
    """The only one is kept; a kernel before 5.9 has but the other."""
    bits = sum(1 << one for one in effective)
    after = []
    monkeypatch.setattr(capabilities, "sets", lambda: capabilities.Sets(bits, bits, 0))
    monkeypatch.setattr(capabilities, "_set", after.append)
    capabilities.read_map_files_by()
    assert (after[0].effective if after else bits) == sum(1 << one for one in left)
