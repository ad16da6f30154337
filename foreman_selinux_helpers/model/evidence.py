"""The evidence that PID 1 labels sockets by older rules than those on disk.  Pure."""

from .facts import Facts
from .filecontexts import type_of
from .labelcache import STALE, UNKNOWN, Wrong
from .refresh import NEVER, ON_POLICY_LOAD
from .refresh import UNKNOWN as NOT_PREDICTED
from .typed import Optional

RENEWED = "PID 1 was re-executed since the rules on disk changed"
_SAME_ANSWERS = "the rules on disk have changed since PID 1 was re-executed, but not for the sockets here"
_NOT_CHANGED = "the rules on disk have not changed since PID 1 started"


def refresh(facts: Facts) -> str:
    """Return the refresh behaviour of the running systemd, or UNKNOWN."""
    return facts.init.build.refresh if facts.init.build else NOT_PREDICTED


def renews_by_itself(facts: Facts) -> bool:
    """Return whether PID 1 will renew a stale cache at its next label look-up.

    systemd 246 and later do that once the kernel has loaded a policy.
    """
    return refresh(facts) == ON_POLICY_LOAD and not facts.init.dates.policy_load_due


def outdated(facts: Facts) -> Optional[bool]:
    """Return whether PID 1 labels by older rules and will not renew them by itself; None: unknown."""
    cache = facts.cache
    if facts.host.offline or cache.harmless:
        return False
    if cache.state == STALE or cache.wrong:
        if renews_by_itself(facts):
            return False
        return True if cache.wrong or proof(facts) or facts.init.dates.policy_load_due else None
    if not facts.privileged:
        return None
    why = why_current(facts)
    return None if why is None and refresh(facts) != NEVER else why is None


def why_current(facts: Facts) -> Optional[str]:
    """Return why PID 1 must have the rules on disk although its label cache cannot be read, or None."""
    init, dates = facts.init, facts.init.dates
    if init.cache.state != UNKNOWN or init.cache.wrong:
        return None
    if init.attempts.done_for(init.generation).reexecuted:
        return RENEWED
    answers = init.attempts.answers
    if init.attempts.reexecuted and answers and facts.wanted_contexts.items() <= answers.items():
        return _SAME_ANSWERS
    changed, started = dates.rules_changed, dates.booted
    return _NOT_CHANGED if changed is not None and started is not None and changed < started else None


def proof(facts: Facts) -> Optional[str]:
    """Return what proves that PID 1 labels by older rules, or None; a cache that only looks old is no proof."""
    for wrong in facts.cache.wrong or ():
        return would_label(wrong)
    for view in facts.sockets:
        if view.seen.made_after_rules and view.seen.held_by_init and view.path_wrong(facts.same_type):
            return "PID 1 made %s after the rules had changed, and labelled it %s" % (
                view.path, type_of(view.seen.path_label or ""))
    never = facts.cache.wrong is None and refresh(facts) == NEVER and why_current(facts) is None
    return "this systemd is known never to renew its label cache, and the rules have changed" if never else None


def would_label(wrong: Wrong) -> str:
    """Describe the wrong label that PID 1 would give a socket."""
    return "PID 1 would label %s %s, not %s" % (
        wrong.path, type_of(wrong.held_answer or "") or "by no rule", type_of(wrong.expected or ""))
