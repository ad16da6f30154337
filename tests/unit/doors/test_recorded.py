"""What seven versions of systemd were recorded to answer gives the same facts: one table, versions as columns.

Where the data is from, and what was run: tests/recorded/README.md.
"""

import re

import pytest

from foreman_selinux_helpers.doors import systemd
from foreman_selinux_helpers.doors.run import failure
from foreman_selinux_helpers.doors.systemd import Systemd
from foreman_selinux_helpers.model import shownunits
from foreman_selinux_helpers.model.errors import CommandFailed
from foreman_selinux_helpers.model.refresh import NEVER, ON_DAEMON_RELOAD, ON_POLICY_LOAD, Known, predict
from foreman_selinux_helpers.model.units import Service, SocketUnit

from .recorded import AGAIN, VERSIONS, Recorded, Recording

RECORDINGS = {version: Recording(version) for version in VERSIONS}
SLEEP = "/bin/sleep"
HTTPD = "system_u:system_r:httpd_t:s0"


def service(unit, **differs):
    """Return a service as most of them are here."""
    return Service(unit, False, False, SLEEP, "")._replace(**differs)


def socket(unit, paths, triggered, **differs):
    """Return a socket unit as most of them are here."""
    return SocketUnit(unit, "loaded", "active", tuple(paths), triggered)._replace(**differs)


# -- the table of expectations ---------------------------------------------------------------

SOCKETS = [
    socket("a.socket", ["/run/a.sock"], service("a.service", active=True)),
    socket("b.socket", ["/run/b.sock"], service("b.service", requires_socket=True)),
    socket("c.socket", ["/run/c1.sock", "/run/c2.sock", "/run/c3.sock"], service("c.service")),
    socket("d.socket", ["/run/d.sock"], None),  # Accept=yes
    socket("e.socket", ["/run/with space.sock"], service("other.service", executable="/bin/sh"), active="inactive"),
    socket("f.socket", ["/run/f.sock"], service("f.service", context=HTTPD)),
    socket("g.socket", [], service("g.service"), active="inactive"),  # TCP alone
    socket("h.socket", [], None, load="masked", active="inactive"),
    socket("i.socket", [], None, load="not-found", active="inactive"),
    socket("j.socket", [], service("j.service"), load="LOAD", active="inactive"),  # broken
    socket("k@1.socket", ["/run/k-1.sock"], service("k@1.service")),
    socket("l.socket", ["/run/l.sock"], service("l.service")),
    socket("m.socket", ["/run/m.sock"], service("m.service", executable="/bin/echo")),
    socket("n.socket", ["/run/n.sock"], service("n.service", context=HTTPD)),  # SELinuxContext=-...
]
# What differs, by what is asked; the columns are those of VERSIONS.
DIFFERS = {
    "load state of a broken unit": ("error",) + ("bad-setting",) * 6,
    "version": ("219", "239 (239-41.el8_3)", "239 (239-82.el8_10.2)", "v244.3-1.fc31", "v245.4-1.fc32",
                "252.39-1~deb12u2", "262-1"),
    "binary": ("219", "239 (239-41.el8_3)", "239 (239-82.el8_10.2)", "244 (v244.3-1.fc31)", "245 (v245.4-1.fc32)",
               "252 (252.39-1~deb12u2)", "262 (262-1)"),
    "refresh": (NEVER, NEVER, ON_POLICY_LOAD, NEVER, ON_DAEMON_RELOAD, ON_POLICY_LOAD, ON_POLICY_LOAD),
    "labels a left-behind file": (False,) + (True,) * 6,
    "takes --property=Type=oneshot": (False,) + (True,) * 6,
    "prints a context": (False,) * 3 + (True,) * 4,
}
# Exit status of start, restart and stop.
ORDERS = {"i.socket": (5, 5, 5), "h.socket": (1, 1, 0), "j.socket": (1, 1, 5), "g.socket": (0, 0, 0),
          "e.socket": (0, 0, 0)}


def expected(name, version):
    """Return what the table says for a version."""
    return DIFFERS[name][VERSIONS.index(version)]


@pytest.fixture(params=VERSIONS)
def recording(request):
    """Return the answers of each version in turn."""
    return RECORDINGS[request.param]


def asking(recording, **options):
    """Return a Systemd that is answered as this version did, and its runner."""
    runner = Recorded(recording, **options)
    return Systemd(runner), runner


