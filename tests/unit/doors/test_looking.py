"""What is read from /proc and from systemctl, and what is made of it."""

import os
import socket
import tempfile

import pytest

from foreman_selinux_helpers.doors import procfs, unixsockets
from foreman_selinux_helpers.model import labelcache, shownunits
from foreman_selinux_helpers.model.labelcache import FRESH, STALE, UNKNOWN, HeldFile
from foreman_selinux_helpers.sources import sockets as socketsource

DIRECTORY = "/etc/selinux/targeted/contexts/files"
MAIN, HOMEDIRS, LOCAL = (DIRECTORY + "/file_contexts%s.bin" % part for part in ("", ".homedirs", ".local"))
MAPS = """55d0-55d1 r--p 00000000 fe:00 99                        /usr/lib/systemd/systemd
7f92-7f93 r--p 00000000 fe:00 252                        %s
7f94-7f95 r--p 00001000 fe:00 252                        %s
7f96-7f97 r--p 00000000 fe:00 254                        %s (deleted)
garbage
7fff-8000 r-xp 00000000 00:00 0                          [vdso]
""" % (MAIN, MAIN, HOMEDIRS)


def test_maps():
    assert list(procfs.parse_maps(MAPS)) == [HeldFile(MAIN, 252, False), HeldFile(HOMEDIRS, 254, True)]
    assert procfs.parse_maps("") == {}
    assert procfs.parse_maps("\0\n" * 1000) == {}


def test_the_cache_is_what_is_held_against_what_is_on_disk():
    held = [HeldFile(MAIN, 1, False), HeldFile(HOMEDIRS, 2, False)]
    disk = {MAIN: 1, HOMEDIRS: 2}
    assert labelcache.compare(held, disk.get, DIRECTORY).state == FRESH
    assert labelcache.compare(held, {MAIN: 9, HOMEDIRS: 2}.get, DIRECTORY).state == STALE
    assert labelcache.compare(held, {HOMEDIRS: 2}.get, DIRECTORY).state == STALE
    assert labelcache.compare([held[0]._replace(deleted=True)], disk.get, DIRECTORY).state == STALE
    stale = labelcache.compare(held, dict(disk, **{LOCAL: 3}).get, DIRECTORY)
    assert (stale.state, len(stale.evidence)) == (STALE, 1)
    assert LOCAL in stale.evidence[0]


def test_what_cannot_be_seen_is_unknown():
    assert labelcache.compare(None, {}.get, DIRECTORY).state == UNKNOWN
    assert labelcache.compare([], {MAIN: 1}.get, DIRECTORY).state == UNKNOWN
    elsewhere = HeldFile("/etc/selinux/other/contexts/files/file_contexts.bin", 1, False)
    assert labelcache.compare([elsewhere], {MAIN: 1}.get, DIRECTORY).state == UNKNOWN


def test_listening_sockets():
    table = """Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 100 /run/a.sock
0000000000000000: 00000003 00000000 00000000 0001 03 101 /run/a.sock
0000000000000000: 00000002 00000000 00000000 0002 01 102 /run/datagram
0000000000000000: 00000002 00000000 00010000 0005 01 103 /run/with space
0000000000000000: 00000002 00000000 00010000 0001 01 104 @abstract
0000000000000000: 00000002 00000000 00010000 0001 01 105
broken line
"""
    assert unixsockets.listening_sockets(table) == {
        "/run/a.sock": [(100, False)], "/run/datagram": [(102, True)], "/run/with space": [(103, False)]}


def test_a_name_that_looks_like_another_sockets_line(monkeypatch):
    """Anybody can bind one: it must not make another socket of a process out to be the one at a path."""
    with tempfile.TemporaryDirectory() as directory, socket.socket(socket.AF_UNIX) as ours, \
            socket.socket(socket.AF_UNIX) as other, socket.socket(socket.AF_UNIX) as theirs:
        monkeypatch.chdir(directory)
        path = directory + "/ours"
        for one, name in ((other, directory + "/other"), (ours, path)):
            one.bind(name)
            one.listen()
        inode = os.fstat(other.fileno()).st_ino
        os.makedirs(("d\n0: 0 0 10000 1 1 %d %s" % (inode, path)).rpartition("/")[0])
        theirs.bind("d\n0: 0 0 10000 1 1 %d %s" % (inode, path))
        with open("/proc/self/net/unix") as table:
            assert "\n0: 0 0 10000 1 1 %d %s\n" % (inode, path) in table.read()
        assert unixsockets.Listeners(os.getpid()).descriptor(path) == ours.fileno()
        assert [one.inode for one in unixsockets.Listeners(os.getpid()).sockets[path]] == [os.fstat(ours.fileno()).st_ino]


