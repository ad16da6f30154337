"""The survey: every socket of a host, with a profile or without; what is mended of it, and what is only named."""

from .test_story import assert_right

# A unit without a profile, whose path the policy labels httpd_runtime_t; its service is not interrupted.
UNIT = b"""[Socket]
ListenStream=/run/httpd.survey.sock
"""
SERVICE = b"""[Unit]
Requires=survey.socket
[Service]
ExecStart=/bin/sleep infinity
"""
LISTEN = ("systemd-run --quiet --unit=stranger --service-type=exec /usr/bin/python3 -Ic 'import socket, time;"
          ' s = socket.socket(socket.AF_UNIX); s.bind("/run/httpd.stranger.sock"); s.listen(1); time.sleep(9999)\'')


def label(guest, path):
    return guest.check("stat -c %%C %s" % path).strip()


def survey(guest, status=None):
    found = guest.tool("status", "--all")
    assert status is None or found["status"] == status, found
    return found, {socket["path"]: socket for socket in found["sockets"]}


def test_every_socket_of_a_host(boot, install, demo):
    with boot() as guest:
        install(guest, demo("foreman"))
        assert_right(guest, "foreman")
        guest.put("/etc/systemd/system/survey.socket", UNIT)
        guest.put("/etc/systemd/system/survey.service", SERVICE)
        guest.check("systemctl daemon-reload && systemctl start survey.socket survey.service")
        found, sockets = survey(guest, 0)
        listening = guest.check("systemctl show --property=Listen '*.socket'")
        paths = {line.split("=")[1].split(" (")[0] for line in listening.splitlines()
                 if line.startswith("Listen=/") and line.endswith(("(Stream)", "(Datagram)", "(SequentialPacket)"))}
        assert paths <= set(sockets), "every path of every loaded unit"
        assert sockets["/run/foreman.sock"]["profile"] == "foreman"
        own = sockets["/run/httpd.survey.sock"]
        assert (own["unit"], own["profile"], own["problem"]) == ("survey.socket", None, None)
        assert own["path_label"] == own["expected"]

        # Labelled by hand, and a socket that no unit makes.
        guest.check("chcon -t var_run_t /run/httpd.survey.sock && %s" % LISTEN)
        guest.check("for i in $(seq 50); do test -S /run/httpd.stranger.sock && exit 0; sleep 0.2; done; exit 1")
        guest.check("chcon -t var_run_t /run/httpd.stranger.sock")
        found, sockets = survey(guest, 1)
        assert found["sockets"][0]["path"] == "/run/httpd.survey.sock", "what is wrong comes first"
        assert found["sockets"][0]["problem"] == "made-before-rule"
        assert {socket["path"] for socket in found["foreign"]} == {"/run/httpd.stranger.sock"}
        assert guest.tool("status")["status"] == 0, "profiles alone"

        main = guest.check("systemctl show --property=MainPID --value survey.service")
        started = guest.check("systemctl show --property=ActiveEnterTimestampMonotonic --value survey.socket")
        planned = guest.tool("repair", "--all", "--dry-run")
        assert [(step["step"], step["target"]) for step in planned["plan"]] == [("relabel", "/run/httpd.survey.sock")]
        assert label(guest, "/run/httpd.survey.sock").split(":")[2] == "var_run_t"
        done = guest.tool("repair", "--all")
        assert (done["status"], done["changed"]) == (0, True), done
        assert label(guest, "/run/httpd.survey.sock").split(":")[2] != "var_run_t"
        assert label(guest, "/run/httpd.stranger.sock").split(":")[2] == "var_run_t", "that is only named"
        assert main == guest.check("systemctl show --property=MainPID --value survey.service")
        assert started == guest.check("systemctl show --property=ActiveEnterTimestampMonotonic --value survey.socket")
        again = guest.tool("repair", "--all")
        assert (again["plan"], again["changed"], again["status"]) == ([], False, 0)