# -- questions -------------------------------------------------------------------------------


@pytest.mark.parametrize("one", SOCKETS, ids=[one.unit for one in SOCKETS])
def test_a_socket_unit(recording, one):
    manager, _ = asking(recording)
    if one.load == "LOAD":
        one = one._replace(load=expected("load state of a broken unit", recording.version))
    assert manager.socket_units([one.unit]) == {one.unit: one}


def test_all_socket_units_at_once(recording):
    """Also as the answer to all of them together was recorded."""
    manager, runner = asking(recording)
    names = [one.unit for one in SOCKETS]
    found = manager.socket_units(names)
    assert {unit: one._replace(load="LOAD") if unit == "j.socket" else one for unit, one in found.items()} == {
        one.unit: one for one in SOCKETS}
    # Their services are asked for with them, but one with another name; 219 is asked again for each type.
    assert [one[1] for one in runner.asked].count("show") == (3 if recording.version == "219" else 2)
    manager, runner = asking(recording)
    manager.socket_units(["a.socket", "b.socket"])
    assert [one[1] for one in runner.asked].count("show") == (3 if recording.version == "219" else 1)
    # 219 was asked for a property too many as well, and ended there.
    together = [answer for command, _, answer in recording.commands
                if command.endswith("-- " + " ".join(names)) and answer.status == 0]
    assert len(together) == 1
    blocks = shownunits.parse_show(together[0].out)
    assert [(block["Id"], shownunits.listen_paths(block)) for block in blocks] == [
        ([one.unit], one.paths) for one in SOCKETS]


def test_219_is_asked_again_for_what_each_type_has():
    """It ends with 1 at any other property, and tells nothing of the units after that one."""
    recording = RECORDINGS["219"]
    _, runner = asking(recording)
    Systemd(runner).socket_units(["a.socket"])
    assert runner.asked.pop(0)[4:] == ["a.socket", "a.service"]
    asked = {unit: argv[2].split("=", 1)[1].split(",") for argv in runner.asked if argv[1] == "show"
             for unit in argv[4:]}
    assert set(asked) == {"a.socket", "a.service"}
    for unit, properties in asked.items():
        assert set(properties) <= set(recording.accepted_alone[unit])
    assert set(recording.accepted_alone["a.socket"]) != set(recording.accepted_alone["a.service"])


def test_the_context_is_asked_of_the_bus_only_where_it_is_not_printed(recording):
    for unit, context in (("a.socket", ""), ("f.socket", HTTPD), ("n.socket", HTTPD)):
        manager, runner = asking(recording)
        assert manager.socket_units([unit])[unit].service.context == context
        bus = [argv for argv in runner.asked if argv[0].endswith("busctl")]
        assert len(bus) == (not expected("prints a context", recording.version))
    for name, context in (("f", HTTPD), ("n", HTTPD), ("a", ""), ("i", "")):
        (said,) = recording.answers("busctl get-property org.freedesktop.systemd1 /org/freedesktop/systemd1/unit/"
                                    "%s_2eservice org.freedesktop.systemd1.Service SELinuxContext" % name)
        ignored = "true" if name == "n" else "false"
        assert (said.status, said.out) == (0, '(bs) %s "%s"\n' % (ignored, context))


@pytest.mark.parametrize("version", [one for one in VERSIONS if not expected("prints a context", one)])
def test_a_context_that_the_bus_does_not_tell_is_unknown(version):
    """What busctl says of a property that is not there is no context."""
    recording = RECORDINGS[version]
    missing = recording.answers("busctl get-property org.freedesktop.systemd1 /org/freedesktop/systemd1/unit/a_2eservice"
                                " org.freedesktop.systemd1.Service NoSuch")
    assert [answer.status for answer in missing] == [1]
    manager, _ = asking(recording, before=[("get-property", missing[0])])
    assert manager.socket_units(["a.socket"])["a.socket"].service.context is None


def test_the_label_from_the_net_is_read_from_the_unit_file(recording):
    """No version has such a property, in show or on the bus."""
    (shown,) = recording.answers("systemctl show --property=SELinuxContextFromNet -- a.socket")
    assert "SELinuxContextFromNet" not in shown.out
    (bus,) = recording.answers("busctl get-property org.freedesktop.systemd1 /org/freedesktop/systemd1/unit/g_2esocket"
                               " org.freedesktop.systemd1.Socket SELinuxContextFromNet")
    assert bus.status == 1
    manager, _ = asking(recording)
    assert [manager.takes_label_from_net(unit) for unit in ("a.socket", "g.socket", "i.socket")] == [False, True, None]


