"""lsof's rows: who holds which label databases, and what of that is of another root directory."""

import pytest

from foreman_selinux_helpers.model import labelcache, lsof
from foreman_selinux_helpers.model.labelcache import HeldFile
from foreman_selinux_helpers.model.lsof import Holder

FILE = "/etc/selinux/targeted/contexts/files/file_contexts.bin"
HEAD = "COMMAND     PID     USER   FD      TYPE             DEVICE   SIZE/OFF    NODE NAME"
DELETED = "systemd       1        0  DEL       REG              253,0            2261134 " + FILE
MAPPED = "systemd-u   642        0  mem       REG              253,0     596012 2261999 " + FILE


def held_by(*lines, ended=True):
    return lsof.parse([HEAD, *lines], ended)


def test_deleted_is_stale_and_another_process_tells_what_is_on_disk():
    found = held_by(DELETED, MAPPED)
    assert found.holders == {1: Holder(1, "systemd", 0, [HeldFile(FILE, 2261134, True)]),
                             642: Holder(642, "systemd-u", 0, [HeldFile(FILE, 2261999, False)])}
    assert (found.on_disk, found.elsewhere, found.incomplete) == ({FILE: 2261999}, set(), None)
    directory = "/etc/selinux/targeted/contexts/files"
    assert labelcache.compare(found.holders[1].held, found.on_disk.get, directory).state == labelcache.STALE
    assert labelcache.compare(found.holders[642].held, found.on_disk.get, directory).state == labelcache.FRESH


@pytest.mark.parametrize(("row", "deleted"), [
    ("systemd 1 root DEL REG 0xfd00 2261134 " + FILE, True),
    ("systemd 1 0 DEL REG 253,0 0 2261134 " + FILE, True),
    ("systemd 1 0 mem-r REG 253,0 596012 2261134 " + FILE, False),
    ("systemd 1 0 mem REG 253,0 596012 2261134 " + FILE + " (deleted)", True),
    ("systemd 1 0 mem REG 0,33 2261134 " + FILE + " (path dev=0,35)", False),
])
def test_forms_of_a_row(row, deleted):
    assert held_by(row).holders[1].held == [HeldFile(FILE, 2261134, deleted)]
    assert held_by(row).incomplete is None


def test_threads_open_files_and_doubles_tell_nothing_new():
    found = held_by(
        DELETED, DELETED, "systemd 1 7 worker 0 DEL REG 253,0 2261135 " + FILE, "systemd 1 0 4r REG 253,0 9 2261136 " + FILE,
        "vi 77 1000 cwd DIR 253,0 9 2261137 /root/file_contexts", "vi 77 1000 4u REG 253,0 9 2261138 /x/file_contexts.swp",
        "x 78 0 txt REG 253,0 1 2 /x/file_contexts")
    assert found.holders == {1: Holder(1, "systemd", 0, [HeldFile(FILE, 2261134, True)])}
    assert found.incomplete is None


def test_names_and_paths_with_white_space():
    row = "my\\x20tool 7 alice mem REG 253,0 9 12 /srv/a b/file_contexts.bin"
    assert held_by(row).holders == {7: Holder(7, "my tool", None, [HeldFile("/srv/a b/file_contexts.bin", 12, False)])}


def test_databases_of_another_root_directory_are_left_out():
    found = held_by(
        DELETED,
        "httpd 70 0 mem REG 0,39 2261256 %s (path dev=253,0, inode=2261999)" % FILE,
        "httpd 71 0 mem REG 253,0 2261256 %s (path inode=2261999)" % FILE,
        "httpd 72 0 mem REG 253,0 2261256 %s (stat: No such file or directory)" % FILE,
        "httpd 73 0 DEL REG 0,39 2261256 %s" % FILE)
    assert set(found.holders) == {1}
    assert found.elsewhere == {70, 71, 72, 73}
    assert found.on_disk == {FILE: 2261999}


def test_without_pid_1_the_device_is_that_of_what_is_on_disk():
    found = held_by(MAPPED, "a 70 0 DEL REG 253,0 12 " + FILE, "b 71 0 DEL REG 0,39 12 " + FILE)
    assert (set(found.holders), found.elsewhere) == ({642, 70}, {71})


def test_a_child_that_has_not_executed_its_program():
    assert held_by(DELETED, "(ostnamed 9 0 DEL REG 253,0 2261134 " + FILE).holders.keys() == {1}


def test_incomplete():
    assert lsof.parse([DELETED]).incomplete == "its beginning is missing"
    assert lsof.parse([]).incomplete == "its beginning is missing"
    assert held_by(DELETED, MAPPED[:-4], ended=False).incomplete == "its last line is cut off"
    assert held_by("lsof: WARNING: can't stat() fuse file system /run/user/1000/doc", DELETED).incomplete is None
    for line in ("134 " + FILE, "systemd 1 0 DEL REG 253,0 " + FILE,
                 "systemd 1 0 DEL REG 253,lsof: WARNING: can't stat() /x0 2261134 " + FILE):
        assert held_by(DELETED, line).incomplete == "some of its lines cannot be read"
