"""What shows whether PID 1 labels sockets by older rules than those on disk."""

import os

from ..doors import labelfiles, procfs
from ..doors.policydb import CompiledPolicy
from ..doors.run import Runner
from ..doors.systemd import Systemd
from ..model import labelcache, plan
from ..model.facts import Host, Observation
from ..model.filecontexts import type_of
from ..model.labelcache import STALE
from ..model.plan import Step
from ..model.refresh import NEVER, ON_DAEMON_RELOAD, ON_POLICY_LOAD, Prediction
from ..model.typed import TYPE_CHECKING, List, Optional, Value
from ..sources import observe
from . import attempts

if TYPE_CHECKING:
    from ..sources.detection import Detection

RENEWED = "PID 1 was re-executed since the rules on disk changed"
_SAME_ANSWERS = "the rules on disk have changed since PID 1 was re-executed, but not for the sockets here"
_NOT_CHANGED = "the rules on disk have not changed since PID 1 started"


class Milder(Value):
    """A remedy that is milder than a re-exec: why it is enough, and the command."""

    why: str
    command: str


class Evidence:
    """What is known of one PID 1's label cache; what is costly is asked only where it matters."""

    def __init__(self, host: Host, systemd: Systemd, runner: Runner) -> None:
        self.host = host
        self.systemd = systemd
        self._runner = runner
        self._detection: "Optional[Detection]" = None
        self.same = CompiledPolicy(host.root, host.policy or "").same

    @property
    def detection(self) -> "Detection":
        """Answers about the systemd of this host, needed only where its cache is not fresh."""
        if self._detection is None:
            from ..sources.detection import Detection

            self._detection = Detection(self.host.root, self.systemd, self._runner)
        return self._detection

    def outdated(self, seen: Observation) -> Optional[bool]:
        """Tell whether PID 1 labels by older rules, and will not renew them by itself; None: that is not known."""
        if self.host.offline or seen.cache.harmless:
            return False
        if seen.cache.state == STALE or seen.cache.wrong:
            if observe.renews_by_itself(seen, self.prediction()):
                return False
            told = seen.cache.wrong or self.proof(seen) or observe.policy_load_due(seen.cache_directory)
            return True if told else None
        if os.geteuid() != 0:
            return None
        why = self.why_current(seen)
        return None if why is None and self.prediction().refresh != NEVER else why is None

    def why_current(self, seen: Observation) -> Optional[str]:
        """Say why PID 1 must have today's rules although its label cache cannot be seen, or None."""
        if seen.cache.state != labelcache.UNKNOWN or seen.cache.wrong:
            return None
        done = attempts.load(procfs.mapped_at(1))
        if done.done_for(labelfiles.generation(seen.cache_directory)).reexecuted:
            return RENEWED
        wanted = observe.wanted_contexts(seen.views)
        if done.reexecuted and done.answers and wanted.items() <= done.answers.items():
            return _SAME_ANSWERS
        changed, started = labelfiles.changed_at(seen.cache_directory), procfs.booted_at()
        return _NOT_CHANGED if changed is not None and started is not None and changed < started else None

    def proof(self, seen: Observation) -> Optional[str]:
        """Say what proves that PID 1 labels by older rules, or None: that its cache only looks old proves nothing."""
        for one in seen.cache.wrong or ():
            return observe.would_label(one)
        for view in seen.views:
            if view.made_after_rules and view.held_by_init and view.path_wrong(self.same):
                return "PID 1 made %s after the rules had changed, and labelled it %s" % (
                    view.path, type_of(view.path_label or ""))
        never = seen.cache.wrong is None and self.prediction().refresh == NEVER and self.why_current(seen) is None
        return "this systemd is known never to renew its label cache, and the rules have changed" if never else None

    def prediction(self) -> Prediction:
        build = self.detection.running(self.host.offline)
        return Prediction(build.refresh, build.evidence)

    def steps(self, seen: Observation) -> List[Step]:
        """Return the planned remedies, without those that did not help with these rules before."""
        if not seen.relevant or (seen.cache.harmless and not plan.rule_steps(seen.decisions)):
            return []
        steps = plan.cache_steps(seen, observe.policy_load_due(seen.cache_directory), self.prediction().refresh,
                                 self.outdated(seen))
        if plan.rule_steps(seen.decisions):
            return steps
        vain = attempts.load(procfs.mapped_at(1)).done_for(labelfiles.generation(seen.cache_directory)).tried
        return [step for step in steps if step.step not in vain]

    def milder(self, seen: Observation) -> Optional[Milder]:
        """Say which milder remedy is still to be tried before a re-exec, or None."""
        if seen.cache.harmless:
            return None
        refresh, due = self.prediction().refresh, observe.policy_load_due(seen.cache_directory)
        if refresh == ON_POLICY_LOAD and due:
            return Milder("loading the policy is enough for this systemd", "load_policy")
        if refresh == ON_DAEMON_RELOAD and (seen.cache.state == STALE or due or self.proof(seen)):
            return Milder("this systemd renews its label cache at a daemon-reload", "systemctl daemon-reload")
        return None
