"""Input from who means harm, or from a broken host: one clear line each, and the others are served."""

import os
import random
import re
import time

import pytest

from foreman_selinux_helpers import cli
from foreman_selinux_helpers.doors import packages, procfs, profilefiles, unixsockets
from foreman_selinux_helpers.doors.deadline import Deadline
from foreman_selinux_helpers.doors.run import Output, Runner
from foreman_selinux_helpers.doors.systemd import Systemd
from foreman_selinux_helpers.model import profiles
from foreman_selinux_helpers.model.errors import HelperError
from foreman_selinux_helpers.model.shownunits import listen_paths

ROUNDS = 10000
GOOD = "[good.socket]\ntype = good_t\n"
PIECES = (
    "[foo.socket]", "[foo.socket]", "[bar.socket]", "[a@b.socket]", "[DEFAULT]", "[\0]", "[]", "[", "]", "[x", "a.socket]",
    "type", "type = foo_t", "type = foo_t", "type=a b", "type = $(id)", "type = a\n b", "type = `id`", "type == x", "TYPE = x",
    "path = /run/foo", "path = /run/../etc/shadow", "path =", "path", "path = relative", "path = /a\0b", "path = /" + "x" * 5000,
    "  /run/b", "regex = /run/(a+)+", "regex = (", "regex = /[", "regex = /a{99999999}", "regex = /a{9}{9}{9}", "regex = /.*",
    "regex = /run/" + "(" * 500, "restart = auto", "restart = x", "client = httpd_t", "client", "=", "= x", " = = ", ":", "#", "; x",
    "\t", "\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\0", "\u00e9", "\u0130", "\u200b", "\ufeff", "%(type)s", "${x}", "!")


def texts():
    """Make up texts that are nearly profiles."""
    chance = random.Random(11)
    for _ in range(ROUNDS):
        text = "".join(chance.choice(PIECES) + chance.choice(["\n", "\n", "\n", "", " "])
                       for _ in range(chance.randint(0, 9)))
        yield ("[foo.socket]\ntype = foo_t\n" if chance.random() < 0.5 else "") + text


def test_profiles_made_of_anything(monkeypatch):
    """Each is obeyed, with nothing but names and clean paths in it, or refused in one line that says where."""
    obeyed = refused = 0
    current = ""
    monkeypatch.setattr(profilefiles, "VENDOR_DIR", "one")
    monkeypatch.setattr(os, "listdir", lambda directory: ["foo.conf"] if directory.endswith("one") else [])
    monkeypatch.setattr(profilefiles.trust, "distrust", lambda root, directory: None)
    monkeypatch.setattr(profilefiles, "_read", lambda file: current)
    for current in texts():
        found = profilefiles.load("/")
        for one in found.sockets:
            obeyed += 1
            for path in one.paths:
                assert path.startswith("/"), current
                assert ".." not in path.split("/"), current
                assert not re.search("[\\x00-\\x1f\\x7f]", path), current
            assert re.match(r"[A-Za-z0-9_.]+ [A-Za-z0-9_.]+\Z", one.type + " " + (one.client or "x")), current
            assert not any(regex.split() != [regex] for regex in one.regexes), current
        for broken in found.broken:
            refused += 1
            assert "\n" not in str(broken), current
            assert 0 <= broken.line <= current.count("\n") + 1, (broken, current)
    assert min(obeyed, refused) > 300


