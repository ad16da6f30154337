"""Who may connect by file modes: the model's answer is the kernel's, for random owners, modes and access control lists."""

import errno
import os
import shutil
import socket
import struct
import tempfile
from typing import List, NamedTuple, Optional, Tuple

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from foreman_selinux_helpers.doors import filemodes
from foreman_selinux_helpers.model import modes
from foreman_selinux_helpers.model.modes import User

USERS, GROUPS = [0, 60001, 60002, 60003], [60011, 60012, 60013]
USER_OBJ, USER, GROUP_OBJ, GROUP, MASK, OTHER = 1, 2, 4, 8, 16, 32
PERMISSIONS = st.integers(0, 7)
NOBODY = 0xFFFFFFFF


class Inode(NamedTuple):
    uid: int
    gid: int
    mode: int
    acl: Optional[List[Tuple[int, int, int]]]


class Case(NamedTuple):
    outer: Inode
    inner: Inode
    socket: Inode
    kind: int
    user: User


@st.composite
def acls(draw):
    """An access control list that the kernel accepts."""
    users = draw(st.lists(st.sampled_from(USERS), unique=True, max_size=3))
    groups = draw(st.lists(st.sampled_from(GROUPS), unique=True, max_size=3))
    found = [(USER_OBJ, draw(PERMISSIONS), NOBODY), *((USER, draw(PERMISSIONS), one) for one in sorted(users)),
             (GROUP_OBJ, draw(PERMISSIONS), NOBODY), *((GROUP, draw(PERMISSIONS), one) for one in sorted(groups))]
    if users or groups or draw(st.booleans()):
        found.append((MASK, draw(PERMISSIONS), NOBODY))
    return [*found, (OTHER, draw(PERMISSIONS), NOBODY)]


def inodes(permissions):
    """Return inodes; permissions that are drawn more often than others let more cases come as far as the socket."""
    often = st.one_of(PERMISSIONS, st.just(permissions))
    mode = st.tuples(often, often, often).map(lambda one: one[0] << 6 | one[1] << 3 | one[2])
    return st.builds(Inode, st.sampled_from(USERS), st.sampled_from(GROUPS), mode, st.none() | acls())


CASES = st.builds(
    Case, inodes(5), inodes(5), inodes(6), st.sampled_from([socket.SOCK_STREAM, socket.SOCK_DGRAM]),
    st.builds(lambda uid, groups: User("u", uid, groups, "g"), st.sampled_from(USERS),
              st.lists(st.sampled_from(GROUPS), min_size=1, max_size=3, unique=True)))


def settle(path, inode):
    """Give an inode its owner, mode and access control list."""
    os.chown(path, inode.uid, inode.gid)
    os.chmod(path, inode.mode)
    if inode.acl is not None:
        os.setxattr(path, "system.posix_acl_access",
                    struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *one) for one in inode.acl))


def as_user(user, work):
    """Return the exit status of ``work``, done by a child with the credentials of a user."""
    child = os.fork()
    if not child:
        status = 99
        try:
            os.setgroups(user.groups[1:])
            os.setresgid(*user.groups[:1] * 3)
            os.setresuid(user.uid, user.uid, user.uid)
            status = work()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def connecting(path, kind):
    def work():
        with socket.socket(socket.AF_UNIX, kind) as client:
            return client.connect_ex(path)
    return work


@pytest.fixture(scope="module", params=["/tmp", "/dev/shm"])
def place(request):
    """A directory that everybody may search, on the disk and on a tmpfs, as /run is one."""
    directory = tempfile.mkdtemp(dir=request.param)
    os.chmod(directory, 0o755)
    yield directory
    shutil.rmtree(directory)


@given(CASES)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_kernel_answers_the_same(place, case):
    outer, inner = place + "/outer", place + "/outer/inner"
    path = inner + "/s"
    os.makedirs(inner)
    try:
        with socket.socket(socket.AF_UNIX, case.kind) as server:
            server.bind(path)
            if case.kind == socket.SOCK_STREAM:
                server.listen(5)
            for one, inode in ((path, case.socket), (inner, case.inner), (outer, case.outer)):
                settle(one, inode)
            status = as_user(case.user, connecting(path, case.kind))
            assert status in (0, errno.EACCES)
            steps = [(outer, os.X_OK), (inner, os.X_OK), (path, os.W_OK)]
            answered = as_user(case.user, lambda: next(
                (number for number, one in enumerate(steps, 1) if not os.access(*one)), 0))
            seen = filemodes.reach(path)
            stranger = as_user(User("x", 60099, [60099], "x"), connecting(path, case.kind))
        refused = modes.refusal(seen._replace(user=case.user))
        event(refused.why if refused else "connected")
        assert (refused is None) == (status == 0)
        assert (steps[answered - 1][0] if answered else None) == (refused.inode.path if refused else None)
        assert modes.open_to_all(seen) == (stranger == 0)
    finally:
        shutil.rmtree(outer)


ACL = [(USER_OBJ, 6, NOBODY), (USER, 6, 60001), (GROUP_OBJ, 6, NOBODY), (MASK, 0, NOBODY), (OTHER, 6, NOBODY)]


def test_an_empty_mask_hides_the_list(place):
    """Here the kernel does otherwise than acl(5) says, and the model does as the kernel."""
    path = place + "/masked"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen(1)
        settle(path, Inode(0, 60011, 0o666, ACL))
        for user, status in ((User("u", 60001, [60012], "g"), 0), (User("u", 60001, [60011], "g"), errno.EACCES)):
            assert as_user(user, connecting(path, socket.SOCK_STREAM)) == status
            assert bool(modes.refusal(filemodes.reach(path)._replace(user=user))) == bool(status)
            server.settimeout(0)
            if not status:
                server.accept()[0].close()
    os.unlink(path)


def test_links_on_the_way_are_followed_with_the_directories_that_hold_them(place):
    for one in ("a", "a/hidden", "b", "b/c"):
        os.mkdir(os.path.join(place, one))
    os.symlink("../../b", place + "/a/hidden/relative")
    os.symlink(place + "/a/hidden/relative/c", place + "/absolute")
    os.symlink("loop", place + "/loop")
    os.chmod(place + "/a/hidden", 0o700)
    user = User("u", 60001, [60011], "g")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(place + "/b/c/s")
        os.chmod(place + "/b/c/s", 0o666)
        server.listen(5)
        os.symlink("s", place + "/b/c/link")
        seen = filemodes.reach(place + "/absolute/s")
        assert [one.path for one in seen.directories][-5:] == [
            place, place + "/a", place + "/a/hidden", place + "/b", place + "/b/c"]
        assert seen.socket.path == place + "/b/c/s"
        assert as_user(user, connecting(place + "/absolute/s", socket.SOCK_STREAM)) == errno.EACCES
        assert modes.refusal(seen._replace(user=user)).inode.path == place + "/a/hidden"
        assert filemodes.reach(place + "/b/c/link").socket is None
        assert "symbolic links" in filemodes.reach(place + "/loop/s").unseen
        for nothing in ("/b/c/s/x", "/none/s"):
            assert filemodes.reach(place + nothing)[1:3] == (None, None)
