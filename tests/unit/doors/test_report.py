"""A report is somebody else's: nothing outside it is read, and what is wrong with it is one clear line."""

import gzip
import io
import lzma
import os
import socket
import struct
import tarfile
import zlib
from contextlib import suppress
from pathlib import Path

import pytest

from foreman_selinux_helpers.doors import report, reportarchive, scratch
from foreman_selinux_helpers.model import reportfiles
from foreman_selinux_helpers.model.errors import HelperError, UsageError
from foreman_selinux_helpers.model.reportfiles import Want

from ... import reports
from ...reports import Link

TOP = "sosreport-foreman-2023-11-14-abcdefg"
MARK = {"sos_commands/host/hostname": "foreman\n"}


def everything(_name):
    return Want(1 << 20)


def archive(tmp_path, fill, mode="gz"):
    """Write an archive of a report that ``fill`` adds to."""
    path = tmp_path / "report.tar"
    with tarfile.open(str(path), "w:" + mode, format=tarfile.PAX_FORMAT) as tar:
        reports.add(tar, TOP + "/sos_commands/host/hostname", "foreman\n")
        fill(tar)
    return str(path)


def refused(location, words):
    """Assert that a report is refused in one line."""
    with pytest.raises(UsageError, match=words) as error:
        report.read(str(location), everything)
    assert "\n" not in str(error.value)
    assert error.value.exit_status == 2


@pytest.mark.parametrize("mode", ["xz", "gz", "bz2", ""])
def test_an_archive_and_a_directory_give_the_same(tmp_path, mode):
    files = reports.el8()
    unpacked = report.read(str(reports.directory(tmp_path / "all", files)), everything)
    below = report.read(str(tmp_path / "all" / TOP), everything)
    packed = report.read(str(reports.archive(tmp_path / "a", files, mode)), everything)
    assert unpacked.files == packed.files == below.files
    assert unpacked.links == packed.links == below.links
    assert unpacked.name == packed.name == below.name == TOP
    assert packed.files["proc/stat"] == reportfiles.File(files["proc/stat"].encode(), reports.TIME)
    assert packed.text("installed-rpms") == packed.text("nothing", "installed-rpms") != ""
    assert packed.text("lib/systemd/system/foreman.socket") == files["usr/lib/systemd/system/foreman.socket"]
    assert (packed.unreadable, packed.ignored) == ({}, [])


@pytest.mark.parametrize("top", ["", "./"])
def test_an_archive_whose_names_begin_otherwise(tmp_path, top):
    path = tmp_path / "a"
    with tarfile.open(str(path), "w") as tar:
        reports.add(tar, ".", kind=tarfile.DIRTYPE)
        reports.add(tar, top + "sos_commands/host/hostname", "foreman\n")
    assert report.read(str(path), everything).text("sos_commands/host/hostname") == "foreman\n"


def test_what_is_no_report(tmp_path):
    refused(tmp_path / "none", r"none cannot be opened: No such file or directory$")
    refused("nul\0", "cannot be opened")
    (tmp_path / "file").write_text("hello")
    refused(tmp_path / "file", "is no sos report: neither a directory nor a tar archive")
    (tmp_path / "file").write_text("")
    refused(tmp_path / "file", "is no sos report")
    os.mkfifo(str(tmp_path / "pipe"))
    refused(tmp_path / "pipe", "neither a directory nor an archive")
    refused("/dev/null", "neither a directory nor an archive")
    (tmp_path / "empty" / "inner").mkdir(parents=True)
    refused(tmp_path / "empty", "there is neither sos_commands nor sos_reports in it")
    refused(reports.archive(tmp_path / "a", {"etc/passwd": "root"}), "there is neither sos_commands nor sos_reports in it")
    for top in ("sosreport-a", "sosreport-b"):
        reports.directory(tmp_path / "two", MARK, top)
    refused(tmp_path / "two", r"holds several reports: name one of them \(sosreport-a, sosreport-b\)")
    for start, words in ((b"\x85\x02\x0c", "gpg --decrypt"), (b"\x28\xb5\x2f\xfd", "zstd")):
        (tmp_path / "file").write_bytes(start + b"x" * 600)
        refused(tmp_path / "file", words)


