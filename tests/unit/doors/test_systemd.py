"""What is asked of systemctl and made of its answers."""

import time

import pytest

from foreman_selinux_helpers.doors import systemd
from foreman_selinux_helpers.doors.deadline import Deadline
from foreman_selinux_helpers.doors.run import Output, Runner
from foreman_selinux_helpers.doors.systemd import Systemd
from foreman_selinux_helpers.model import shownunits
from foreman_selinux_helpers.model.errors import CommandFailed, DeadlineExceeded
from foreman_selinux_helpers.model.units import Service, SocketUnit

SOCKET = """Id=foo.socket
LoadState=loaded
ActiveState=active
SubState=listening
Listen=/run/foo.sock (Stream)
Accept=no
Triggers=foo.service
"""
SERVICE = """Id=foo.service
LoadState=loaded
ActiveState=active
Requires=system.slice foo.socket
ExecStart={ path=/usr/bin/foo ; argv[]=/usr/bin/foo --x ; ignore_errors=no ; pid=0 ; status=0/0 }
"""
ABSENT = "Id=bar.socket\nLoadState=not-found\nActiveState=inactive\n"


class Fake(Runner):
    """Answers by the last argument, or in order; remembers what was asked."""

    def __init__(self, *answers, seconds=60.0):
        super().__init__(Deadline(seconds))
        self.answers = list(answers)
        self.asked = []

    def run(self, argv, stdin=None, limit=None):
        self.asked.append(list(argv))
        answer = self.answers.pop(0)
        return answer if isinstance(answer, Output) else Output(0, answer, "")


@pytest.mark.parametrize("old", [False, True], ids=["later", "219"])
def test_a_socket_and_its_service_are_asked_for_at_once(old):
    """219 fails at a property that the unit's type does not have; there each type is asked for its own."""
    fake = Fake(*[Output(1, SOCKET, ""), SOCKET, SERVICE] if old else [SOCKET + "\n" + SERVICE])
    units = Systemd(fake).socket_units(["foo.socket"])
    assert units == {"foo.socket": SocketUnit("foo.socket", "loaded", "active", ("/run/foo.sock",), Service(
        "foo.service", True, True, "/usr/bin/foo"))}
    assert units["foo.socket"].listening
    asked = [one[2:] for one in fake.asked]
    assert asked.pop(0) == ["--property=Id,Listen,LoadState,ActiveState,SubState,Accept,Triggers,Requires,BindsTo,MainPID,"
                            "ExecStart,SELinuxContext", "--", "foo.socket", "foo.service"]
    assert asked == [
        ["--property=Id,Listen,LoadState,ActiveState,SubState,Accept,Triggers,Requires,BindsTo", "--", "foo.socket"],
        ["--property=Id,LoadState,ActiveState,SubState,Requires,BindsTo,MainPID,ExecStart,SELinuxContext", "--",
         "foo.service"]][:2 * old]


def test_a_unit_whose_service_would_have_too_long_a_name():
    unit = "x" * 248 + ".socket"
    fake = Fake(ABSENT.replace("bar.socket", unit))
    assert Systemd(fake).socket_units([unit])[unit].load == "not-found"
    assert fake.asked[0][4:] == [unit]


@pytest.mark.parametrize("said", [
    "Failed to get properties: Message recipient disconnected from message bus without replying",
    "Failed to connect to bus: Connection refused", "Failed to list jobs: Connection reset by peer",
    "Failed to get properties: Transport endpoint is not connected"])
def test_while_pid_1_executes_itself_it_is_asked_again(monkeypatch, said):
    monkeypatch.setattr(systemd, "_POLL", 0.001)
    monkeypatch.setattr(systemd, "_AWAY_FOR", 0.2)
    away = Output(1, "", said + "\n")
    fake = Fake(away, away, "Version=252\n")
    assert Systemd(fake).version() == "252"
    fake = Fake(away, away, "", away, "", away)
    Systemd(fake).daemon_reload()
    Systemd(fake).order("stop", "foo.socket")
    with pytest.raises(CommandFailed):
        Systemd(fake).order("restart", "foo.socket")
    assert [one[1] for one in fake.asked] == ["daemon-reload"] * 3 + ["stop"] * 2 + ["restart"]
    with pytest.raises(CommandFailed, match="disconnected|refused|reset|not connected"):
        Systemd(Fake(*[away] * 9999, seconds=60.0)).version()