@pytest.mark.skipif(os.geteuid() != 0, reason="profiles must be root's")
@pytest.mark.parametrize(("content", "line"), [
    (b"\0" * 1000, 1), (b"\xff\xfe[\0f\0o\0o\0]\0", 1), ("[é.socket]\n".encode("latin-1"), 1),
    ("\ufeff[foo.socket]\ntype = x\n".encode("utf-16"), 1), (b"[foo.socket]\n" + b"x" * (1 << 20), 0),
    (b"[foo.socket]\ntype = x\npath = /run/../etc/shadow\n", 3), (b"[foo.socket]\ntype = x\ntype = y\n", 3),
    (b"[foo.socket]\ntype = x\n[foo.socket]\n", 3), (b"[foo.socket]\ntype = x; rm -rf /\n", 2),
    (b"[foo.socket]\ntype = $(reboot)\n", 2), (b"[foo.socket]\ntype = x\n  y\n", 2),
    (b"[foo.socket]\ntype = x\nregex = /run/(a+)+b\n", 3), (b"[foo.socket]\ntype = x\nregex = /(.*)*(.*)*x\n", 3),
    (b"[foo.socket]\ntype = x\nregex = /(a{1,}){2,}\n", 3),
    (b"[foo.socket]\ntype = x\nregex = /" + b"(" * 20000 + b"\n", 3), (b"[../../etc/foo.socket]\ntype = x\n", 1),
    (b"[good.socket]\ntype = stolen_t\n", 1)], ids=range(17))
