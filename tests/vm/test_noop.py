"""What a repair with nothing to do loads and starts: that is paid in every RPM transaction, so growth has to be seen."""

from .test_story import assert_right

# By room; a package of ours is loaded with its modules.
LOADED = {
    "": "cli",
    "doors": "deadline filemodes interrupts labeldatabase labelfiles labels log ownership policydb policystore procfs "
             "profilefiles restartjournal run runfiles scratch selinuxlib stderr systemd trust unixsockets users",
    "model": "access attempts causes decisions equivalence errors evidence facts filecontexts guards judgement labelcache "
             "layout modes origin outcome plan profiles record refresh remedies rules shownunits sockets typed units wants",
    "repair": "converge",
    "sources": "clients filecontexts host hostkind sockets",
    "verbs": "context documents parts repair text",
}
# What has been loaded without need before, or takes long.
NOT_LOADED = {"argparse", "configparser", "ctypes", "distro", "json", "logging", "packaging", "random", "rpm", "semanage",
              "sepolgen", "socket", "tempfile", "textwrap", "traceback", "typing"}
PROGRAM = """
import sys
from foreman_selinux_helpers.cli import main
status = main(["--quiet", "repair"])
print(status, *sorted(sys.modules))
"""


def test_what_a_repair_with_nothing_to_do_costs(boot, install, demo):
    with boot() as guest:
        install(guest, demo("foreman"))
        assert_right(guest, "foreman")
        status, *modules = guest.check(["/usr/bin/python3", "-Ic", PROGRAM]).split()
        assert status == "0"
        ours = {name.partition(".")[2] for name in modules if name.startswith("foreman_selinux_helpers.")}
        assert ours - set(LOADED) == {
            "%s.%s" % (room, name) if room else name for room, names in LOADED.items() for name in names.split()}
        assert NOT_LOADED & set(modules) == set()
        guest.check("strace -f -e trace=execve -o /root/trace foreman-selinux-helpers --quiet repair")
        started = [line.split('"')[1] for line in guest.check("grep 'execve(.*= 0$' /root/trace").splitlines()]
        assert started[1:] == ["/usr/bin/systemctl"]
