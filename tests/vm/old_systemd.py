#!/usr/bin/python3 -ISE
"""Runs in the guest in place of systemctl, busctl and systemd-run: answers as an older systemd does.

It passes what it is asked on to the real program, that of systemd 252, and then gives output and exit status the shape that
239 and 219 were recorded to give them (tests/recorded; tests/unit/test_old_systemd.py compares the two).  Only our own
command is answered so; everybody else gets the real answer.  What our command asks and orders is logged.

For 219 it emulates one thing of PID 1 as well, whoever gives the order: a socket that is started while its old file is
left behind gets the label of the directory.
"""

import os
import re
import sys

DIRECTORY = "/usr/lib/old-systemd"  # the real programs, and the version
LOG = "/var/log/old-systemd.log"
VERSIONS = {"219": "219", "239-41": "239 (239-41.el8_3)", "239-82": "239 (239-82.el8_10.2)"}

# What 219's show takes of a unit of any type, and of these types besides; at any other it fails.
_OF_ANY = {"Id", "LoadState", "ActiveState", "SubState", "Triggers", "TriggeredBy", "Requires", "BindsTo", "SELinuxContext",
           "Names", "FragmentPath", "UnitFileState", "Result", "ControlGroup"}
_OF_TYPE = {"socket": {"Listen", "Accept", "Symlinks", "RemoveOnStop"}, "service": {"MainPID", "ExecStart"}}
_UNKNOWN_OPTIONS = {
    "systemctl": {"219": ("--value",)},
    "systemd-run": {"219": ("--wait", "--pipe", "--no-block")},
    "busctl": {"219": ("--json", "-j"), "239": ("--json", "-j")},
}


def refusal(version, program, arguments):
    """Return the (status, output, errors) of what this version does not take at all, or None."""
    for argument in arguments:
        option = argument.split("=")[0]
        if option in _UNKNOWN_OPTIONS[program].get(version.split("-")[0], ()):
            if option.startswith("--"):
                return 1, "", "%s: unrecognized option '%s'\n" % (program, argument)
            return 1, "", "%s: invalid option -- '%s'\n" % (program, option[1:])
    if version == "219" and program == "systemd-run":
        for argument in arguments:
            if argument.startswith(("--property=Type=", "--property=CollectMode=")):
                return 1, "", "Unknown assignment %s.\nFailed to create bus message: No such device or address\n" % (
                    argument.split("=", 1)[1])
    return None


def passed_on(version, program, arguments):
    """Return the arguments for the real program."""
    # 219 does not wait for the job.
    return ["--no-block", *arguments] if version == "219" and program == "systemd-run" else arguments


def shape(version, program, arguments, answer):
    """Return an answer of 252 as this version gives it."""
    status, out, err = answer
    if program == "busctl":
        missing = re.search(r"Unknown interface \S+ or property \S+\.", err)
        return (status, out, "Unknown property or interface.\n") if missing else answer
    if program == "systemd-run":
        return answer
    verb = arguments[0] if arguments else ""
    if verb == "show":
        return _show(version, arguments, answer)
    if verb == "list-jobs":
        return (1 if version == "219" else status), out, err
    if verb == "list-units":
        return status, out if version == "219" else _padded(out), err
    if verb in ("start", "stop", "restart"):
        return status, out, _order(version, arguments, err)
    return answer


def _padded(out):
    lines = out.split("\n")[:-1]
    width = max([len(line) for line in lines] or [0])
    return "".join(line.ljust(width) + "\n" for line in lines)


def _order(version, arguments, err):
    unit = arguments[-1]
    more = "\n" if version != "219" else " "
    err = re.sub(r"^Job failed\. See \"journalctl -xe\" for details\.", "Job for %s failed.%sSee \"systemctl status %s\" and "
                 "\"journalctl -xe\" for details." % (unit, more, unit), err)
    if version == "219":
        err = re.sub(r"Unit \S+ (is masked|not found)\.", r"Unit \1.", err)
        err = re.sub(r"Unit \S+ has a bad unit file setting\.", "Unit is not loaded properly: Invalid argument.", err)
    return err