def test_a_template_among_the_names_is_refused_in_one_line(recording):
    """219 and the others each in other words; so it is never asked for."""
    refused = [answer for command, _, answer in recording.commands if "show" in command and "k@.socket" in command]
    assert refused
    for answer in refused:
        assert answer.status == 1
        assert "k@.socket" in failure(answer)
        assert "\n" not in failure(answer)


def test_the_paths_of_all_loaded_sockets(recording):
    found = asking(recording)[0].listening_paths()
    assert {unit: found[unit] for unit in ("a.socket", "c.socket", "k@1.socket", "l.socket")} == {
        one.unit: one.paths for one in SOCKETS if one.unit in ("a.socket", "c.socket", "k@1.socket", "l.socket")}
    assert "/run/dbus/system_bus_socket" in found["dbus.socket"]
    assert "/run/systemd/journal/stdout" in found["systemd-journald.socket"]
    assert all(path.startswith("/") and " (" not in path for paths in found.values() for path in paths)
    (nothing,) = recording.answers("systemctl show --property=Id,Listen -- nothing-matches-*.socket")
    assert (nothing.status, shownunits.parse_show(nothing.out)) == (0, [{}])


@pytest.mark.parametrize(("when", "targets"), [("booted", ()), ("no job queued", ()), ("jobs queued", ("slow.target",))])
def test_the_manager_and_its_jobs(recording, when, targets):
    """Exit status 1 of list-jobs without a message is an answer: 219 always ends so."""
    jobs = recording.answers("systemctl list-jobs --no-legend --no-pager --full", when)
    if not jobs:
        when = "booted"  # the same answer as before, and kept once
    manager = asking(recording, when={"list-jobs": when})[0].manager()
    assert manager == (expected("version", recording.version), "running", targets)
    assert {answer.status for answer in jobs} <= ({1} if recording.version == "219" else {0})


def test_active_units(recording):
    """245 prints blanks before the names, others after them."""
    units = asking(recording)[0].active_units()
    assert {"a.socket", "b.socket", "c.socket", "k@1.socket", "a.service", "sysinit.target"} <= set(units)
    assert not {"g.socket", "h.socket", "i.socket", "j.socket"} & set(units)
    assert all(unit.rpartition(".")[2] in ("automount", "device", "mount", "path", "scope", "service", "slice", "socket",
                                           "swap", "target", "timer") for unit in units)


def test_which_units_may_be_started(recording):
    manager = asking(recording)[0]
    assert {unit: manager.may_start(unit) for unit in ("a.socket", "e.socket", "h.socket", "i.socket", "j.socket")} == {
        "a.socket": True, "e.socket": True, "h.socket": False, "i.socket": False, "j.socket": False}


def test_versions_and_what_they_predict(recording):
    manager = asking(recording)[0]
    version = manager.version()
    assert version == expected("version", recording.version)
    assert manager.binary_version("/usr/lib/systemd/systemd") == expected("binary", recording.version)
    assert manager.container() is None

    def compare(one, other):
        # Of rpm's order only what 239-41 and 239-82 need.
        return int(one[2].split(".")[0]) - int(other[2].split(".")[0])

    for family in ("rhel", "fedora", "debian"):
        assert predict(version, Known(family, compare)).refresh == expected("refresh", recording.version)


# -- what was seen of labels, and what is predicted -------------------------------------------


def labels(recording, step):
    """Return (left, gone): the labels of a.sock after a step, its file left behind, and removed first."""
    left, gone, removed = [], [], False
    for command, when, answer in recording.commands:
        if when != "labels: after " + step:
            continue
        if command == "stat -c %C /run/a.sock":
            (gone if removed else left).append(answer.out.split(":")[2])
        removed = command.startswith("rm") or (removed and "restart" not in command)
    return left, gone


