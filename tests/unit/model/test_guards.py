import pytest

from foreman_selinux_helpers.model import guards
from foreman_selinux_helpers.model.guards import Conditions, Need, needless, refuse
from foreman_selinux_helpers.model.labelcache import FRESH, STALE, UNKNOWN, LabelCache, Wrong

CLEAR = Conditions(milder=None, switched_off=None, container=None, already_done=False, manager_state="running",
              target_jobs=(), free_bytes=1 << 30, free_inodes=100, binary_failure=None)


@pytest.mark.parametrize("conditions", [CLEAR, CLEAR._replace(manager_state="degraded"),
                                   CLEAR._replace(manager_state="maintenance"), CLEAR._replace(free_bytes=16 << 20),
                                   CLEAR._replace(free_inodes=None)])
def test_nothing_is_in_the_way(conditions):
    assert refuse(conditions) is None


@pytest.mark.parametrize(("change", "guard"), [
    ({"milder": "load the policy"}, guards.MILDER_REMEDY_WORKS),
    ({"switched_off": "the file says so"}, guards.SWITCHED_OFF),
    ({"container": "lxc"}, guards.CONTAINER),
    ({"already_done": True}, guards.ALREADY_DONE),
    ({"manager_state": "initializing"}, guards.MANAGER_BUSY),
    ({"manager_state": "starting"}, guards.MANAGER_BUSY),
    ({"manager_state": "stopping"}, guards.MANAGER_BUSY),
    ({"manager_state": "offline"}, guards.MANAGER_BUSY),
    ({"manager_state": "unknown"}, guards.MANAGER_BUSY),
    ({"manager_state": ""}, guards.MANAGER_BUSY),
    ({"target_jobs": ("reboot.target",)}, guards.MANAGER_BUSY),
    ({"free_bytes": (16 << 20) - 1}, guards.RUN_FULL),
    ({"free_inodes": 99}, guards.RUN_FULL),
    ({"binary_failure": "does not run"}, guards.SYSTEMD_BROKEN),
])
def test_each_guard_refuses_and_says_why(change, guard):
    refusal = refuse(CLEAR._replace(**change))
    assert refusal.guard == guard
    assert refusal.why


def cache(state, **more):
    return LabelCache(state, ["why"], **more)


WRONG = [Wrong("/run/foo.sock", None, "a:b:foo_t")]


@pytest.mark.parametrize(("need", "guard"), [
    (Need(cache(FRESH), None, None), guards.CACHE_NOT_STALE),
    (Need(cache(FRESH), None, None, helped=True), guards.MILDER_REMEDY_WORKS),
    (Need(cache(STALE, wrong=[]), None, None), guards.CACHE_NOT_STALE),
    (Need(cache(UNKNOWN, wrong=[]), None, None), guards.CACHE_NOT_STALE),
    (Need(cache(UNKNOWN), "it was re-executed since", None), guards.CACHE_NOT_STALE),
    # That it looks old proves nothing, nor that it cannot be seen.
    (Need(cache(STALE, unasked="no permission"), None, None), guards.NOT_PROVEN),
    (Need(cache(UNKNOWN), None, None, helped=True), guards.NOT_PROVEN),
    (Need(cache(STALE, wrong=WRONG), None, "it would label /run/foo.sock wrongly"), None),
    (Need(cache(UNKNOWN), None, "it made /run/foo.sock wrong"), None)])
def test_no_reexec_without_proof_that_it_is_needed(need, guard):
    refusal = needless(need)
    assert (refusal.guard if refusal else None) == guard
    assert refusal is None or (refusal.needless and refusal.why)
    assert "no permission" in refusal.why if need.cache.unasked else True