def test_a_profile_that_is_none_and_one_that_is_served(tmp_path, capsys, content, line):
    directory = tmp_path / profilefiles.VENDOR_DIR
    directory.mkdir(parents=True)
    (directory / "z.conf").write_bytes(content)
    (directory / "good.conf").write_text(GOOD)
    found = profilefiles.load(str(tmp_path))
    assert [one.unit for one in found.sockets] == ["good.socket"]
    assert [one.line for one in found.broken] == [line]
    assert cli.main(["--root", str(tmp_path), "status"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert ("z.conf:%d: " % line if line else "z.conf: ") in said


def test_regexes_that_only_repeat_are_taken():
    for regex in ("/run/foo(/.*)?", "/run/foo-[0-9]+", "/run/(a|b)*", "/run/(a+b)+", "/run/x{2,3}(y)*"):
        assert profiles.parse("[foo.socket]\ntype = x\nregex = %s\n" % regex, "p")[0].regexes == (regex,)


def test_a_regex_that_takes_for_ever_is_cut_at_the_deadline(monkeypatch, tmp_path, capsys):
    """Whichever it is: the end of the time is heard in the middle of a match."""
    from foreman_selinux_helpers.model import filecontexts
    from foreman_selinux_helpers.sources import hostkind

    def forever(_):
        filecontexts.Rule("/run/(a|a)*b", "all", "x").matches("/run/" + "a" * 99)
    monkeypatch.setattr(hostkind, "read", forever)
    start = time.monotonic()
    assert cli.main(["--root", str(tmp_path), "--timeout", "0.5", "status"]) == 1
    assert time.monotonic() - start < 10
    said = capsys.readouterr().err
    assert "time limit" in said
    assert said.count("\n") == 1


LINES = (
    "Id=foo.socket", "LoadState=loaded", "ActiveState=active", "Listen=/run/foo (Stream)", "Listen=", "Listen= (", "Listen=( (Stream)",
    "Listen=/run/\x01 (Stream)", "Listen=/run/\udcff (Stream)", "Listen=/run/\0 (Stream)", "Listen=../x (Stream)",
    "Listen=/run/a\tb (Stream)", "Listen=$(id) (Stream)", "ListenStream=/x", "Accept=no", "Accept=", "Triggers=foo.service",
    "Triggers=", "Triggers= ", "Triggers=a b c", "Triggers=--root=/x", "ExecStart={ path=/bin/x ;", "ExecStart=path=",
    "ExecStart=" + "{" * 500, "Requires=", "BindsTo=foo.socket", "=x", "", "\n", "\0", "SELinuxContext=x", "Version=",
    "SystemState=", "x" * 2000, "\u2028", "1 a.target start", "1 a.target", "systemd 9999999999999 (", "\udcff\udcfe")


class Odd(Runner):
    """Answers anything."""

    def __init__(self, chance):
        super().__init__(Deadline(600))
        self.chance = chance

    def run(self, argv, stdin=None, limit=None):
        assert all(isinstance(word, str) for word in argv)
        # What systemd says is never taken for an option: units come after "--".
        assert "--" in argv[:argv.index("--root=/x")] if "--root=/x" in argv else True
        text = "\n".join(self.chance.choice(LINES) for _ in range(self.chance.randint(0, 12)))
        return Output(self.chance.choice([0, 0, 0, 0, 1, -9]), text + self.chance.choice(["", "\n", "\n\nId=x\n"]), "")


def test_systemctl_says_anything():
    systemd = Systemd(Odd(random.Random(3)))
    questions = (lambda: systemd.socket_units(["foo.socket"]), systemd.manager, systemd.version, systemd.active_units,
                 systemd.container, lambda: systemd.binary_version("/x"))
    answered = failed = lines = 0
    for _ in range(ROUNDS // 4):
        for ask in questions:
            try:
                ask()
                answered += 1
            except HelperError as error:
                failed += 1
                lines += str(error).count("\n")
    assert min(answered, failed) > 1000
    assert lines == 0


def test_a_listen_line_that_libselinux_cannot_look_up_is_left_alone():
    assert listen_paths({"Listen": ["/run/\udcff (Stream)", "/run/\0 (Stream)", "/run/a (Stream)"]}) == ("/run/a",)


MAPS = ("7f-80 r--p 0 fe:00 252 /etc/selinux/x/contexts/files/file_contexts.bin", "/contexts/files/" * 100, "\0", "(deleted)",
        "7f r--p 0 0 " + "9" * 5000 + " /a/contexts/files/file_contexts.bin", " /contexts/files/", "a b c d \u0661 /x/contexts/files/"
        "file_contexts", "a b c d 1 /x/contexts/files/file_contexts (deleted) (deleted)", "\udcff", "1 2 3 -1 5 6 7 /a",
        "0: 2 0 00010000 0001 01 104 /run/a", "x: 1 2 zz 1 1 1 /a", "1 2 3 10000 1 1 " + "9" * 6000 + " /a",
        "0::/a.service/b", "1:name=systemd:" + "/x.scope" * 99, "::", "21 1 0:19 / /r\\777n rw - tmpfs none rw", " - - - ",
        "1 1 0:1 / / rw - a b c")


def test_maps_and_sockets_made_of_anything():
    chance = random.Random(4)
    held = listening = units = unlabelled = 0
    for _ in range(ROUNDS):
        text = "\n".join(chance.choice(MAPS) for _ in range(chance.randint(0, 9)))
        held += len(procfs.parse_maps(text))
        listening += len(unixsockets.listening_sockets(text))
        units += procfs.parse_cgroup(text) is not None
        unlabelled += not procfs.parse_mounts(text, "/run/a")
    assert min(held, listening, units, unlabelled) > 1000


@pytest.mark.parametrize("line", ["7f-80 r--p 0 fe:00 25 /usr/lib/libc.so\n", "7f-80 r--p 0 fe:00 25 /contexts/files/x\n",
                                  "/contexts/files/"])
def test_vast_maps_are_read_in_time(line):
    start = time.monotonic()
    procfs.parse_maps(line * 500000)
    assert time.monotonic() - start < 20


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\0ID=\"", b"ID='", b"ID=$(reboot)\n", b"ID=" + b"x" * 100000,
                                     b"ID=rhel\nID_LIKE=\xff\n"], ids=range(6))
def test_an_operating_system_that_is_none(tmp_path, content):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").write_bytes(content)
    assert isinstance(packages.family(str(tmp_path)), str)


@pytest.mark.parametrize(("family", "files"), [
    ("rhel", ("var/lib/rpm/rpmdb.sqlite", "var/lib/rpm/Packages", "var/lib/rpm/Packages.db", "var/lib/rpm/Index.db")),
    ("debian", ("var/lib/dpkg/status",))])
@pytest.mark.parametrize("size", [0, 1, 100, 100000])
def test_a_broken_package_database(tmp_path, family, files, size):
    """Nothing is known then; it is not an error of ours."""
    noise = random.Random(size)
    for name in files:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(bytes(noise.randrange(256) for _ in range(size)))
    assert packages.installed_evr("systemd", family, str(tmp_path), Runner(Deadline(60))) is None
