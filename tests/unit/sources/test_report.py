"""Facts from whole reports; what one does not hold is said."""

import json
import os
import time
from pathlib import Path

import pytest

from foreman_selinux_helpers.doors import scratch
from foreman_selinux_helpers.model.labelcache import HeldFile
from foreman_selinux_helpers.model.units import Service, SocketUnit
from foreman_selinux_helpers.sources.report import ReportSource
from foreman_selinux_helpers.sources.reportunits import Access, ReportUnits
from foreman_selinux_helpers.sources.reportwants import wanted

from ... import reports
from ...reports import FILES, HOST_FILES, Link

SOCKET = "/run/foreman.sock"
PLUGIN = "sos_commands/foreman_selinux_helpers/"


@pytest.fixture(params=[True, False], ids=["archive", "directory"])
def opened(request, tmp_path):
    """Return a function that opens a report of these files, packed and unpacked."""
    def of(files, **changed):
        files = dict(files, **changed)
        files = {name: content for name, content in files.items() if content is not None}
        if request.param:
            return ReportSource.open(str(reports.archive(tmp_path / "sosreport.tar.xz", files)))
        return ReportSource.open(str(reports.directory(tmp_path / "unpacked", files)))
    return of


def all_of(source):
    """Ask for everything; return what could not be seen."""
    source.machine()
    source.booleans()
    source.contexts_of_processes()
    source.label_caches()
    source.packages()
    source.denials(SOCKET)
    source.policy()
    with source.root():
        pass
    return source.unseen


def test_el8_with_a_stale_pid_1(opened):
    source = opened(reports.el8())
    assert source.machine() == ("foreman.example.com", "rhel", 1700000000.0, 1699992000.0)
    assert source.selinux() == ("enforcing", "targeted")
    assert source.booleans() == {"daemons_enable_cluster_mode": True, "httpd_can_network_connect": False}
    assert source.contexts_of_processes()[1204] == "system_u:system_r:foreman_rails_t:s0"
    assert source.label_directory() == HOST_FILES.rstrip("/")
    caches = source.label_caches()
    assert caches.holders[1].held == [HeldFile(HOST_FILES + "file_contexts.local.bin", 25232001, True),
                                      HeldFile(HOST_FILES + "file_contexts.homedirs.bin", 25232002, True),
                                      HeldFile(HOST_FILES + "file_contexts.bin", 25232003, True)]
    assert (set(caches.holders), caches.elsewhere, caches.incomplete) == ({1, 642, 780, 801}, {900}, None)
    assert caches.on_disk[HOST_FILES + "file_contexts.bin"] == 25239903
    assert source.packages() == {"systemd": "239-41.el8_3", "libselinux": "2.9-5.el8",
                                 "selinux-policy-targeted": "3.14.3-54.el8"}
    denial = source.denials(SOCKET)[0]
    assert (denial.time, denial.permission, denial.target) == (1699999990, "write", "system_u:object_r:var_run_t:s0")
    assert source.denials("/run/other.sock") == []
    assert source.labels_to_change() == {
        SOCKET: ("system_u:object_r:var_run_t:s0", "system_u:object_r:foreman_var_run_t:s0")}
    assert all_of(source) == []


def test_el9_with_what_sos_has_cut(opened):
    source = opened(reports.el9())
    assert source.denials(SOCKET)[0].time == 1699999991
    assert source.report.cut("var/log/audit/audit.log")
    assert {one.deleted for one in source.label_caches().holders[1].held} == {False}
    assert all_of(source) == []


def test_debian_without_our_plugin(opened):
    source = opened(reports.debian())
    assert source.packages() == {"libselinux1": "3.4-1+b6", "systemd": "252.39-1~deb12u2"}
    assert source.selinux() == (None, None)
    assert source.label_directory() == "/etc/selinux/default/contexts/files"
    assert source.denials(SOCKET)[0].time == 1699999990
    with source.root() as root:
        assert root is None
    assert all_of(source) == [
        "whether SELinux is enforcing: the report has no output of sestatus",
        "rules for labels: the report has no etc/selinux/default/contexts/files/file_contexts, or not the whole of it",
        "booleans: the report has no sos_commands/selinux/sestatus_-b",
        "contexts of processes: the report has no sos_commands/selinux/ps_auxZww",
        "what the policy allows, and its types: the report has no whole etc/selinux/default/policy/policy.*",
    ]


def test_without_selinux(opened):
    source = opened(reports.without_selinux())
    assert source.selinux() == ("disabled", None)
    assert "label caches of processes: the report has no output of lsof" in all_of(source)
    assert "rules for labels: the policy type is not known" in source.unseen
    assert "denials: the report has no audit log, no output of ausearch, and no journal" in source.unseen
    assert "versions of packages: the report has neither installed-rpms nor installed-debs" in source.unseen
    assert source.denials(SOCKET) == []


def test_denials_of_the_journal(opened):
    files = dict(reports.el8(), **{"sos_commands/logs/journalctl_--no-pager":
                                   "Nov 14 23:13:10 foreman audit[1544]: AVC " + reports._AVC + "\n"})
    del files["var/log/audit/audit.log"]
    assert opened(files).denials(SOCKET)[0].time == 1699999990