@pytest.mark.parametrize(("text", "unit"), [
    ("0::/system.slice/foo.service\n", "foo.service"),
    ("12:pids:/x.service\n1:name=systemd:/system.slice/foo.service/sub\n0::/\n", "foo.service"),
    ("0::/user.slice/user-0.slice/session-1.scope\n", "session-1.scope"),
    ("0::/user.slice/user-0.slice/user@0.service/app.slice/x.service\n", "user@0.service"),
    ("0::/init.scope\n", None), ("0::/\n", None), ("", None)])
def test_the_unit_of_a_process(text, unit):
    assert procfs.parse_cgroup(text) == unit


MOUNTS = """22 1 254:0 / / rw,noatime shared:1 - ext4 /dev/root rw,seclabel
23 22 0:21 / /run rw shared:2 - tmpfs tmpfs rw,seclabel,mode=755
24 23 0:40 / /run/my\\040own rw - tmpfs none rw,context=system_u:object_r:var_run_t:s0
25 23 0:41 / /run/twice rw - tmpfs none rw
26 23 0:42 / /run/twice rw - tmpfs none rw,seclabel
broken
"""


@pytest.mark.parametrize(("path", "keeps"), [
    ("/etc/x", True), ("/run/foo.sock", True), ("/run/my own/foo.sock", False), ("/run/my ownother", True),
    ("/run/twice/foo.sock", True)])
def test_the_file_systems_that_keep_labels(path, keeps):
    assert procfs.parse_mounts(MOUNTS, path) is keeps


def test_who_has_a_socket_open(tmp_path):
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()
        (found,) = unixsockets.Listeners(os.getpid()).sockets[path]
        assert unixsockets.holders([found.inode]) == [(os.getpid(), listening.fileno())]
        assert procfs.comm(os.getpid())
    assert unixsockets.holders([found.inode]) == []
    assert not unixsockets.Listeners(os.getpid()).anybody(path)


def test_systemctl_show():
    blocks = shownunits.parse_show("Id=a.socket\nListen=/run/a (Stream)\nListen=1.2.3.4:5 (Stream)\n\nId=b=c\n")
    assert blocks == [{"Id": ["a.socket"], "Listen": ["/run/a (Stream)", "1.2.3.4:5 (Stream)"]}, {"Id": ["b=c"]}]
    assert shownunits.parse_show("") == [{}]


def test_listen_lines_of_new_and_old_systemd():
    assert shownunits.listen_paths({"Listen": ["/run/a (Stream)", "[::]:3000 (Stream)"]}) == ("/run/a",)
    assert shownunits.listen_paths({"Listen": ["/run/a b (1) (Datagram)"]}) == ("/run/a b (1)",)
    assert shownunits.listen_paths({"Listen": ["/dev/input (Special)", "/run/fifo (FIFO)"]}) == ()
    assert shownunits.listen_paths({"ListenStream": ["/run/a", "@abstract"]}) == ("/run/a",)
    assert shownunits.listen_paths({}) == ()


def test_a_socket_that_was_relabelled_says_nothing_of_who_made_it(tmp_path, monkeypatch):
    """That PID 1 made it wrong is proof of an outdated label cache; that somebody labelled it by hand is not."""
    path = str(tmp_path / "s")
    monkeypatch.setattr(socketsource.labels, "path_label", lambda path: "u:r:t")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(path)
        made = socketsource._read_inode(path).made_at
        assert made == os.lstat(path).st_mtime
        os.utime(path, (made - 60, made - 60))  # it was made a minute before its last change
        assert socketsource._read_inode(path) == (True, None, "u:r:t")
