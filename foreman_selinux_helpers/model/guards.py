"""The guards of daemon-reexec: conditions under which PID 1 is not re-executed.  Pure."""

from . import labelcache
from .labelcache import LabelCache
from .typed import Callable, Optional, Sequence, Tuple, Value

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
NOT_PROVEN = "not-proven"
SWITCHED_OFF = "switched-off"

# Bytes.  systemd refuses below this (RELOAD_DISK_SPACE_MIN, since 233); 219 would freeze.
RUN_SPACE_NEEDED = 16 * 1024 * 1024
# One is for its state.  Generators also create their units anew, mounts included; without inodes these are lost.
RUN_INODES_NEEDED = 100
# Any other state means that it is starting, stopping or unknown (systemctl(1), is-system-running).
_SETTLED_STATES = ("running", "degraded", "maintenance")


class Refusal(Value):
    """The guard that refuses, and the reason; ``needless``: there is no evidence that a re-exec is needed."""

    guard: str
    why: str
    needless: bool = False


class Need(Value):
    """The evidence for and against a re-exec.

    ``current``: why PID 1 must have the rules on disk although its cache cannot be read, or None.  ``proof``: what
    proves that it labels by older rules, or None.  ``helped``: a milder remedy was taken in this run.
    """

    cache: LabelCache
    current: Optional[str]
    proof: Optional[str]
    helped: bool = False


def why_harmless(cache: LabelCache) -> str:
    """Return why a harmless label cache needs no remedy."""
    return "PID 1's label cache is fresh" if cache.state == labelcache.FRESH else \
        "PID 1's label cache is old, and gives every socket here the right label"


def needless(need: Need) -> Optional[Refusal]:
    """Return the refusal of a re-exec that is not needed, or None if it is needed."""
    if need.cache.harmless or (need.current and need.proof is None):
        guard = MILDER_REMEDY_WORKS if need.helped else CACHE_NOT_STALE
        return Refusal(guard, need.current or why_harmless(need.cache), True)
    if need.proof is None:
        looks = "only looks outdated" if need.cache.state == labelcache.STALE else "cannot be seen"
        return Refusal(NOT_PROVEN, "PID 1's label cache %s, and nothing shows that it labels a socket wrongly%s" % (
            looks, " (%s)" % need.cache.unasked if need.cache.unasked else ""), True)
    return None


class Conditions(Value):
    """What the other guards check; ``free_inodes`` is None if the file system has no limit."""

    milder: Optional[str]
    switched_off: Optional[str]
    container: Optional[str]
    already_done: bool
    manager_state: str
    target_jobs: Tuple[str, ...]
    free_bytes: int
    free_inodes: Optional[int]
    binary_failure: Optional[str]


def _busy(conditions: Conditions) -> Optional[str]:
    if conditions.manager_state not in _SETTLED_STATES:
        return "the manager is %s" % (conditions.manager_state or "in an unknown state")
    return "jobs are queued for %s" % ", ".join(conditions.target_jobs) if conditions.target_jobs else None


def _full(conditions: Conditions) -> Optional[str]:
    if conditions.free_bytes < RUN_SPACE_NEEDED:
        return "only %d KiB are free on /run/systemd; PID 1 needs %d MiB for its state" % (
            conditions.free_bytes // 1024, RUN_SPACE_NEEDED >> 20)
    if conditions.free_inodes is not None and conditions.free_inodes < RUN_INODES_NEEDED:
        return "only %d inodes are free on /run/systemd; PID 1 may need %d for its state" % (
            conditions.free_inodes, RUN_INODES_NEEDED)
    return None


# The guards of a needed re-exec, in the order in which they are checked.  Each returns why it refuses, or None.
GUARDS: Sequence[Tuple[str, Callable[[Conditions], Optional[str]]]] = (
    (MILDER_REMEDY_WORKS, lambda conditions: conditions.milder),
    (ALREADY_DONE, lambda conditions: "PID 1 was already re-executed, and its label cache is still stale"
     if conditions.already_done else None),
    (SWITCHED_OFF, lambda conditions: conditions.switched_off),
    (CONTAINER, lambda conditions: "this is a container (%s); PID 1 may forget its services" % conditions.container
     if conditions.container else None),
    (MANAGER_BUSY, _busy),
    (RUN_FULL, _full),
    (SYSTEMD_BROKEN, lambda conditions: conditions.binary_failure),
)


def refuse(conditions: Conditions) -> Optional[Refusal]:
    """Return the first guard that refuses a re-exec that is needed, or None if it may go ahead."""
    for guard, refuses in GUARDS:
        why = refuses(conditions)
        if why:
            return Refusal(guard, why)
    return None
