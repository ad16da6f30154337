"""Which types a policy module declares: CIL, packages, and what is neither."""

import bz2
import os
import re
import time
from unittest import mock

import pytest

from foreman_selinux_helpers.doors import modules
from foreman_selinux_helpers.doors.deadline import Deadline
from foreman_selinux_helpers.doors.modules import Declared, ModuleError
from foreman_selinux_helpers.doors.run import Output, Runner
from foreman_selinux_helpers.model.errors import TimedOut

CIL = """
; (type commented_t)
(type foo_t)
(roletype object_r foo_t)
(typeattribute foo_domain)
(typeattributeset cil_gen_require httpd_t)
(typealias old_t)
(typealiasactual old_t foo_t)
(optional foo_optional
    (type in_optional_t) (allow foo_t bar_t (file (read))))
(block container
  (type process)
  (block inner (typealias deep))
  (blockinherit template))
(in other (type guest))
(in after .another (type late))
(filecon "/run/(type quoted_t)" any (system_u object_r foo_t ((s0) (s0))))
(type)
(type too many)
(allow type self (file (read)))
"""
RUNNER = Runner(Deadline(60))


def write(directory, name, content):
    file = directory / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return str(file)


def test_what_is_declared():
    found = modules.declared(CIL)
    assert found == Declared(frozenset(["foo_t", "old_t", "in_optional_t", "container.process", "container.inner.deep",
                                        "other.guest", "another.late"]),
                             frozenset(["container", "container.inner"]))
    for name in ("foo_t", "old_t", "container.process", "container.inherited", "container.inner.x"):
        assert found.has(name)
    for name in ("httpd_t", "bar_t", "commented_t", "quoted_t", "foo_domain", "containers", "other.other", "", "type"):
        assert not found.has(name)


@pytest.mark.parametrize("text", ["(type foo_t", "(type foo_t))", ")", "(" * 5000 + ")" * 5000])
def test_what_is_no_cil(text):
    with pytest.raises(ModuleError, match="CIL"):
        modules.declared(text)


@pytest.mark.parametrize("text", ["", "type foo_t", "\0\ud800\n", '(type foo_t) "', ";", "()", "(())"])
def test_odd_cil_declares_no_more_than_it_says(text):
    assert modules.declared(text).types <= {"foo_t"}


def test_many_words_take_little_time():
    text = "(type foo_t)\n" + "(allow a_t b_t (file (read write open)))\n" * 20000 + '"' * 99999
    start = time.monotonic()
    assert modules.declared(text) == Declared(frozenset(["foo_t"]))
    assert time.monotonic() - start < 10


@pytest.mark.parametrize(("path", "name"), [
    ("/usr/share/selinux/targeted/foreman.pp.bz2", "foreman"), ("/usr/share/selinux/packages/a.b-c_d.pp", "a.b-c_d"),
    ("foo.cil", "foo"), ("/a/foo.cil.bz2", "foo"), ("/a/foo.if", None), ("/a/foo", None), ("/a/.pp", None),
    ("/a/-x.pp", None), ("/a/..pp", None), ("/a/foo.pp.gz", None), ("/a/foo.pp\n", None), ("/a/", None)])
def test_the_name_of_a_module(path, name):
    assert modules.name_of(path) == name


@pytest.mark.parametrize("name", ["foo.cil", "foo.cil.bz2"])
def test_a_file_of_cil(tmp_path, name):
    content = bz2.compress(CIL.encode()) if name.endswith("bz2") else CIL.encode()
    assert modules.read(write(tmp_path, name, content), RUNNER) == modules.declared(CIL)


class Translator:
    """Stands for libsemanage's pp."""

    def __init__(self, answer):
        self.answer, self.given = answer, None
        self.deadline = Deadline(60)

    def run(self, argv, stdin=None, limit=None):
        assert argv[0] in modules._TRANSLATORS
        assert limit <= 20
        self.given = stdin.encode("utf-8", "surrogateescape")
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def there():
    """Make the translator be there, wherever this runs."""
    with mock.patch.object(modules.os.path, "exists", lambda path: path == modules._TRANSLATORS[1]):
        yield


