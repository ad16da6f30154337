"""The guests' emulation of an older systemd (tests/vm/old_systemd.py) gives 252's answers the recorded shape."""

import re

import pytest

from ..vm import old_systemd
from .doors.recorded import AGAIN, Recording

TODAY = Recording("252")
OLD = {version: Recording(version) for version in old_systemd.VERSIONS}
# What an answer says of that host and that moment, besides its shape.
_OF_THE_MOMENT = r"(?m)^(Requires|MainPID|ExecStart|SubState)=.*$"


def emulated(version, command):
    """Return the (status, output, errors) of the emulation, made of what 252 was recorded to answer."""
    program, *arguments = command.split()
    refused = old_systemd.refusal(version, program, arguments)
    if refused:
        return refused
    (answer,) = TODAY.answers(command)[:1]
    if version == "219" and "/bin/false" in command:  # not waited for
        answer = (0, "", "")
    return old_systemd.shape(version, program, arguments, tuple(answer))


def told(answer):
    """Return an answer without what differs from host to host."""
    return answer[0], re.sub(r"^\d+$", "PID", re.sub(_OF_THE_MOMENT, r"\1=", answer[1])), answer[2]


def common(version, *beginnings):
    """Return the commands that begin so, and that both versions were asked outside a re-exec."""
    asked = [command for command, when, _ in OLD[version].commands if AGAIN not in when and "labels" not in when]
    today = {command for command, when, _ in TODAY.commands if AGAIN not in when}
    found = sorted({command for command in asked if command.startswith(beginnings)
                    and (command in today or old_systemd.refusal(version, *_split(command)))})
    assert found
    return found


def _split(command):
    program, *arguments = command.split()
    return program, arguments


COMMANDS = [(version, command) for version in OLD for command in common(
    version, "systemctl show", "systemctl start --", "systemctl stop --", "systemctl restart", "systemd-run", "busctl")
    # A pattern finds other units there, and a template's name is asked for by nobody.
    if "*" not in command and "k@." not in command]


@pytest.mark.parametrize(("version", "command"), COMMANDS)
def test_an_answer_has_the_recorded_shape(version, command):
    recorded = told(OLD[version].answers(command)[0])
    assert told(emulated(version, command)) == recorded


@pytest.mark.parametrize("version", OLD)
def test_what_our_command_asks_is_among_them(version):
    asked = [command for one, command in COMMANDS if one == version]
    for beginning in ("systemctl show --property=Version", "systemctl show --property=Id,LoadState,ActiveState,SubState,R",
                      "systemd-run --quiet --collect --service-type=oneshot", "busctl get-property", "systemctl restart --"):
        assert any(command.startswith(beginning) for command in asked), beginning


@pytest.mark.parametrize("version", OLD)
def test_jobs_and_units(version):
    recorded = OLD[version].answers("systemctl list-jobs --no-legend --no-pager --full", "jobs queued")
    shaped = old_systemd.shape(version, "systemctl", ["list-jobs", "--no-legend"], (0, recorded[0].out, ""))
    assert shaped == tuple(recorded[0])
    units = emulated(version, "systemctl list-units --state=active --no-legend --no-pager --full --plain")[1].split("\n")[:-1]
    ours = OLD[version].answers("systemctl list-units --state=active --no-legend --no-pager --full --plain")[0].out.split("\n")[:-1]
    assert (len({len(line) for line in units}) == 1) == (len({len(line) for line in ours}) == 1)


@pytest.mark.parametrize("version", OLD)
def test_a_pattern(version):
    """The units that both have; their order is of the moment."""
    command = "systemctl show --property=Id,Listen -- *.socket"
    recorded = set(OLD[version].answers(command)[0].out.rstrip("\n").split("\n\n"))
    found = emulated(version, command)
    assert found[0] == 0
    shared = recorded & set(found[1].rstrip("\n").split("\n\n"))
    assert len([block for block in shared if re.search(r"(?m)^Id=([a-dlmn]|k@1)\.socket$", block)]) == 8
