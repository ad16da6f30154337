"""The guards of daemon-reexec: conditions under which PID 1 is not re-executed."""

from typing import NamedTuple, Optional, Tuple

from .labelcache import FRESH
from .systemd import RUN_INODES_NEEDED, RUN_SPACE_NEEDED

SELINUX_DISABLED = "selinux-disabled"
NOT_BOOTED = "not-booted-with-systemd"
CHROOT_OR_IMAGE = "chroot-or-image"
CONTAINER = "container"
CACHE_NOT_STALE = "cache-not-stale"
MILDER_REMEDY_WORKS = "milder-remedy-works"
MANAGER_BUSY = "manager-busy"
RUN_FULL = "run-full"
SYSTEMD_BROKEN = "systemd-broken"
ALREADY_DONE = "already-done"
SWITCHED_OFF = "switched-off"

# Any other means that it starts, stops, or cannot tell (systemctl(1), is-system-running).
_SETTLED_STATES = ("running", "degraded", "maintenance")


class Refusal(NamedTuple):
    """A guard that refuses, and why."""

    guard: str
    why: str


class Facts(NamedTuple):
    """What the guards ask about.

    ``free_inodes`` is None where there is no limit; ``unproven`` says why a cache that cannot be seen is not
    known to be outdated, and is None for any other.
    """

    cache: str
    milder: Optional[str]
    switched_off: Optional[str]
    container: Optional[str]
    already_done: bool
    manager_state: str
    target_jobs: Tuple[str, ...]
    free_bytes: int
    free_inodes: Optional[int]
    binary_failure: Optional[str]
    unproven: Optional[str] = None


def refuse(facts: Facts) -> Optional[Refusal]:
    """Return the first guard that refuses a re-exec, or None if it may go ahead."""
    if facts.cache == FRESH:
        return Refusal(CACHE_NOT_STALE, "PID 1's label cache is fresh")
    if facts.unproven:
        return Refusal(CACHE_NOT_STALE, facts.unproven)
    if facts.milder:
        return Refusal(MILDER_REMEDY_WORKS, facts.milder)
    if facts.already_done:
        return Refusal(ALREADY_DONE, "PID 1 was re-executed already, and its label cache is stale still")
    if facts.switched_off:
        return Refusal(SWITCHED_OFF, facts.switched_off)
    if facts.container:
        return Refusal(CONTAINER, "this is a container (%s); PID 1 may forget its services" % facts.container)
    if facts.manager_state not in _SETTLED_STATES:
        return Refusal(MANAGER_BUSY, "the manager is %s" % (facts.manager_state or "in a state that it does not tell"))
    if facts.target_jobs:
        return Refusal(MANAGER_BUSY, "jobs are queued for %s" % ", ".join(facts.target_jobs))
    if facts.free_bytes < RUN_SPACE_NEEDED:
        return Refusal(RUN_FULL, "only %d KiB are free on /run/systemd; PID 1 needs %d MiB for its state"
                       % (facts.free_bytes // 1024, RUN_SPACE_NEEDED >> 20))
    if facts.free_inodes is not None and facts.free_inodes < RUN_INODES_NEEDED:
        return Refusal(RUN_FULL, "only %d inodes are free on /run/systemd; PID 1 may need %d for its state"
                       % (facts.free_inodes, RUN_INODES_NEEDED))
    if facts.binary_failure:
        return Refusal(SYSTEMD_BROKEN, facts.binary_failure)
    return None
