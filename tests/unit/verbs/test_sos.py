"""The story told from a report alone: through the command, on hosts that sos has reported."""

import json

import pytest

from foreman_selinux_helpers import cli
from foreman_selinux_helpers.doors import packages, selinuxlib
from foreman_selinux_helpers.model.errors import HelperError

from ... import reports, schema

SOCKET = "/run/foreman.sock"


@pytest.fixture
def run(tmp_path, capfd, monkeypatch):
    """Return a function that runs a verb on a report, and returns its status, document and text."""
    def missing():
        raise HelperError("it is missing")
    monkeypatch.setattr(selinuxlib, "binding", missing)  # libselinux keeps one root for each process
    if packages.evr_comparison() is None:  # rpm's binding is missing: 239-41 is compared with 239-44
        monkeypatch.setattr(packages, "evr_comparison", lambda: lambda evr, other: (
            int(evr[2].split(".")[0]) - int(other[2].split(".")[0])))

    def call(files, *argv, packed=True):
        place = reports.archive(tmp_path / "report.tar.xz", files) if packed else reports.directory(tmp_path, files)
        status = cli.main([*argv, "--sos", str(place), "--json"])
        document = json.loads(capfd.readouterr().out)
        schema.check(document)
        assert document["source"] == "sos"
        again = cli.main([*argv, "--sos", str(place)])
        printed = capfd.readouterr()
        assert again == status
        return status, document, printed.out
    return call


@pytest.mark.parametrize("packed", [True, False])
def test_the_story_from_the_report_of_a_stale_host(run, packed):
    """The rules are right, and PID 1 of EL 8.3 has not read them: as it was found, from a report alone."""
    status, document, text = run(reports.el8(), "explain", SOCKET, packed=packed)
    assert (status, document["cause"], document["unit"]) == (1, "label-cache-stale", "foreman.socket")
    assert document["remedy"] == "foreman-selinux-helpers reexec"
    assert document["canonical"] == "/var/run/foreman.sock"
    assert document["rule"]["file"] == "/etc/selinux/targeted/contexts/files/file_contexts"
    assert (document["rule"]["line"], document["rule"]["file_type"]) == (4, "socket")
    assert document["substitutions"][0]["file"] == "/etc/selinux/targeted/contexts/files/file_contexts.subs_dist"
    assert document["path_label"] == "system_u:object_r:var_run_t:s0"
    assert document["label_cache"]["state"] == "stale"
    assert document["refresh"]["refresh"] == "NEVER"
    assert [denial["comm"] for denial in document["denials"]] == ["httpd"]
    assert any("this program worked out which rules win" in note for note in document["notes"])
    assert "how to repair it\n    foreman-selinux-helpers reexec\n" in text


def test_every_socket_of_a_report(run):
    status, document, text = run(reports.el8(), "status", "--all")
    found = {socket["path"]: socket for socket in document["sockets"]}
    assert status == 1
    assert (found[SOCKET]["problem"], found[SOCKET]["profile"]) == ("label-cache-stale", None)
    assert found[SOCKET]["expected"] == "system_u:object_r:foreman_var_run_t:s0"
    # Nothing tells the label of this one, nor what PID 1 would give it.
    assert (found["/run/chatty.dgram"]["problem"], found["/run/chatty.dgram"]["exists"]) == (None, None)
    assert "/run/chatty.dgram: the report does not tell its label" in document["unseen"]
    assert "not seen: the report does not tell" in text
    assert "permission" not in text


def test_a_systemd_that_renews_its_cache_leaves_the_label_to_mend(run):
    status, document, _ = run(reports.el9(), "status", "--all")
    (wrong,) = [socket for socket in document["sockets"] if socket["problem"]]
    assert (status, wrong["problem"], wrong["remedy"]) == (
        1, "made-before-rule", "foreman-selinux-helpers restart foreman.socket")


def test_who_is_stale(run):
    status, document, _ = run(reports.el8(), "stale")
    assert status == 1
    assert {process["pid"]: process["state"] for process in document["processes"]} == {1: "stale", 801: "stale"}
    assert document["processes"][0]["renew"] == "foreman-selinux-helpers reexec"
    assert document["fresh"] == 1


def test_versions(run):
    status, document, _ = run(reports.debian(), "detect")
    assert (status, document["running"]["version"], document["running"]["refresh"]) == (
        0, "252.39-1~deb12u2", "ON_POLICY_LOAD")
    assert (document["installed"]["evr"], document["libselinux"]) == ("252.39-1~deb12u2", "3.4-1+b6")


def test_profiles_of_the_report(run):
    profile = "[foreman.socket]\ntype = foreman_var_run_t\nclient = httpd_t\n"
    files = dict(reports.el8(), **{"usr/share/foreman-selinux-helpers/profiles.d/foreman.conf": profile,
                                   "etc/foreman-selinux-helpers/profiles.d/odd.conf": "[odd\n"})
    del files["etc/selinux/targeted/policy/policy.31"]  # an empty policy, that has not the type
    status, document, _ = run(files, "status")
    (socket,) = document["sockets"]
    assert (status, socket["profile"], socket["problem"]) == (1, "foreman", "label-cache-stale")
    assert any("odd.conf" in line for line in document["unseen"])


@pytest.mark.parametrize("verb", [["status"], ["explain", SOCKET]])
def test_without_rules_nothing_is_said_of_labels(tmp_path, capfd, verb):
    place = reports.archive(tmp_path / "report.tar.gz", reports.debian(), "gz")
    assert cli.main([*verb, "--sos", str(place)]) == 1
    printed = capfd.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert "rules for labels" in printed.err


def test_a_host_without_selinux(run):
    status, document, _ = run(reports.without_selinux(), "status")
    assert (status, document["sockets"]) == (0, [])
    assert "SELinux was disabled on that host" in document["notes"]


@pytest.mark.parametrize("argv", [
    ["repair"], ["register"], ["unregister"], ["reexec"], ["restart", "foo.socket"], ["status", "--root", "/tmp"],
    ["status", "--all", "foreman"]])
def test_what_takes_no_report(tmp_path, capfd, argv):
    place = reports.directory(tmp_path, reports.el9())
    assert cli.main([*argv, "--sos", str(place)]) == 2
    assert capfd.readouterr().err.count("\n") == 1


def test_lint_takes_no_report(tmp_path, capfd):
    (tmp_path / "a.fc").write_text("")
    assert cli.main(["lint", str(tmp_path / "a.fc"), "--sos", str(tmp_path)]) == 2
    assert "takes no --sos" in capfd.readouterr().err


def test_what_is_no_report(tmp_path, capfd):
    for place in ("/nonexistent", str(tmp_path), "/dev/null", ""):
        assert cli.main(["stale", "--sos", place]) == 2
        assert capfd.readouterr().err.count("\n") == 1
