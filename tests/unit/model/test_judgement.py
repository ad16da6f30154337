"""What is wrong with a socket where file modes count: facts in, reports out."""

import pytest

from foreman_selinux_helpers.model import causes, judgement
from foreman_selinux_helpers.model.access import Check, ClientFacts

from .test_modes import APACHE, OPEN, REFUSING
from .test_remedies import FRESH_CACHE, facts
from .test_sockets import BAD, GOOD, RIGHT, changed

DENIED = ClientFacts("httpd_t", "u:r:httpd_t:s0", [Check("/run/foo.sock", "sock_file", "write", GOOD, False, GOOD, False)],
                     [None])
ALLOWED = DENIED._replace(checks=[DENIED.checks[0]._replace(allowed=True, right_allowed=True)])


@pytest.mark.parametrize(("change", "client", "problem"), [
    ({}, None, causes.MODE_DENIES),
    ({}, ALLOWED, causes.MODE_DENIES),
    ({}, DENIED, causes.POLICY_DENIES),
    ({"reach": OPEN._replace(user=APACHE)}, DENIED, causes.POLICY_DENIES),
    ({"reach": OPEN._replace(user=APACHE)}, ALLOWED, None),
    ({"reach": REFUSING._replace(user=None)}, None, None),
    ({"reach": REFUSING._replace(unseen="why")}, None, None),
    ({"listening": False}, None, None),
    ({"listening": False, "foreign": True}, None, causes.MODE_DENIES),
    ({"path_label": BAD}, None, causes.MADE_BEFORE_RULE),  # labels come first
    ({"wanted_cause": causes.NO_SUCH_TYPE}, None, causes.MODE_DENIES),  # an idle profile names a user all the same
])
def test_file_modes_count_where_labels_and_policy_are_right(change, client, problem):
    view = changed(RIGHT, **dict({"reach": REFUSING}, **change))
    (report,) = judgement.reports(facts(FRESH_CACHE, sockets=(view,), clients={view.path: client} if client else {}))
    assert report.problem == problem


@pytest.mark.parametrize(("change", "words", "command"), [
    ({}, "SocketUser=, SocketGroup= or SocketMode=", "systemctl edit foo.socket"),
    ({"listening": False, "foreign": True}, "the program that made /run/foo.sock decides its owner and mode", None),
])
def test_the_remedy_is_the_administrators(change, words, command):
    view = changed(RIGHT, reach=REFUSING, **change)
    (report,) = judgement.reports(facts(FRESH_CACHE, sockets=(view,)))
    assert report.command == command
    assert report.remedy.startswith(words)
    assert command is None or report.remedy.endswith(": " + command)


def test_what_could_not_be_read_is_told():
    view = changed(RIGHT, reach=OPEN._replace(unseen="who may connect: why"))
    assert facts(FRESH_CACHE, sockets=(view,)).unseen == ["who may connect: why"]
