import pytest

from foreman_selinux_helpers.model import causes
from foreman_selinux_helpers.model.sockets import (
    RELABEL_ONLY,
    Executable,
    Seen,
    SocketView,
    Wanted,
    actions,
    new_label,
    problem,
)

GOOD, BAD, INIT = ("system_u:object_r:%s:s0" % name for name in ("foo_t", "var_run_t", "initrc_t"))
RIGHT = SocketView(
    "foo.socket", "foo", "/run/foo.sock", GOOD, Seen(True, True, True, GOOD, INIT, in_use=True),
    Wanted("foo_t", GOOD, INIT))


def changed(view, **change):
    """Return another view of a socket; what is wanted is named so: ``wanted_context``."""
    wanted = {name[len("wanted_"):]: change.pop(name) for name in list(change) if name.startswith("wanted_")}
    seen = {name: change.pop(name) for name in list(change) if name in Seen._fields}
    return view._replace(seen=view.seen._replace(**seen), wanted=view.wanted._replace(**wanted), **change)


def steps(view, executable=None):
    found, rest = actions([view], executable, str.__eq__)
    return [one.step for one in found], len(rest)


@pytest.mark.parametrize(("change", "stale", "cause"), [
    ({}, False, None),
    ({}, True, causes.LABEL_CACHE_STALE),
    ({"in_use": False, "listening": False}, True, None),
    ({"path_label": BAD}, True, causes.LABEL_CACHE_STALE),
    ({"path_label": BAD}, False, causes.MADE_BEFORE_RULE),
    ({"path_label": BAD, "held_by_init": False}, False, causes.NOT_MADE_BY_SYSTEMD),
    ({"path_label": None}, False, causes.NO_LABEL_SUPPORT),
    ({"path_label": None, "exists": False}, False, None),
    ({"socket_label": BAD}, False, causes.SOCKET_LABEL),
    ({"socket_label": None}, False, None),
    ({"wanted_socket_label": None, "socket_label": BAD}, False, None),
    ({"path_label": BAD, "made_after_rules": True}, False, causes.MADE_BEFORE_RULE),
    ({"wanted_cause": causes.ALIASED_PATH, "path_label": BAD}, False, causes.ALIASED_PATH),
    # Its profile is idle: whether the client gets in is all that counts.
    ({"wanted_cause": causes.NO_SUCH_TYPE}, False, None), ({"wanted_cause": causes.NO_SUCH_TYPE}, True, None),
    ({"wanted_cause": causes.NO_SUCH_TYPE, "path_label": BAD}, False, None),
    ({"wanted_cause": causes.NO_SUCH_TYPE, "in_use": False}, False, None),
    ({"path_label": "user_u:object_r:foo_t:s0"}, False, None),  # restorecon leaves the user alone, too
])
def test_causes(change, stale, cause):
    assert problem(changed(RIGHT, **change), stale, str.__eq__) == cause


def test_a_socket_made_wrong_after_the_rules_shows_that_the_cache_is_not_renewed():
    wrong = changed(RIGHT, path_label=BAD, made_after_rules=True)
    assert problem(wrong, False, str.__eq__, cache_outdated=True) == causes.LABEL_CACHE_STALE
    assert problem(RIGHT, False, str.__eq__, cache_outdated=True) is None


@pytest.mark.parametrize(("change", "expected"), [
    ({}, ([], 0)),
    ({"path_label": BAD}, (["restart"], 0)),
    ({"path_label": BAD, "service_active": True}, (["relabel"], 0)),
    ({"path_label": BAD, "service_active": True, "wanted_restart": "always"}, (["restart"], 0)),
    ({"path_label": BAD, "wanted_restart": "never"}, (["relabel"], 0)),
    ({"socket_label": BAD, "service_active": True}, (["restart"], 0)),
    ({"socket_label": BAD, "wanted_restart": "never"}, ([], 1)),
    ({"socket_label": BAD, "path_label": BAD, "wanted_restart": "never"}, (["relabel"], 1)),
    ({"path_label": BAD, "listening": False}, ([], 0)),
    ({"path_label": BAD, "wanted_context": None}, ([], 0)),
])
def test_the_mildest_thing_that_mends_it(change, expected):
    assert steps(changed(RIGHT, **change)) == expected


@pytest.mark.parametrize(("change", "expected"), [
    ({"path_label": BAD}, (["relabel"], 0)),
    ({"path_label": BAD, "wanted_restart": "always"}, (["relabel"], 0)),
    ({"path_label": BAD, "socket_label": BAD}, (["restart", "relabel"], 0)),
    ({"socket_label": BAD}, (["restart", "relabel"], 0)),
    ({"socket_label": BAD, "wanted_restart": "never"}, ([], 1)),
    ({"socket_label": BAD, "keeps_labels": False}, (["restart"], 0)),
    ({}, ([], 0)),
])
def test_nothing_is_made_anew_by_outdated_rules_without_being_relabelled(change, expected):
    found, rest = actions([changed(RIGHT, **change)], None, str.__eq__, cache_stale=True)
    assert ([one.step for one in found], len(rest)) == expected


def test_the_executable_is_relabelled_before_the_restart():
    wrong = Executable("/usr/bin/foo", BAD, GOOD)
    assert steps(changed(RIGHT, socket_label=BAD), wrong) == (["relabel-executable", "restart"], 0)
    assert steps(RIGHT, wrong._replace(label=GOOD)) == ([], 0)


def test_aliases_count_as_the_same_type():
    assert problem(changed(RIGHT, path_label=BAD), False, lambda one, other: True) is None


ALONE = changed(RIGHT, profile="", wanted_restart=RELABEL_ONLY, wanted_type="")


@pytest.mark.parametrize(("change", "steps", "left"), [
    ({}, [], 0),
    ({"path_label": BAD}, ["relabel"], 0),
    ({"path_label": BAD, "service_active": True}, ["relabel"], 0),
    ({"socket_label": BAD}, [], 1),
    ({"socket_label": BAD, "path_label": BAD}, ["relabel"], 1),
    ({"path_label": BAD, "listening": False, "foreign": True}, ["relabel"], 0),
    ({"path_label": BAD, "keeps_labels": False}, [], 0),
])
def test_a_socket_without_a_profile_is_relabelled_and_nothing_more(change, steps, left):
    program = Executable("/usr/bin/foo", BAD, GOOD)
    for stale in (False, True):
        found, by_hand = actions([changed(ALONE, **change)], program, str.__eq__, stale)
        assert ([action.step for action in found], len(by_hand)) == (steps, left)
        assert all("a unit without a profile is not restarted" in line for line in by_hand)


@pytest.mark.parametrize(("label", "new"), [
    ("system_u:object_r:var_run_t:s0", GOOD),
    ("unconfined_u:object_r:var_run_t:s0:c1,c2", "unconfined_u:object_r:foo_t:s0:c1,c2"),
    ("user_u:object_r:var_run_t", "user_u:object_r:foo_t"),
    ("odd", GOOD)])
def test_without_a_profile_the_type_alone_changes(label, new):
    assert new_label(changed(ALONE, path_label=label)) == new
    assert new_label(changed(RIGHT, path_label=label)) == GOOD