def test_any_other_failure_is_told_at_once():
    fake = Fake(Output(1, "", "Failed to connect to bus: No such file or directory\n"))
    with pytest.raises(CommandFailed, match="No such file"):
        Systemd(fake).version()
    assert len(fake.asked) == 1


def test_a_service_with_another_name_is_asked_for_then():
    fake = Fake(SOCKET.replace("Triggers=foo", "Triggers=other") + "\nId=foo.service\nLoadState=not-found\n",
                SERVICE.replace("foo.service", "other.service").replace(" foo.socket", ""))
    service = Systemd(fake).socket_units(["foo.socket"])["foo.socket"].service
    assert service == Service("other.service", True, False, "/usr/bin/foo")
    assert fake.asked[1][-1] == "other.service"


@pytest.mark.parametrize("change", [("Accept=no", "Accept=yes"), ("Triggers=foo.service\n", "")])
def test_sockets_without_one_service(change):
    fake = Fake(SOCKET.replace(*change) + "\n" + SERVICE)
    assert Systemd(fake).socket_units(["foo.socket"])["foo.socket"].service is None
    assert len(fake.asked) == 1


@pytest.mark.parametrize(("shown", "busctl", "context"), [
    ("", None, ""), ("a:b:c:s0", None, "a:b:c:s0"), ("-a:b:c:s0", None, "a:b:c:s0"),
    ("[unprintable]", '(bs) false ""\n', ""), ("[unprintable]", '(bs) true "a:b:c:s0"\n', "a:b:c:s0"),
    ("[unprintable]", "", None), ("[unprintable]", '(bs) maybe "x"\n', None),
    ("[unprintable]", Output(1, "", "Unknown property or interface.\n"), None)])
def test_the_context_of_a_service(shown, busctl, context):
    answer = SOCKET + "\n" + SERVICE.replace("Requires=", "SELinuxContext=%s\nRequires=" % shown)
    fake = Fake(answer, *([] if busctl is None else [busctl]))
    assert Systemd(fake).socket_units(["foo.socket"])["foo.socket"].service.context == context
    if busctl is not None:
        assert fake.asked[-1][1:] == ["get-property", "org.freedesktop.systemd1",
                                      "/org/freedesktop/systemd1/unit/foo_2eservice",
                                      "org.freedesktop.systemd1.Service", "SELinuxContext"]


@pytest.mark.parametrize(("unit", "path"), [
    ("a.service", "a_2eservice"), ("3proxy@x-1.service", "_33proxy_40x_2d1_2eservice"),
    ("d\xf6.service", "d_c3_b6_2eservice")])
def test_the_object_path_of_a_unit(unit, path):
    assert shownunits.object_path(unit) == "/org/freedesktop/systemd1/unit/" + path


@pytest.mark.parametrize(("answer", "expected"), [
    ("# /usr/lib/systemd/system/foo.socket\n[Socket]\nSELinuxContextFromNet=true\n", True),
    ("[Socket]\nSELinuxContextFromNet=yes\n\n# /etc/x.conf\n[Socket]\nSELinuxContextFromNet=\n", False),
    ("[Service]\nSELinuxContextFromNet=yes\n[Socket]\nListenStream=/run/x\n", False),
    (Output(1, "", "No files found for foo.socket.\n"), None)])
def test_a_label_from_the_net_is_in_the_unit_file_alone(answer, expected):
    assert Systemd(Fake(answer)).takes_label_from_net("foo.socket") is expected


def test_what_is_not_there():
    unit = Systemd(Fake(ABSENT + "\nId=bar.service\nLoadState=not-found\n")).socket_units(["bar.socket"])["bar.socket"]
    assert (unit.load, unit.paths, unit.listening, unit.service) == ("not-found", (), False, None)
    assert Systemd(Fake()).socket_units([]) == {}


@pytest.mark.parametrize("answer", ["", SOCKET, Output(1, "", "Failed to connect to bus"), SOCKET + "\n\n\n"])
def test_an_answer_that_is_none_is_one_line(answer):
    with pytest.raises(CommandFailed) as raised:
        Systemd(Fake(answer, answer)).socket_units(["foo.socket", "bar.socket"])
    assert "\n" not in str(raised.value)


def test_binds_to_counts_as_requires():
    shown = SERVICE.replace("Requires=system.slice foo.socket", "Requires=system.slice\nBindsTo=foo.socket")
    assert Systemd(Fake(SOCKET + "\n" + shown)).socket_units(["foo.socket"])["foo.socket"].service.requires_socket


