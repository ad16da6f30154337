"""Who is not root must not have a say: in what is obeyed, in what gets a label, in where something is kept for a moment."""

import os
import re
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from foreman_selinux_helpers.doors import labels, profilefiles
from foreman_selinux_helpers.model.errors import HelperError
from foreman_selinux_helpers.model.units import Service, SocketUnit
from foreman_selinux_helpers.sources import sockets as socketsource

from ..policyroot import TOP
from . import steps
from .test_register import PROFILE

LABEL, SECRET = "system_u:object_r:foo_var_run_t:s0", "system_u:object_r:shadow_t:s0"
CONTEXT = "system_u:object_r:foo_var_run_t"
NOBODY = 65534
VENDOR, STATE = profilefiles.VENDOR_DIR, "var/lib/foreman-selinux-helpers"


def tool(root, *arguments, **options):
    return subprocess.run(steps.command(root, *arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False, timeout=60, universal_newlines=True, **options)


# -- what is obeyed ------------------------------------------------------------------------------


def below(path):
    """Return a directory of a root and all those that lead to it."""
    parts = Path(path).parts
    return [str(Path(*parts[:number])) for number in range(len(parts) + 1)]


@pytest.mark.parametrize("way", ["group", "others", "owner", "link"])
@pytest.mark.parametrize("directory", below(VENDOR)[1:])
def test_a_directory_of_profiles_that_others_can_change(small, directory, way):
    small.profile("foo", PROFILE)
    spoil(small.path, directory, way)
    done = tool(small.path, "register")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "/" + directory in done.stderr
    assert small.local_rules() == []


def spoil(root, directory, way):
    path = root / directory
    if way == "link":
        path.rename(root / "elsewhere")
        path.symlink_to(root / "elsewhere")
    elif way == "owner":
        os.chown(str(path), NOBODY, NOBODY)
    else:
        path.chmod(0o775 if way == "group" else 0o1777)


@pytest.mark.parametrize("way", ["group", "others", "owner", "link"])
@pytest.mark.parametrize("directory", ["var/lib", STATE, STATE + "/default.json"])
def test_a_record_that_others_can_change(small, directory, way):
    """Who could write it could have the administrator's rules removed as ours."""
    small.profile("foo", PROFILE)
    tool(small.path, "register")
    before = small.local_rules()
    assert len(before) == 1
    spoil(small.path, directory, way)
    for verb in ("register", "unregister", "status"):
        done = tool(small.path, verb)
        assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
        assert "/" + directory in done.stderr
    assert small.local_rules() == before


def test_a_link_in_the_place_of_what_is_written(small, tmp_path):
    """Neither the record nor its temporary file is written through a link."""
    victim = tmp_path / "victim"
    victim.write_text("precious")
    small.profile("foo", PROFILE)
    (small.path / STATE).mkdir()
    (small.path / STATE / "default.json.new").symlink_to(victim)
    assert tool(small.path, "register").returncode == 0
    assert victim.read_text() == "precious"
    tool(small.path, "unregister")
    (small.path / STATE / "default.json").symlink_to(victim)
    assert tool(small.path, "register").returncode == 1
    assert victim.read_text() == "precious"


LOCK_ALL = """
import fcntl, os, sys
taken = []
for directory, _, files in os.walk(sys.argv[1]):
    for path in [directory] + [os.path.join(directory, name) for name in files]:
        try:
            taken.append(os.open(path, os.O_RDONLY))
            fcntl.flock(taken[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            pass
print(len(taken), flush=True)
sys.stdin.read()
"""


def test_nobody_else_can_hold_a_lock_that_we_wait_for(small):
    """Who can read a file can lock it: another user locks all that there is, for ever."""
    for parent in [small.path, *small.path.parents][:3]:
        parent.chmod(0o755)
    small.profile("foo", PROFILE)
    assert tool(small.path, "register").returncode == tool(small.path, "unregister").returncode == 0
    holder = subprocess.Popen(["setpriv", "--reuid=%d" % NOBODY, "--clear-groups", sys.executable, "-Ic", LOCK_ALL,
                               str(small.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert int(holder.stdout.readline()) > 10
    for verb in ("register", "unregister"):
        done = tool(small.path, "--timeout", "5", verb)
        assert (done.returncode, done.stderr) == (0, "")
    holder.communicate()


def test_no_rule_but_for_the_type_and_the_paths_of_a_profile(small):
    """What is wrong on the host never becomes a wider rule."""
    small.profile("foo", PROFILE)
    small.profile("bad", "[bad.socket]\ntype = foo_var_run_t:s0-s15\npath = /etc/shadow\n")
    small.profile("broad", "[broad.socket]\ntype = foo_files\npath = /run/broad.sock\n")
    assert tool(small.path, "register").returncode == 2
    assert small.local_rules() == ["/run/foo\\.sock " + CONTEXT]


# -- what gets a label ---------------------------------------------------------------------------


@pytest.fixture
def shared(place):
    """Return a directory of somebody else's, in a file system that keeps labels."""
    place.chmod(0o755)
    directory = place / "shared"
    directory.mkdir()
    os.chown(str(directory), NOBODY, NOBODY)
    return directory


def listening(path):
    bound = socket.socket(socket.AF_UNIX)
    bound.bind(str(path))
    bound.close()
    return path


def labelled(path, label=SECRET):
    os.setxattr(str(path), "security.selinux", label.encode() + b"\0", follow_symlinks=False)
    return path


def label_of(path):
    return labels.path_label(str(path))


def refused(path, kind=stat.S_IFSOCK):
    with pytest.raises((HelperError, OSError)):
        labels.relabel(str(path), LABEL, kind)


def test_a_socket_gets_its_label(shared):
    labels.relabel(str(labelled(listening(shared / "socket"))), LABEL, stat.S_IFSOCK)
    assert label_of(shared / "socket") == LABEL


def raced(swapped, link, path):
    """Relabel a path while somebody puts a link in the place of something on the way, and takes it away again.

    A thousand times at least, and until it has both worked and not.
    """
    stop = threading.Event()
    aside = str(swapped) + "-aside"

    def swap():
        while not stop.is_set():
            os.rename(str(swapped), aside)
            os.rename(str(link), str(swapped))
            os.rename(str(swapped), str(link))
            os.rename(aside, str(swapped))

    attacker = threading.Thread(target=swap)
    attacker.start()
    tries = done = 0
    end = time.monotonic() + 60
    former = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        # On a busy machine one of the two threads may not run for long.
        while tries < 1000 or (not 0 < done < tries and time.monotonic() < end):
            tries += 1
            try:
                labels.relabel(str(path), LABEL, stat.S_IFSOCK)
                done += 1
            except (HelperError, OSError):
                pass
    finally:
        sys.setswitchinterval(former)
        stop.set()
        attacker.join()
    assert 0 < done < tries, "the race was not one"


def test_a_path_that_becomes_a_link_again_and_again(shared, place):
    """The owner of the directory swaps the socket for a link to a secret: only the socket is labelled."""
    shadow = place / "shadow"
    shadow.write_text("secret")
    labelled(shadow)
    path, link = listening(shared / "socket"), shared / "link"
    link.symlink_to(shadow)
    raced(path, link, path)
    assert label_of(shadow) == SECRET


def test_a_directory_that_becomes_a_link_again_and_again(shared, place):
    """The socket of somebody else, of the same name in another directory, keeps its label."""
    private = place / "private"
    private.mkdir(mode=0o700)
    theirs = labelled(listening(private / "socket"))
    directory, link = shared / "directory", shared / "link"
    directory.mkdir()
    os.chown(str(directory), NOBODY, NOBODY)
    listening(directory / "socket")
    link.symlink_to(private)
    raced(directory, link, directory / "socket")
    assert label_of(theirs) == SECRET


def test_another_name_of_somebody_elses_inode(shared, place):
    """Who makes a hard link does not own what it is of."""
    program = place / "program"
    program.write_text("")
    labelled(program)
    os.link(str(program), str(shared / "program"))
    refused(shared / "program", stat.S_IFREG)
    os.link(str(labelled(listening(place / "socket"))), str(shared / "socket"))
    refused(shared / "socket")
    assert label_of(program) == label_of(place / "socket") == SECRET


def test_a_services_program_is_not_where_others_say(shared, place):
    """Who owns its directory links it to what root alone should label, or to a name that is no text."""
    place.chmod(0o755)
    secret = place / "secret"
    secret.write_text("")
    labelled(secret)
    (shared / "program").symlink_to(secret)
    (place / "ours").symlink_to(place / "program")
    (place / "program").write_text("")
    os.close(os.open(os.fsencode(str(place)) + b"/\xff", os.O_CREAT, 0o755))
    os.symlink(b"\xff", os.fsencode(str(place)) + b"/odd")
    assert executable(shared / "program") is None
    assert executable(place / "odd") is None
    assert executable(place / "nothing") is None
    assert executable(place / "ours").path == str(place / "program")


def executable(path):
    """Return what is seen of a service's program."""
    unit = SocketUnit("foo.socket", "loaded", "active", ("/run/foo.sock",),
                      Service("foo.service", True, False, str(path)))
    return socketsource.program_of(unit, SimpleNamespace(database=SimpleNamespace(lookup=lambda path, kind: LABEL)))


def test_links_of_root_are_followed_on_the_way(place):
    """As that from /var/run to /run; but not one at the end, not in a circle, and not one of another owner's making."""
    place.chmod(0o755)
    for parent in place.parents:
        if parent.stat().st_mode & stat.S_IWOTH:
            break
    else:
        pytest.fail("a link below a directory that all may write is what this is about")
    run = place / "run"
    run.mkdir()
    listening(run / "socket")
    (place / "relative").symlink_to("run/../run")
    (place / "absolute").symlink_to(run)
    (place / "circle").symlink_to("circle")
    for name in ("relative", "absolute"):
        labelled(run / "socket")
        labels.relabel(str(place / name / "socket"), LABEL, stat.S_IFSOCK)
        assert label_of(run / "socket") == LABEL
    refused(place / "circle" / "socket")
    (run / "link").symlink_to("socket")
    refused(run / "link")
    refused(run / "nothing")
    refused(run)


@pytest.mark.parametrize("make", [Path.touch, Path.mkdir, lambda path: os.mkfifo(str(path)),
                                  lambda path: os.mknod(str(path), stat.S_IFCHR | 0o600, os.makedev(1, 3))],
                         ids=["file", "directory", "pipe", "device"])
def test_what_is_no_socket_is_left_alone(shared, make):
    make(shared / "it")
    labelled(shared / "it")
    refused(shared / "it")
    assert label_of(shared / "it") == SECRET


# -- what the caller has to do with it -----------------------------------------------------------


def test_the_callers_environment_and_directory(small, tmp_path):
    """Neither code nor libraries nor temporary files come from the caller; nothing is opened in their directory."""
    small.profile("foo", PROFILE)
    evil = tmp_path / "evil"
    evil.mkdir()
    for name in ("selinux", "semanage", "json", "tempfile", "fcntl", "foreman_selinux_helpers", "sitecustomize"):
        (evil / (name + ".py")).write_text("open(%r, 'w')\nraise SystemExit('evil')\n" % str(tmp_path / "taken"))
    for name in ("setfiles", "sefcontext_compile", "systemctl", "load_policy"):
        (evil / name).write_text("#!/bin/sh\ntouch %s\n" % (tmp_path / "taken"))
        (evil / name).chmod(0o755)
    environment = {"PATH": str(evil), "TMPDIR": str(evil), "TEMP": str(evil), "TMP": str(evil), "PYTHONPATH": str(evil),
                   "PYTHONSTARTUP": str(evil / "json.py"), "PYTHONHOME": str(evil), "PYTHONINSPECT": "1",
                   "LANG": "tr_TR.UTF-8", "LC_ALL": "xx", "HOME": str(evil), "LD_LIBRARY_PATH": str(evil),
                   "GCONV_PATH": str(evil), "SYSTEMD_PAGER": str(evil / "systemctl"), "PYTHONUSERBASE": str(evil)}
    before = sorted(os.listdir(str(evil)))
    trace = tmp_path / "trace"
    done = subprocess.run(["/usr/bin/strace", "-f", "-qq", "-s", "4096", "-v", "-o", str(trace), "-e", "trace=%file",
                           *steps.command(small.path, "register")], env=environment, cwd=str(evil),
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                          preexec_fn=lambda: os.umask(0o777), universal_newlines=True)
    assert done.returncode == 0, done
    assert small.local_rules() == ["/run/foo\\.sock " + CONTEXT]
    assert not (tmp_path / "taken").exists()
    assert sorted(os.listdir(str(evil))) == before
    assert stat.S_IMODE((small.path / STATE / "default.json").stat().st_mode) == 0o644
    started = [line for line in trace.read_text().split("\n") if "execve(" in line]
    assert len(started) > 2, "libsemanage's programs are seen"
    for line in started[1:]:
        assert str(evil) not in line, line
    lines = [line for line in trace.read_text().split("\n") if str(evil) in line and "ENOENT" not in line]
    assert [line for line in lines if "open" in line.split("(")[0]] == []


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_standard_files_that_are_closed(small, closed):
    """What is opened instead must not be written into."""
    small.profile("foo", PROFILE)
    done = subprocess.run(["/bin/bash", "-c", 'exec "$@" ' + closed, "shell", *steps.command(small.path, "register")],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == 0
    assert steps.local_rules(small.path) == steps.recorded(small.path) == {"/run/foo\\.sock": CONTEXT}
    assert steps.left_behind(small.path) == []
    assert b"foo" not in done.stderr


def test_nothing_predictable_in_a_shared_folder(place):
    """What is made in /tmp has a random name, is new, and nobody else may open it."""
    code = """import sys; sys.path.insert(0, %r)
from foreman_selinux_helpers.model import filecontexts
from foreman_selinux_helpers.doors import behaviour, stderr
with stderr.standard_error_kept():
    assert behaviour.regex_matches(filecontexts.Rule("/run/foo", "all files", "u:r:no_such_t"), "/run/foo")""" % str(TOP)
    seen = []
    for _ in range(2):
        subprocess.check_call(["strace", "-f", "-qq", "-o", str(place / "trace"), "-e",
                               "trace=open,openat,mkdir,mkdirat,creat", sys.executable, "-Ic", code])
        lines = [line for line in (place / "trace").read_text().split("\n") if '"/tmp' in line]
        made = [line for line in lines if re.search(r"O_CREAT|O_TMPFILE|mkdir", line)]
        # In a directory of our own, the name does not matter.
        shared = [line for line in made if line.split('"')[1].count("/") <= 2]
        for line in shared:
            assert re.search(r"O_EXCL.*, 0600\)|mkdir.*, 0700\)", line), line
        seen.append({line.split('"')[1] for line in shared if "O_TMPFILE" not in line})
        assert len(made) > len(shared) > 0
    assert seen[0]
    assert not seen[0] & seen[1]


def test_scripts_start_isolated():
    """-I: neither the environment nor the current directory nor the user's packages say where code comes from."""
    for script in [TOP / "bin/foreman-selinux-helpers", *(TOP / "scriptlets").iterdir()]:
        assert script.read_text().startswith("#!/usr/bin/python3 -I\n"), script