def _show(version, arguments, answer):
    status, out, err = answer
    asked = {name for argument in arguments if argument.startswith("--property=")
             for name in argument.split("=", 1)[1].split(",")}
    units = arguments[arguments.index("--") + 1:] if "--" in arguments else []
    if not units:
        return status, re.sub("(?m)^Version=.*$", "Version=" + VERSIONS[version], out), err
    blocks = []
    for number, block in enumerate(out.strip("\n").split("\n\n")):
        lines = block.split("\n") if block else []
        # A pattern stands for units whose number is not known, and finds perhaps none.
        name = next((line[3:] for line in lines if line.startswith("Id=")), units[min(number, len(units) - 1)])
        if "*" in name:
            break
        blocks.append("".join(_line(version, line, name, lines) + "\n" for line in lines))
        kind = name.rpartition(".")[2]
        if version == "219" and not asked <= _OF_ANY | _OF_TYPE.get(kind, set()):
            status = 1
            break
    return status, "\n".join(blocks), err


def _line(version, line, unit, lines):
    name, _, value = line.partition("=")
    if name == "SELinuxContext":
        return name + "=[unprintable]"
    if name == "Triggers" and not value and "Accept=yes" in lines:
        return "Triggers=%s@0.service" % unit.rpartition(".")[0]
    if version == "219" and name == "Listen":
        path, _, kind = value[:-1].rpartition(" (")
        return "Listen%s=%s" % (kind, path)
    if version == "219" and line == "LoadState=bad-setting":
        return "LoadState=error"
    return line


# -- in the guest ----------------------------------------------------------------------------


def called_by_us():
    """Tell whether our command is the parent."""
    with open("/proc/%d/cmdline" % os.getppid(), "rb") as file:
        words = file.read().decode("utf-8", "replace").split("\0")
    return "python" in words[0] and any(word.endswith("/foreman-selinux-helpers") or "/libexec/foreman-selinux-helpers/" in word
                                        for word in words[1:3])


def left_behind(real, arguments):
    """Return the sockets' files that are there before an order, with their inodes."""
    import subprocess

    if not {"start", "restart"} & set(arguments):
        return {}
    units = [word for word in arguments if word.endswith(".socket")]
    out = subprocess.check_output([real, "show", "--property=Listen", "--", *units]) if units else b""
    paths = re.findall(r"(?m)^Listen=(/.*) \(", out.decode())
    return {path: os.lstat(path).st_ino for path in paths if os.path.lexists(path)}


def leave_wrong(paths):
    """Give those that were bound anew the label of their directory, as 219 leaves them."""
    for path, inode in paths.items():
        if os.path.lexists(path) and os.lstat(path).st_ino != inode:
            os.setxattr(path, "security.selinux", os.getxattr(os.path.dirname(path), "security.selinux"),
                        follow_symlinks=False)


def main():
    """Answer; return the exit status."""
    program, arguments = os.path.basename(sys.argv[0]), sys.argv[1:]
    real = os.path.join(DIRECTORY, program)
    with open(os.path.join(DIRECTORY, "version")) as file:
        version = file.read().strip()
    ours = called_by_us()
    left = left_behind(real, arguments) if version == "219" and program == "systemctl" else {}
    if not ours and not left:
        os.execv(real, [real, *arguments])
    import subprocess

    if not ours:
        status = subprocess.call([real, *arguments])
        leave_wrong(left)
        return status
    with open(LOG, "a") as log:
        log.write(" ".join([program, *arguments]) + "\n")
    answer = refusal(version, program, arguments)
    if answer is None:
        done = subprocess.run([real, *passed_on(version, program, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              check=False)
        leave_wrong(left)
        answer = shape(version, program, arguments, (
            done.returncode, *(said.decode("utf-8", "surrogateescape") for said in (done.stdout, done.stderr))))
    status, out, err = answer
    for stream, text in ((sys.stdout, out), (sys.stderr, err)):
        stream.buffer.write(text.encode("utf-8", "surrogateescape"))
        stream.flush()
    return status


if __name__ == "__main__":
    sys.exit(main())
