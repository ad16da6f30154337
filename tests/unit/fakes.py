"""A host that remembers what was done to it: one stand-in for each door that the flow goes through."""

from foreman_selinux_helpers.doors import attempts, labelfiles, labels, procfs, restartjournal
from foreman_selinux_helpers.doors import systemd as door
from foreman_selinux_helpers.doors.deadline import Deadline
from foreman_selinux_helpers.doors.log import Log
from foreman_selinux_helpers.doors.run import Runner
from foreman_selinux_helpers.model.errors import CommandFailed
from foreman_selinux_helpers.model.facts import Dates, Facts, Host, InitFacts, RuleFacts
from foreman_selinux_helpers.model.labelcache import FRESH, STALE, LabelCache, Wrong
from foreman_selinux_helpers.model.record import Record
from foreman_selinux_helpers.model.refresh import ON_POLICY_LOAD, Build
from foreman_selinux_helpers.model.units import SocketUnit
from foreman_selinux_helpers.repair.converge import Converge
from foreman_selinux_helpers.repair.pid1 import Pid1
from foreman_selinux_helpers.sources.host import HostSource
from foreman_selinux_helpers.verbs import status

from .model.test_guards import CLEAR
from .model.test_sockets import RIGHT

HOST = Host("/", "targeted", True, True, None)
# When the host was booted, in seconds since the epoch.
BOOTED = 1000.0


class Systemd:
    """The manager: it notes its orders."""

    def __init__(self, world):
        self.world = world
        self.hopeless = set()  # units that cannot be started

    def look_a_label_up(self):
        self.world.do("look-a-label-up")

    def daemon_reload(self):
        self.world.do("daemon-reload")

    def daemon_reexec(self):
        self.world.do("daemon-reexec")

    def order(self, verb, unit, surely=False):
        self.world.order(verb, unit)

    def may_start(self, unit):
        return unit not in self.hopeless

    def socket_units(self, units):
        return dict.fromkeys(units, self.world.unit)

    def listening_paths(self):
        return {}

    def active_units(self):
        return ["a.service"]

    def check_time(self):
        pass

    def running(self, offline):
        """Return the build, as sources/systemdbuild.Detection does."""
        return Build("239", None, self.world.refresh, ["because"])


class Source(HostSource):
    """The source of facts: what it reads is what the world says."""

    def __init__(self, world):
        super().__init__(HOST, [], None, Runner(Deadline(60)))
        self.world = world
        self.systemd = self._detection = Systemd(world)
        self.same_type = str.__eq__

    def read(self):
        world = self.world
        facts = Facts(HOST, RuleFacts(Record({}, {}), (), world.decisions), InitFacts(world.cache(), "/dir", world.dates),
                      str.__eq__, world.privileged, {"foo.socket": world.unit}, world.views or (world.view,),
                      stopped=restartjournal.units())
        return self._read_build(facts)

    def read_rules(self):
        return self.read()

    def read_cache(self, facts, others=()):
        return self._read_build(facts._replace(init=facts.init._replace(cache=self.world.cache())))


class World:
    """A host and one run on it.

    ``cure`` is the step that makes PID 1's cache fresh; ``changed``: when the rules on disk were changed.
    """

    def __init__(self, monkeypatch, cure=None, state=STALE, decisions=(), view=RIGHT, refresh=ON_POLICY_LOAD,
                 load_due=False, service=None, conditions=CLEAR, changed=2000.0):
        self.done = []
        self.cure, self.state, self.decisions, self.view = cure, state, decisions, view
        self.conditions, self.refresh = conditions, refresh
        self.dates = Dates(changed, changed - 1 if load_due else changed + 1, BOOTED)
        self.views = ()
        self.privileged = self.askable = self.labels_new_sockets = True
        self.failing = set()
        self.unit = SocketUnit("foo.socket", "loaded", "active", ("/run/foo.sock",), service)
        self.executed = 0
        self.generation = "rules 1"
        self.source = Source(self)
        self.systemd = self.source.systemd
        self.flow = Converge(self.source, self.source._runner, Log(stderr=False))
        patch = monkeypatch.setattr
        patch(procfs, "booted_at", lambda: BOOTED)
        patch(procfs, "mapped_at", lambda pid: "%d-f" % self.executed)
        patch(labelfiles, "generation", lambda directory: self.generation)
        patch(door, "load_policy", lambda runner: self.do("load-policy"))
        patch(labels, "relabel", lambda path, context, kind: self.relabel(path))
        # The guards' conditions but for the one that this run itself makes.
        patch(Pid1, "_conditions", lambda pid1, directory, milder: self.conditions._replace(
            milder=milder, already_done=pid1._reexecuted or attempts.load(procfs.mapped_at(1)).done_for(
                labelfiles.generation(directory)).reexecuted))

    def do(self, what):
        if what in self.failing:
            raise CommandFailed(what + " failed")
        self.done.append(what)
        self.executed += what == "daemon-reexec"
        if what == self.cure:
            self.state = FRESH

    def cache(self):
        wrong = [Wrong("/run/foo.sock", None, "system_u:object_r:foo_t:s0")]
        return LabelCache(self.state, ["evidence"], wrong=wrong if self.state == STALE and self.askable else None)

    def order(self, verb, unit):
        self.do("%s %s" % (verb, unit))
        if verb in ("restart", "start") and unit == "foo.socket" and self.labels_new_sockets:
            self.view = RIGHT

    def relabel(self, path):
        self.do("relabel " + path)
        self.view = RIGHT

    def status(self):
        return status.outcome(self.source.read())

    def acts(self):
        return [one for one in self.done if one != "look-a-label-up"]