@pytest.mark.parametrize(("jobs", "targets"), [
    ("", ()),
    ("No jobs running.\n", ()),
    ("123 foo.service start waiting\n", ()),
    (Output(1, "", ""), ()),  # 219 ends so whether there are any or not
    (Output(1, "494 slow.target start running\n", ""), ("slow.target",)),
    ("  7 reboot.target start waiting\n  8 x.mount stop running\n", ("reboot.target",)),
    ("7 rescue.target start running\n8 umount.target restart waiting\n9 network.target stop waiting\n",
     ("rescue.target", "umount.target")),
])
def test_a_target_that_is_being_reached_is_in_the_way(jobs, targets):
    manager = Systemd(Fake("Version=252\nSystemState=degraded\n", jobs)).manager()
    assert manager == ("252", "degraded", targets)


def test_versions_of_the_manager_and_of_the_binary():
    assert Systemd(Fake("Version=239 (239-82.el8_10.2)\n")).version() == "239 (239-82.el8_10.2)"
    assert Systemd(Fake("systemd 252 (252.39-1~deb12u1)\n+PAM +AUDIT\n")).binary_version("/x") == "252 (252.39-1~deb12u1)"
    with pytest.raises(CommandFailed, match="signal 11"):
        Systemd(Fake(Output(-11, "", ""))).binary_version("/usr/lib/systemd/systemd")


@pytest.mark.parametrize(("answer", "container"), [
    (Output(0, "lxc\n", ""), "lxc"), (Output(1, "none\n", ""), None), (Output(0, "", ""), "unknown")])
def test_container(answer, container):
    assert Systemd(Fake(answer)).container() == container


def test_after_a_reexec_it_waits_for_an_answer():
    refused = Output(1, "", "Failed to connect to bus")
    fake = Fake("", refused, refused, "Version=252\n")
    Systemd(fake).daemon_reexec()
    assert [one[1] for one in fake.asked] == ["daemon-reexec", "show", "show", "show"]
    with pytest.raises(DeadlineExceeded):
        Systemd(Fake("", *[refused] * 10, seconds=0.3)).daemon_reexec()


def test_what_was_stopped_can_be_started_when_the_time_is_used_up(monkeypatch):
    """A socket that was stopped must come back."""
    asked = []
    monkeypatch.setattr(Runner, "run", lambda self, argv, stdin=None, limit=None: asked.append(
        (argv[1], self.deadline.remaining())) or Output(0, "", ""))
    used_up = Runner(Deadline(0.01))
    time.sleep(0.02)
    Systemd(used_up).order("start", "foo.socket", surely=True)
    assert asked[0][0] == "start"
    assert 1 < asked[0][1] < 5
    with pytest.raises(DeadlineExceeded):
        Systemd(used_up).order("stop", "foo.socket")
    Systemd(Runner(Deadline(100))).order("start", "foo.socket", surely=True)
    assert asked[1][1] > 90


def test_a_job_is_queued_when_the_time_is_used_up(monkeypatch):
    asked = []
    monkeypatch.setattr(Runner, "run", lambda self, argv, stdin=None, limit=None: asked.append(
        (argv[1:], self.deadline.remaining())) or Output(0, "", ""))
    used_up = Systemd(Runner(Deadline(-1)))
    used_up.queue("restart", "foo.service")
    assert asked[0][0] == ["--no-block", "restart", "--", "foo.service"]
    assert 1 < asked[0][1] < 5
    with pytest.raises(DeadlineExceeded):
        used_up.check_time()


@pytest.mark.parametrize("failure", [Output(1, "", "Property MainPID does not exist.\n"),
                                     Output(1, "", "Unit foo.service has a bad name.\n")])
def test_what_cannot_be_asked_at_once_is_asked_for_each_type(failure):
    other = SOCKET.replace("Triggers=foo", "Triggers=other")
    fake = Fake(failure, other, SERVICE.replace("foo.service", "other.service"))
    assert Systemd(fake).socket_units(["foo.socket"])["foo.socket"].service.unit == "other.service"


def test_219_is_not_believed_for_one_unit_alone():
    """Without a service to ask for, its answer that is cut off has as many blocks as there are units."""
    unit = "x" * 248 + ".socket"
    fake = Fake(SOCKET.replace("foo.socket", unit), SERVICE)
    assert Systemd(fake).socket_units([unit])[unit].load == "loaded"
    assert "MainPID" not in fake.asked[0][2]