def test_links_stay_in_the_report(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("secret")
    links = {
        "etc/up": Link("../../../secret"), "etc/absolute": Link(str(secret)), "etc/loop": Link("loop"),
        "etc/there": Link("/sos_commands/host/hostname"), "etc/directory": Link("/"), "etc/self": Link("."),
        "etc/other": Link("directory/etc/there"),
    }
    for location in (reports.directory(tmp_path / "all", dict(MARK, **links)),
                     reports.archive(tmp_path / "a", dict(MARK, **links))):
        found = report.read(str(location), everything)
        assert set(found.files) == set(MARK)
        for name in ("etc/up", "etc/absolute", "etc/loop", "etc/directory", "etc/up/x", "../secret", "/etc/passwd"):
            assert found.file(name) is None
        for name in ("etc/there", "etc/other", "etc/self/self/other"):
            assert found.text(name) == "foreman\n"


def test_a_directory_that_is_a_link_is_no_report(tmp_path):
    reports.directory(tmp_path / "all", MARK)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / TOP).symlink_to(tmp_path / "all" / TOP)
    refused(tmp_path / "other", "is no sos report")
    (tmp_path / "third" / "sosreport-x").mkdir(parents=True)
    (tmp_path / "third" / "sosreport-x" / "sos_commands").symlink_to(tmp_path / "all" / TOP / "sos_commands")
    refused(tmp_path / "third", "is no sos report")


def test_special_files_of_a_directory_are_passed_over(tmp_path, monkeypatch):
    reports.directory(tmp_path, MARK)
    os.mkfifo(str(tmp_path / TOP / "etc-pipe"))
    with socket.socket(socket.AF_UNIX) as one:
        monkeypatch.chdir(tmp_path / TOP)  # the address of a socket is short
        one.bind("s")
        assert set(report.read(str(tmp_path), everything).files) == set(MARK)


def test_a_file_that_becomes_a_pipe_is_not_waited_for(tmp_path):
    reports.directory(tmp_path, dict(MARK, etc="x"))

    def swapping(name):
        if name == "etc":
            (tmp_path / TOP / "etc").unlink()
            os.mkfifo(str(tmp_path / TOP / "etc"))
        return Want(10)
    assert report.read(str(tmp_path), swapping).file("etc").content == b""


def test_what_may_not_be_read_is_named(tmp_path, monkeypatch):
    reports.directory(tmp_path, dict(MARK, etc="x"))
    opened = os.open

    def denied(path, *arguments, **options):
        if path == "etc":
            raise PermissionError(13, "Permission denied")
        return opened(path, *arguments, **options)
    monkeypatch.setattr(os, "open", denied)
    assert report.read(str(tmp_path), everything).unreadable == {"etc": "Permission denied"}


def test_members_that_lead_out_or_are_no_files(tmp_path):
    def fill(tar):
        reports.add(tar, TOP + "/../../evil", "x")
        reports.add(tar, "/etc/absolute", "x")
        reports.add(tar, "other-top/etc/passwd", "x")
        reports.add(tar, TOP + "/etc/fifo", kind=tarfile.FIFOTYPE)
        reports.add(tar, TOP + "/etc/device", kind=tarfile.CHRTYPE, devmajor=1, devminor=5)
        reports.add(tar, TOP + "/etc/hard", kind=tarfile.LNKTYPE, linkname=TOP + "/sos_commands/host/hostname")
        reports.add(tar, TOP + "/etc/harder", kind=tarfile.LNKTYPE, linkname="/etc/passwd")
        reports.add(tar, TOP + "/etc/hardest", kind=tarfile.LNKTYPE, linkname=TOP + "/../x")
    found = report.read(archive(tmp_path, fill), everything)
    assert set(found.files) == set(MARK)
    assert found.ignored == [TOP + "/../../evil", "/etc/absolute", "/etc/passwd", TOP + "/../x"]
    assert found.text("etc/hard") == "foreman\n"
    assert [found.file("etc/" + name) for name in ("fifo", "device", "harder", "hardest")] == [None] * 4


def test_the_last_of_one_name_counts(tmp_path):
    def fill(tar):
        reports.add(tar, TOP + "/etc/a", "first")
        reports.add(tar, TOP + "/etc/a", "second")
        reports.add(tar, TOP + "/etc/b", "first")
        reports.add(tar, TOP + "/etc/b", Link("a"))
    found = report.read(archive(tmp_path, fill), everything)
    assert (found.text("etc/a"), found.text("etc/b")) == ("second", "second")