LSOF = "sos_commands/process/lsof_-b_M_-n_-l_-c"


@pytest.mark.parametrize(("change", "why"), [
    ({LSOF: reports.el8()[LSOF][:-20]}, "its last line is cut off"),
    ({LSOF: reports.el8()[LSOF].split("\n", 5)[5]}, "its beginning is missing"),
    ({LSOF: ""}, "its beginning is missing"),
    ({LSOF: Link("../../sos_strings/process/lsof_-b_M_-n_-l_-c.tailed"),
      "sos_strings/process/lsof_-b_M_-n_-l_-c.tailed": reports.el8()[LSOF]}, "sos has cut it for its size"),
    ({"sos_logs/sos.log": "WARN: [plugin:process] command 'lsof -b +M -n -l -c ''' timed out after 15s\n"}, "it timed out"),
    ({"sos_reports/manifest.json": json.dumps({"components": {"report": {"plugins": {"process": {"commands": [
        7, {"command": "lsof", "return_code": 124}]}}}}})}, "it timed out"),
])
def test_lsof_that_has_not_told_all(opened, change, why):
    source = opened(reports.el8(), **change)
    assert source.label_caches().incomplete == why
    assert source.unseen == ["label caches of some processes: the output of lsof is incomplete (%s)" % why]


def test_other_bytes_and_documents_that_are_none(opened):
    source = opened(reports.el8(), **{
        "sos_reports/manifest.json": "[" * 100000, PLUGIN + "status.json": '{"schema": 1, "command": "stale"}',
        PLUGIN + "stale.json": '{"schema": 1, "command": "stale", "ok": false, "error": "x"}', PLUGIN + "detect.json": "[]",
        LSOF: b"COMMAND \xff\xfe\n\x00\xff /etc/file_contexts\n", "hostname": None, "sos_commands/host/hostname": b"\xffhost",
        "proc/stat": "btime 99999999999999999999", "sos_commands/systemd/timedatectl": "Universal time: Tue 9999-99-99"})
    assert source.machine().hostname == "\udcffhost"
    assert source.label_caches().incomplete == "some of its lines cannot be read"
    assert "sos_reports/manifest.json in the report: it is not JSON" in source.unseen
    assert [source.document(verb) for verb in ("status", "stale", "detect", "other")] == [None] * 4


def test_documents_of_our_plugin(opened):
    document = {"schema": 1, "command": "status", "ok": True, "sockets": []}
    source = opened(reports.debian(), **{PLUGIN + "status.json": json.dumps(document), PLUGIN + "sestatus":
                                         "SELinux status: enabled\nLoaded policy name: default\nCurrent mode: enforcing\n"})
    assert source.document("status") == document
    assert source.selinux() == ("enforcing", "default")


def test_rules_are_unpacked_as_a_root(opened, tmp_path, monkeypatch):
    (tmp_path / "place").mkdir()
    monkeypatch.setattr(scratch, "_PLACES", (str(tmp_path / "place"),))
    with opened(reports.el8()).root() as root:
        found = sorted(str(path.relative_to(root)) for path in Path(root).rglob("*") if path.is_file())
        assert found == sorted([FILES + name for name in (
            "file_contexts", "file_contexts.homedirs", "file_contexts.subs_dist")] + [
                "etc/selinux/config", "etc/selinux/targeted/policy/policy.31"])
    assert os.listdir(str(tmp_path / "place")) == []


@pytest.mark.parametrize(("change", "missing"), [
    ({FILES + "file_contexts": None}, "file_contexts"),
    ({FILES + "file_contexts": ""}, "file_contexts"),
    ({FILES + "file_contexts": Link("/sos_strings/selinux/file_contexts.tailed"),
      "sos_strings/selinux/file_contexts.tailed": "/x u:r:t"}, "file_contexts"),
    ({FILES + "file_contexts.homedirs": b"x" * (33 << 20)}, "file_contexts.homedirs"),
    ({FILES + "file_contexts.local.bin": b"x"}, "file_contexts.local"),
])
def test_rules_of_which_some_are_missing_are_none(opened, change, missing):
    source = opened(reports.el8(), **change)
    with source.root() as root:
        assert root is None
    assert source.unseen == ["rules for labels: the report has no %s%s, or not the whole of it" % (FILES, missing)]


def test_the_newest_policy(opened):
    place = "etc/selinux/targeted/policy/policy."
    source = opened(reports.el8(), **{place + "9": b"x", place + "33": b"x", place + "40": b""})
    assert source.policy() == place + "33"


@pytest.mark.parametrize("name", ["sosreport-host0-2023-11-14-abcdefg-obfuscated.tar.xz", "sosreport.tar.xz"])
def test_what_sos_clean_has_replaced(tmp_path, name):
    files = reports.el8()
    if "obfuscated" not in name:
        files[FILES + "file_contexts"] += "/run/obfuscateduser1\\.pid	u:object_r:x_t:s0\n"
    source = ReportSource.open(str(reports.archive(tmp_path / name, files)))
    assert source.obfuscated
    assert "paths and rules may have changed" in source.unseen[0]


