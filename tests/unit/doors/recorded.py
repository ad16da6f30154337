"""What seven versions of systemd were recorded to answer (tests/recorded), as a Runner."""

import json
import re
from pathlib import Path

from foreman_selinux_helpers.doors.deadline import Deadline
from foreman_selinux_helpers.doors.run import Output, Runner
from foreman_selinux_helpers.model import shownunits

VERSIONS = ("219", "239-41", "239-82", "244", "245", "252", "262")
_DIRECTORY = Path(__file__).resolve().parents[2] / "recorded"
_OF_TYPE = {"socket": shownunits.SOCKET_PROPERTIES, "service": shownunits.SERVICE_PROPERTIES}
AGAIN = "again and again"  # while PID 1 executed itself


class Recording:
    """One version's answers."""

    def __init__(self, version):
        with open(str(_DIRECTORY / (version + ".json")), encoding="utf-8") as file:
            recorded = json.load(file)
        self.version = version
        self.units = recorded["units"]
        self.accepted_alone = recorded["accepted_alone"]
        self.commands = [(" ".join(one["argv"]), one["when"], Output(one["status"], one["out"], one["err"]))
                         for one in recorded["commands"]]

    def answers(self, command, when=""):
        """Return all answers to a command in the parts of the course whose name holds ``when``."""
        return [answer for asked, where, answer in self.commands if asked == command and when in where]

    def away(self):
        """Return (command, answer) of everything that failed while PID 1 executed itself."""
        return [(command, answer) for command, where, answer in self.commands
                if AGAIN in where and answer.status and answer.err]

    def answer(self, argv, when=""):
        """Return the answer to what our code asks; a question that was not recorded is an error.

        Programs were recorded without their directory, and ``systemctl cat`` without ``--``.  ``systemctl show``
        was recorded for each unit with a property more: see _show().  What was recorded of one unit alone (busctl's
        answer for a service without SELinuxContext=, and ``systemctl cat``) is answered for the others like it.
        """
        words = [argv[0] if argv[0].endswith("/systemd") else argv[0].split("/")[-1], *argv[1:]]
        if words[:2] == ["systemctl", "cat"]:
            words = [word for word in words if word != "--"]
        found = [answer for answer in self.answers(" ".join(words), when)
                 if (when or answer not in [one for _, one in self.away()])]
        if found:
            return found[0]
        if words[:2] == ["systemctl", "show"] and "--" in words:
            return self._show(words[2], words[4:])
        if words[:2] == ["systemctl", "cat"] and self.units.get(words[2], "").startswith("["):
            return Output(0, "# /etc/systemd/system/%s\n%s" % (words[2], self.units[words[2]]), "")
        if words[0] == "busctl" and words[-1] == "SELinuxContext" and self._has_no_context(words[-3]):
            return self.answer([*words[:-3], words[-3].rpartition("/")[0] + "/a_2eservice", *words[-2:]])
        raise AssertionError("systemd %s was not asked: %s" % (self.version, " ".join(argv)))

    def _has_no_context(self, path):
        """Tell whether this is the object path of one of the services, and one without SELinuxContext=."""
        name = re.sub("_([0-9a-f]{2})", lambda found: chr(int(found.group(1), 16)), path.rpartition("/")[2])
        at = name.replace("@1", "@")
        return at in self.units and name.endswith(".service") and "SELinuxContext=" not in self.units[at]

    def _show(self, properties, units):
        """Return the blocks of units, from answers to which this version ended with 0.

        What was recorded may hold properties more than are asked for here: their lines are dropped.  At a property
        that the type does not have 219 ends.
        """
        asked = properties.split("=", 1)[1].split(",")
        blocks = []
        for unit in units:
            kind = unit.rpartition(".")[2]
            wanted = [name for name in asked if name in _OF_TYPE[kind].split(",")]
            for command, where, answer in self.commands:
                words = command.split()
                if words[:2] == ["systemctl", "show"] and words[3:] == ["--", unit] and answer.status == 0 \
                        and set(wanted) <= set(words[2].split("=", 1)[1].split(",")) and AGAIN not in where:
                    blocks.append("".join(line + "\n" for line in answer.out.split("\n")
                                          if _is_asked(line.partition("=")[0], wanted)))
                    break
            else:
                raise AssertionError("systemd %s was not asked for %s of %s" % (self.version, properties, unit))
            if self.version == "219" and not set(asked) <= set(self.accepted_alone["a." + kind]):
                return Output(1, "\n".join(blocks), "")
        return Output(0, "\n".join(blocks), "")


def _is_asked(name, wanted):
    # 219 prints ListenStream= and the like when it is asked for Listen.
    return name in wanted or (name.startswith("Listen") and "Listen" in wanted)


class Recorded(Runner):
    """Answers as one version did; remembers what was asked.

    ``when``: a part of the course for some commands, by a word in them; ``before``: answers that come first.
    """

    def __init__(self, recording, when=None, before=()):
        super().__init__(Deadline(60.0))
        self.recording = recording
        self.when = when or {}
        self.before = list(before)
        self.asked = []

    def run(self, argv, stdin=None, limit=None):
        self.asked.append(list(argv))
        if self.before and self.before[0][0] in argv:
            return self.before.pop(0)[1]
        when = [where for word, where in self.when.items() if word in argv]
        return self.recording.answer(list(argv), when[0] if when else "")