@pytest.mark.parametrize("mode", ["xz", "gz", "bz2", ""])
def test_a_cut_or_damaged_archive(tmp_path, mode):
    """Wherever it is cut, nothing of it passes for a whole report."""
    whole = reports.archive(tmp_path / "whole", reports.el8(), mode).read_bytes()
    cut = tmp_path / "cut"
    places = list(range(600, len(whole), max(1, len(whole) // 40))) if mode else \
        list(range(1024, len(whole.rstrip(b"\0")), 512)) + [len(whole.rstrip(b"\0"))]
    for place in places:
        cut.write_bytes(whole[:place])
        refused(cut, "cut off or damaged|no sos report")
    if mode:
        for place in places:
            cut.write_bytes(whole[:place] + bytes([whole[place] ^ 0xff]) + whole[place + 1:])
            with suppress(UsageError):  # not every byte counts
                report.read(str(cut), everything)


def test_a_damaged_header_is_no_end(tmp_path):
    path = reports.archive(tmp_path / "a", reports.el8(), "")
    content = bytearray(path.read_bytes())
    place = content.index(b"ustar", 5000)
    content[place - 257:place - 250] = b"damaged"
    path.write_bytes(bytes(content))
    refused(path, "there is no file where one should begin, at byte %d" % (place - 257))


def test_two_streams_of_xz_are_one_archive(tmp_path):
    plain = reports.archive(tmp_path / "a", reports.el8(), "").read_bytes()
    (tmp_path / "b").write_bytes(lzma.compress(plain[:4096]) + b"\0" * 8 + lzma.compress(plain[4096:]))
    assert report.read(str(tmp_path / "b"), everything).text("hostname") == "foreman.example.com\n"


def test_xz_may_not_choose_how_much_memory_it_takes(tmp_path):
    plain = reports.archive(tmp_path / "a", MARK, "").read_bytes()
    (tmp_path / "b").write_bytes(_with_dictionary(plain))
    refused(tmp_path / "b", "Memory usage limit")


def _with_dictionary(plain):
    """Return an xz stream whose header asks for a dictionary of 1.5 GiB; only the header is changed."""
    stream = bytearray(lzma.compress(plain, filters=[{"id": lzma.FILTER_LZMA2, "preset": 0}]))
    size = (stream[12] + 1) * 4
    place = stream.index(b"\x21\x01", 12) + 2  # the filter's identifier, the size of its properties
    stream[place] = 37
    stream[12 + size - 4:12 + size] = struct.pack("<I", zlib.crc32(bytes(stream[12:12 + size - 4])))
    return bytes(stream)


def test_a_bomb_stops_at_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(reportarchive, "MOST_UNPACKED", 8 << 20)
    path = tmp_path / "a"
    with gzip.open(str(path), "wb", 1) as stream, tarfile.open(fileobj=stream, mode="w|") as tar:
        reports.add(tar, TOP + "/sos_commands/a", "x")
        reports.add(tar, TOP + "/unwanted", b"\0" * (32 << 20))
    with pytest.raises(UsageError, match="is not read: it unpacks to more than 0 GiB"):
        report.read(str(path), lambda name: None)


def test_zeros_without_end_behind_the_archive(tmp_path, monkeypatch):
    monkeypatch.setattr(reportarchive, "MOST_UNPACKED", 8 << 20)
    path = tmp_path / "a"
    path.write_bytes(gzip.compress(reports.archive(tmp_path / "b", MARK, "").read_bytes() + b"\0" * (32 << 20)))
    refused(path, "unpacks to more")


def test_a_header_of_any_size_is_not_read(tmp_path):
    """A long name is read into memory as a whole."""
    for kind in (tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE):
        path = archive(tmp_path, lambda tar, kind=kind: reports.add(tar, "x", b"\0" * (64 << 20), kind=kind))
        refused(path, "a header is larger than 1024 KiB")


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_headers_without_end(tmp_path, kind):
    def fill(tar):
        for _ in range(3000):
            reports.add(tar, "x", b"12 path=abc\n" if kind == tarfile.XHDTYPE else b"name\0", kind=kind)
    refused(archive(tmp_path, fill), "cut off or damaged")


def test_sizes_that_are_none(tmp_path):
    path = reports.archive(tmp_path / "a", {"sos_commands/a": "x" * 2000, "b": "y"}, "")
    content = path.read_bytes()
    place = content.index(b"sos_commands/a") - len(TOP) - 1
    for size in (b"\xff" * 12, b"\x80" + b"\xff" * 11, b"\x80\0\x10" + b"\0" * 9, b"77777777777\0", b"-0000000001\0"):
        header = bytearray(content[place:place + 512])
        header[124:136] = size
        header[148:156] = b" " * 8
        header[148:156] = b"%06o\0 " % sum(header)
        path.write_bytes(content[:place] + bytes(header) + content[place + 512:])
        refused(path, "cut off or damaged|unpacks to more")
        # What is not wanted is passed over, in as many steps as its size says.
        with pytest.raises(UsageError, match="cut off or damaged|unpacks to more"):
            report.read(str(path), lambda name: None)


def test_a_sparse_file_is_not_filled_up(tmp_path):
    def fill(tar):
        member = tarfile.TarInfo(TOP + "/sos_commands/process/lsof_M_-n_-l_-c")
        member.pax_headers = {"GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.map": "0,1",
                              "GNU.sparse.size": str(1 << 60), "GNU.sparse.name": member.name}
        member.size = 1
        tar.addfile(member, io.BytesIO(b"x"))
    found = report.read(archive(tmp_path, fill), lambda name: Want(1 << 20, (b"x",)))
    assert found.unreadable == {"sos_commands/process/lsof_M_-n_-l_-c": "it is a sparse file"}


def test_limits_of_number_and_size(tmp_path, monkeypatch):
    places = [reports.directory(tmp_path / "all", reports.el8()), reports.archive(tmp_path / "a", reports.el8())]
    monkeypatch.setattr(reportfiles, "MOST_NAMES", 5)
    for place in places:
        refused(place, "is not read: it has more than 5 files")
    monkeypatch.undo()
    monkeypatch.setattr(reportfiles, "MOST_KEPT", 100)
    for place in places:
        refused(place, "is not read: what is needed of it is more than 0 MiB")


@pytest.mark.parametrize("packed", [False, True])
def test_how_much_of_a_file_is_kept(tmp_path, packed):
    lines = b"".join(b"row %06d %s\n" % (number, b"wanted" if number % 1000 == 7 else b"x" * 50) for number in range(60000))
    files = dict(MARK, lines=lines, cut=lines[:-1] + b" wanted", long=b"head\n" + b"wanted" * 200000, empty=b"")
    place = reports.archive(tmp_path / "a", files) if packed else reports.directory(tmp_path / "all", files)

    def read(want):
        return report.read(str(place), lambda name: want if name in files else None)
    found = read(Want(1 << 20, (b"wanted", b"foreman")))
    wanted = [line for line in lines.splitlines(True) if b"wanted" in line]
    assert found.files["lines"] == (lines[:lines.index(b"\n") + 1] + b"".join(wanted), reports.TIME, True, True)
    assert found.files["cut"].content.endswith(b" wanted")
    assert found.files["cut"][2:] == (True, False)
    assert found.files["long"] == (b"head\n", reports.TIME, False, False)
    assert found.files["empty"].content == b""
    few = read(Want(100, (b"wanted",))).files["lines"]
    assert few.content == lines[:lines.index(b"\n") + 1] + b"".join(wanted[-5:])
    assert not few.whole
    start = read(Want(100)).files["lines"]
    assert (start.content, start.whole) == (lines[:100], False)
    assert read(Want(len(lines))).files["lines"].whole
    assert read(Want(0)).files["lines"][:3] == (b"", reports.TIME, False)


def test_unpacked_is_a_root_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(scratch, "_PLACES", (str(tmp_path),))
    found = report.read(str(reports.archive(tmp_path / "a", reports.el8())), everything)
    with report.unpacked(found, [reports.FILES + "file_contexts", "lib/systemd/system/foreman.socket", "none"]) as root:
        path = Path(root) / reports.FILES / "file_contexts"
        assert path.read_text().startswith("/.*")
        assert path.stat().st_mtime == reports.TIME
        assert oct(os.stat(root).st_mode & 0o777) == "0o700"
        assert (Path(root) / "lib/systemd/system/foreman.socket").is_file()
    assert os.listdir(str(tmp_path)) == ["a"]


def test_unpacking_that_fails_is_one_line_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(scratch, "_PLACES", (str(tmp_path / "place"),))
    (tmp_path / "place").mkdir()
    found = report.read(str(reports.archive(tmp_path / "a", dict(MARK, **{"etc/a": "x", "etc/a/b": "y"}))), everything)
    with pytest.raises(HelperError, match="etc/a/b of the report cannot be unpacked: Not a directory|File exists"), \
            report.unpacked(found, ["etc/a", "etc/a/b"]):
        pass
    found.files["etc/c"] = reportfiles.File(b"", 1e30)
    with pytest.raises(HelperError, match="etc/c of the report cannot be unpacked"), report.unpacked(found, ["etc/c"]):
        pass
    assert os.listdir(str(tmp_path / "place")) == []