def test_long_lines_take_no_time(tmp_path):
    """Of none of them the time may grow with the square of its length."""
    row = "systemd 1 0 mem REG 253,0 5 6 /file_contexts"
    dump = "sos_commands/systemd/systemd-analyze_dump"
    files = dict(reports.el9(), **{
        "sos_commands/process/lsof_M_-n_-l_-c": "COMMAND \n%s\n%s\n" % (row + " (path inode=1) (stat: " * 2800, "a " * 30000 + row),
        "sos_commands/selinux/ps_auxZww": "a:b:" + "c" * 300000 + "\n",
        "sos_commands/selinux/sestatus_-b": "a" * 100000 + " " * 300000 + "x\n",
        "sos_commands/systemd/timedatectl": "Timezone: " * 30000,
        "sos_commands/foreman/foreman-selinux-relabel_-nv": "restorecon reset /x context a->" * 10000 + " \nWould relabel /x from a to " * 3,
        "installed-rpms": "a-1.b-" * 50000 + "\n",
        "sos_logs/sos.log": "command 'lsof timed out " * 40000,
        "var/log/audit/audit.log": "avc:  denied  { write name=\"path=\" " * 1500 + "\n",
        dump: "Manager: systemd " + "path=/" * 50000 + "\n" + reports.el9()[dump].replace("/bin/rails", "path=/" * 60000)})
    started = time.monotonic()
    source = ReportSource.open(str(reports.directory(tmp_path, files)))
    all_of(source)
    source.labels_to_change()
    units = ReportUnits(source.report)
    assert units.socket_units()["foreman.socket"].service.executable is None
    assert time.monotonic() - started < 5


def test_when_files_were_written(opened):
    source = opened(reports.el8())
    assert source.written(HOST_FILES + "file_contexts.bin") == (reports.TIME, reports.TIME)
    assert source.written(HOST_FILES + "file_contexts.local.bin") is None


def test_units(opened):
    units = ReportUnits(opened(reports.el8()).report)
    assert (units.unseen, units.manager_version()) == (None, "239 (239-41.el8_3)")
    service = Service("foreman.service", True, True, "/usr/share/foreman/bin/rails", None)
    assert units.socket_units() == {
        "foreman.socket": SocketUnit("foreman.socket", "loaded", "active", (SOCKET,), service),
        "chatty.socket": SocketUnit("chatty.socket", "loaded", "inactive", ("/run/chatty.dgram",), None)}
    assert units.listened_by_files() == {"foreman.socket": (SOCKET,), "masked.socket": ()}
    assert units.access("foreman.socket") == Access("apache", None, 0o600)
    assert units.access("chatty.socket") == units.access("other.socket") == Access(None, None, 0o666)
    assert units.process_units() == {1204: "foreman.service"}


def test_units_by_show_know_the_context(opened):
    shown = "Id=foreman.service\nActiveState=active\nRequires=foreman.socket x\nSELinuxContext=-a:b:c\nMainPID=1204\n"
    units = ReportUnits(opened(reports.el9(), **{"sos_commands/systemd/systemctl_show_service_--all": shown}).report)
    assert units.socket_units()["foreman.socket"].service == Service(
        "foreman.service", True, True, "/usr/share/foreman/bin/rails", "a:b:c")


def test_units_without_a_dump(opened):
    status = "● foreman.socket - x\n   Loaded: loaded\n   Active: active (listening)\n   Listen: /run/foreman.sock (Stream)\n"
    files = dict(reports.el9(), **{"sos_commands/systemd/systemctl_status_--all": status})
    del files["sos_commands/systemd/systemd-analyze_dump"]
    units = ReportUnits(opened(files).report)
    assert units.socket_units() == {"foreman.socket": SocketUnit("foreman.socket", "loaded", "active", (SOCKET,), None)}
    assert units.access("foreman.socket") == Access("apache", None, 0o600)
    assert units.unseen is None
    assert units.manager_version() == "252-32.el9_4"


def test_units_by_their_files_alone(opened):
    files = {name: content for name, content in reports.el9().items() if not name.startswith("sos_commands/systemd/")}
    units = ReportUnits(opened(files).report)
    assert (units.socket_units(), units.manager_version()) == ({}, None)
    assert units.listened_by_files()["foreman.socket"] == (SOCKET,)
    assert units.unseen == ("which socket units are loaded: the report has no output of systemd-analyze dump or "
                            "systemctl status")


def test_only_what_is_needed_is_wanted():
    for name in ("etc/shadow", "etc/selinux/targeted/modules/x.pp", "sos_commands/process/ps", "etc/systemd/system/a/b/c.conf",
                 "var/log/messages", "x/etc/selinux/config", "etc/selinux/config\n"):
        assert wanted(name) is None, name
    assert wanted("etc/systemd/system/foreman.socket.d/a.conf")
    assert wanted("sos_commands/process/lsof_M_-n_-l_-c").lines_with