@pytest.mark.parametrize("packed", [False, True])
def test_a_package_is_translated(tmp_path, there, packed):
    content = modules._PP_MAGIC + b"\0\xff any bytes"
    translator = Translator(Output(0, "(type foo_t)", ""))
    file = write(tmp_path, "foo.pp", bz2.compress(content) if packed else content)
    assert modules.read(file, translator).types == {"foo_t"}
    assert translator.given == content


@pytest.mark.parametrize(("answer", "said"), [
    (Output(1, "", "not a module"), "exit status 1: not a module"), (Output(-11, "", ""), "killed by signal 11"),
    (Output(0, "(type foo_t", ""), "not CIL"), (TimedOut("it did not end"), "did not end")])
def test_a_translator_that_fails(tmp_path, there, answer, said):
    file = write(tmp_path, "foo.pp", modules._PP_MAGIC)
    with pytest.raises(ModuleError, match=re.escape(file) + ": .*" + said):
        modules.read(file, Translator(answer))


def test_no_translator(tmp_path):
    file = write(tmp_path, "foo.pp", modules._PP_MAGIC)
    with mock.patch.object(modules, "_TRANSLATORS", ["/nowhere/pp"]), pytest.raises(ModuleError, match="there is no"):
        modules.read(file, RUNNER)


def test_a_bomb_is_not_unpacked(tmp_path):
    """It is 1 GiB of zeros in less than a kilobyte; no more than what is allowed is ever held."""
    import resource

    packed = bz2.compress(b"\0" * (1 << 20))
    bomb = write(tmp_path, "bomb.cil.bz2", bz2.compress(b" " * (modules.LARGEST + 2)) + packed * 1024)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ModuleError, match="larger than 32 MiB"):
        modules.read(bomb, RUNNER)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < (200 << 10)


@pytest.mark.parametrize(("content", "said"), [
    (b"BZh91AY&SY" + b"\xff" * 40, "cannot be decompressed"), (b"BZh", "cut short"),
    (bz2.compress(CIL.encode() * 99)[:-9], "cut short")])
def test_what_is_damaged(tmp_path, content, said):
    with pytest.raises(ModuleError, match=said):
        modules.read(write(tmp_path, "foo.cil.bz2", content), RUNNER)


def test_a_huge_file_is_not_read(tmp_path):
    file = write(tmp_path, "foo.cil", b"")
    os.truncate(file, 1 << 40)
    with pytest.raises(ModuleError, match="larger than"):
        modules.read(file, RUNNER)


def test_what_is_no_file(tmp_path):
    os.mkfifo(str(tmp_path / "pipe.cil"))
    (tmp_path / "link.cil").symlink_to("/etc/passwd")
    for name in ("pipe.cil", "link.cil", "nothing.cil"):
        with pytest.raises(ModuleError, match="%s: cannot be read" % name):
            modules.read(str(tmp_path / name), RUNNER)


def test_the_store_knows_it_at_every_priority(tmp_path, there):
    store = tmp_path / "active/modules"
    write(store, "100/foo/cil", b"(type low_t)")
    write(store, "400/foo/cil", bz2.compress(b"(type high_t)"))
    write(store, "400/foo/hll", modules._PP_MAGIC)
    write(store, "200/foo/hll", modules._PP_MAGIC)  # still to be compiled
    write(store, "400/bar/cil", b"(type bar_t)")
    write(store, "disabled/foo", b"")
    found = modules.from_store(str(tmp_path), "foo", Translator(Output(0, "(type middle_t)", "")))
    assert found is not None
    assert found.types == {"low_t", "middle_t", "high_t"}
    assert modules.from_store(str(tmp_path), "baz", RUNNER) is None
    assert modules.from_store(str(tmp_path / "none"), "foo", RUNNER) is None
