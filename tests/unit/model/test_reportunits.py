"""Units by dump, status and files; what is printed by the versions that are recorded."""

import pytest

from foreman_selinux_helpers.model import reportunits, unitfiles
from foreman_selinux_helpers.model.reportunits import UnitFiles
from foreman_selinux_helpers.model.shownunits import executable, first, listen_paths, triggered_service

STATUS = """● host
    State: running

● foreman.socket - Foreman: sockets
   Loaded: loaded (/usr/lib/systemd/system/foreman.socket; disabled; vendor preset: disabled)
  Drop-In: /etc/systemd/system/foreman.socket.d
           └─installer.conf
   Active: active (running) since Tue 2023-11-14 20:00:00 UTC; 1h ago
 Triggers: ● foreman.service
   Listen: /run/foreman.sock (Stream)
           /run/with space.sock (Datagram)
           127.0.0.1:3000 (Stream)
    Tasks: 0
   CGroup: /system.slice/foreman.socket

Nov 14 20:00:00 host systemd[1]: Listening on /run/other.sock (Stream)
   Listen: /run/third.sock (Stream)

● systemUnit gone.service could not be found.
d-foo.service - Foo
   Loaded: loaded (/usr/lib/systemd/system/systemd-foo.service; static)
   Active: active (running)

○ old.service
     Loaded: masked (Reason: Unit old.service is masked.)
     Active: inactive (dead)
   Main PID: 159 (code=exited, status=0/SUCCESS)

new.service - New
     Loaded: loaded
     Active: active (running)
   Main PID: 160 (new)
"""


def test_status():
    units = {first(one, "Id"): one for one in reportunits.parse_status(STATUS)}
    assert set(units) == {"foreman.socket", "old.service", "new.service"}
    foreman = units["foreman.socket"]
    assert listen_paths(foreman) == ("/run/foreman.sock", "/run/with space.sock")
    assert triggered_service(foreman) == "foreman.service"
    assert (first(foreman, "LoadState"), first(foreman, "ActiveState"), first(foreman, "SubState")) == (
        "loaded", "active", "running")
    assert first(units["old.service"], "LoadState") == "masked"
    assert [first(units[name], "MainPID") for name in ("old.service", "new.service")] == ["", "160"]


@pytest.mark.parametrize("origin", ["", " (origin-file destination-default)"])
def test_dump(origin):
    text = "\n".join([
        "Manager: systemd 252", "-> Unit a.socket:", "\tName: a.socket", "\tUnit Load State: loaded",
        "\tUnit Active State: active", "\tDropIn Path: /etc/a b.conf", "\tDropIn Path: /etc/c.conf",
        "\tRequires: b.service" + origin, "\tRequires: c.target" + origin, "\tTriggers: a.service" + origin,
        "\tSocket State: listening", "\tSocketMode: 0600", "\tSocketUser: n/a", "\tListenStream: /run/a b.sock",
        "\tListenFIFO: /run/a.fifo", "\tListenStream: 127.0.0.1:1", "\t-> ExecStartPre:", "\t\tCommand Line: /bin/before",
        "-> Unit a.service:", "\tUnit Load State: loaded", "\tMain PID: 12", "\t-> ExecStartPre:", "\t\tCommand Line: /bin/no",
        "\t-> ExecStart:", "\t\tCommand Line: /usr/bin/a --of x", "\t\t\tPID: 12", "\t-> ExecStart:",
        "\t\tCommand Line: /usr/bin/b", "-> Unit d.socket:", "\tAccepted: 3", "\tTriggers: d@1.service",
        "-> Job 7:", "\tUnit Load State: broken", ""])
    units = reportunits.parse_dump(text)
    assert [first(one, "Id") for one in units] == ["a.socket", "a.service", "d.socket"]
    assert listen_paths(units[0]) == ("/run/a b.sock",)
    assert first(units[0], "Requires").split() == ["b.service", "c.target"]
    assert (triggered_service(units[0]), triggered_service(units[2])) == ("a.service", None)
    assert (first(units[0], "SocketUser"), first(units[0], "SocketMode")) == ("", "0600")
    assert (executable(units[1]), first(units[1], "MainPID")) == ("/usr/bin/a", "12")
    assert "LoadState" not in units[2]


def test_unit_files_in_their_order():
    files = UnitFiles({
        "etc/systemd/system/a.socket": "etc", "usr/lib/systemd/system/a.socket": "usr",
        "usr/lib/systemd/system/a.socket.d/20.conf": "usr20", "etc/systemd/system/a.socket.d/20.conf": "etc20",
        "run/systemd/system/a.socket.d/10.conf": "run10", "usr/lib/systemd/system/socket.d/15.conf": "all15",
        "usr/lib/systemd/system/socket.d/10.conf": "all10", "usr/lib/systemd/system/a.socket.d/30.conf": "usr30",
        "lib/systemd/system/b-c@.socket": "template", "etc/systemd/system/b-.socket.d/x.conf": "prefix",
        "etc/systemd/system/b-c@.socket.d/y.conf": "of all", "etc/systemd/system/b-c@1.socket.d/z.conf": "of one",
        "etc/systemd/system/only.socket.d/x.conf": "only", "usr/lib/systemd/system/masked.socket": "x",
        "etc/systemd/system/empty.socket": "", "etc/systemd/system/sockets.target.wants/w.socket": "x",
    }, ["etc/systemd/system/masked.socket", "etc/systemd/system/a.socket.d/30.conf"])
    assert files.texts("a.socket") == ["etc", "run10", "all15", "etc20"]
    assert files.texts("b-c@1.socket") == ["template", "all10", "all15", "prefix", "of all", "of one"]
    assert files.texts("only.socket") == ["all10", "all15", "only"]
    assert files.texts("masked.socket") == files.texts("empty.socket") == []
    assert files.fragment("masked.socket") == ("etc/systemd/system/masked.socket", None)
    assert files.fragment("none.socket") == (None, None)
    assert files.names(".socket") == ["a.socket", "b-c@.socket", "b-c@1.socket", "empty.socket", "masked.socket",
                                      "only.socket"]


def test_listen_of_a_unit_with_a_drop_in():
    files = UnitFiles({"usr/lib/systemd/system/a.socket": "[Socket]\nListenStream=80\n",
                       "etc/systemd/system/a.socket.d/x.conf": "[Socket]\nListenStream=\nListenStream=%t/a.sock\n"}, [])
    assert unitfiles.listen_paths("a.socket", files.texts("a.socket")) == ["/run/a.sock"]