def test_the_prediction_is_what_was_seen(recording):
    """The mildest step after which PID 1 gives a new socket the label of a new rule."""
    after = {ON_POLICY_LOAD: "semanage fcontext -a", ON_DAEMON_RELOAD: "daemon-reload", NEVER: "daemon-reexec"}
    steps = ["semanage fcontext -a", "systemd-run", "daemon-reload", "daemon-reexec"]
    knows = [step for step in steps if labels(recording, step)[1][-1] == "httpd_runtime_t"]
    assert knows[0] == after[expected("refresh", recording.version)]
    assert knows == steps[steps.index(knows[0]):]
    left = set(labels(recording, "daemon-reexec")[0])
    assert left == ({"httpd_runtime_t"} if expected("labels a left-behind file", recording.version) else {"var_run_t"})


# -- orders ----------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", ORDERS)
def test_orders_that_fail_are_one_line(recording, unit):
    manager = asking(recording)[0]
    for verb, status in zip(("start", "restart", "stop"), ORDERS[unit]):
        assert recording.answer(["systemctl", verb, "--", unit]).status == status
        if not status:
            manager.order(verb, unit)
            continue
        with pytest.raises(CommandFailed) as raised:
            manager.order(verb, unit)
        assert "\n" not in str(raised.value)
        assert "\x1b" not in str(raised.value)
        assert unit in str(raised.value)


def test_a_restart_under_an_active_service_fails_in_one_line(recording):
    with pytest.raises(CommandFailed, match=r"restart -- a\.socket: exit status 1: Job .*failed") as raised:
        asking(recording)[0].order("restart", "a.socket")
    assert "\n" not in str(raised.value)


def test_a_look_up_that_every_version_takes(recording):
    """219 refuses --property=Type=oneshot, --wait, --pipe and --no-block."""
    manager, runner = asking(recording)
    manager.look_a_label_up()
    assert len(runner.asked) == 1
    former = recording.answer(["systemd-run", "--quiet", "--collect", "--property=Type=oneshot",
                               "--property=DefaultDependencies=no", "/bin/true"])
    assert (former.status == 0) == expected("takes --property=Type=oneshot", recording.version)
    for option in ("--wait", "--pipe", "--no-block"):
        refused = {answer.status for command, _, answer in recording.commands if option in command.split()
                   and command.endswith(("/bin/true", "hello"))}
        assert refused == ({1} if recording.version == "219" else {0})


# -- while PID 1 executes itself -------------------------------------------------------------


def test_every_message_while_pid_1_is_away_is_known(recording):
    """But what is an answer after all: that i.socket is not loaded."""
    said = [answer for command, answer in recording.away() if "not loaded" not in answer.err]
    assert len(said) > 5
    for answer in said:
        assert re.search(systemd._AWAY, answer.err), answer
        assert "\n" not in failure(answer)
        assert "\x1b" not in failure(answer)


ASKING = {
    "systemctl show --property=Version": lambda manager: manager.version(),
    "systemctl list-jobs --no-legend --no-pager --full": lambda manager: manager.manager(),
    "systemctl daemon-reload": lambda manager: manager.daemon_reload(),
    "systemctl start -- a.socket": lambda manager: manager.order("start", "a.socket"),
}


def test_it_is_asked_again(monkeypatch, recording):
    """With each message that was recorded for the command; a restart is not repeated."""
    monkeypatch.setattr(systemd, "_POLL", 0.001)
    tried = set()
    for command, answer in recording.away():
        verb = command.split()[1]
        if command in ASKING:
            manager, runner = asking(recording, before=[(verb, answer)] * 2)
            ASKING[command](manager)
            assert [argv[1] for argv in runner.asked].count(verb) == 3
            tried.add(command)
        elif verb == "restart":
            manager, runner = asking(recording, before=[(verb, answer)])
            with pytest.raises(CommandFailed, match=r"^[^\n\x1b]*\Z"):
                manager.order("restart", "m.socket")
            assert len(runner.asked) == 1
    assert {"systemctl show --property=Version", "systemctl daemon-reload"} <= tried


def test_after_a_reexec_it_waits_for_an_answer(monkeypatch, recording):
    monkeypatch.setattr(systemd, "_POLL", 0.001)
    away = [("--property=Version", answer) for answer in recording.answers("systemctl show --property=Version", AGAIN)
            if answer.status]
    assert away
    manager, runner = asking(recording, before=away)
    manager.daemon_reexec()
    assert [argv[1] for argv in runner.asked] == ["daemon-reexec"] + ["show"] * (len(away) + 1)
