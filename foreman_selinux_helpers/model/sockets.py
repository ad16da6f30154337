"""The views of sockets, what is wrong with each, and the mildest actions that repair it.  Pure."""

from .causes import (
    LABEL_CACHE_STALE,
    MADE_BEFORE_RULE,
    NO_LABEL_SUPPORT,
    NO_SUCH_TYPE,
    NOT_MADE_BY_SYSTEMD,
    SOCKET_LABEL,
)
from .filecontexts import type_of
from .modes import Reach, octal, open_to_all
from .rules import Decision
from .typed import Callable, List, Optional, Sequence, Tuple, Value

RELABEL = "relabel"
RESTART = "restart"
RELABEL_EXECUTABLE = "relabel-executable"

# Why a unit may not be restarted, by the value of Wanted.restart.
NEVER = "never"
RELABEL_ONLY = "relabel-only"
_FORBIDS = {NEVER: "the profile forbids a restart", RELABEL_ONLY: "a unit without a profile is not restarted"}

SameType = Callable[[str, str], bool]


class Executable(Value):
    """The program of the service: its label determines the label of the socket object."""

    path: str
    label: Optional[str]
    expected: Optional[str]


class ForeignSocket(Value):
    """A socket that no unit created and that has a wrong label."""

    path: str
    path_label: str
    expected: str


class Seen(Value):
    """A socket as it is; None: it does not exist, or may not be read.

    ``listening``: systemd reports that the unit listens there.  ``foreign``: another program listens there, not the
    unit.  ``held_by_init``: PID 1 has the listening socket open.  ``in_use``: the loaded unit names the path.
    ``made_after_rules``: the inode is newer than the rules on disk.  ``keeps_labels``: the file system stores labels.
    ``reach``: the file modes that matter to a client.
    """

    listening: bool = False
    exists: Optional[bool] = False
    held_by_init: Optional[bool] = None
    path_label: Optional[str] = None
    socket_label: Optional[str] = None
    service_active: bool = False
    in_use: bool = False
    made_after_rules: bool = False
    foreign: bool = False
    keeps_labels: bool = True
    datagram: bool = False
    reach: Reach = Reach()


class Wanted(Value):
    """A socket as it should be.

    ``type``: the type that its profile, or the policy's own word, gives the path.  ``context``: what libselinux
    answers once the rules are registered.  ``socket_label``: the label that a new socket object would get.
    ``cause``: what is wrong with the rules.  ``decided``: the decision about the rule for the path.  ``client``,
    ``user``: the domain and the user that must be able to connect.
    """

    type: str = ""
    context: Optional[str] = None
    socket_label: Optional[str] = None
    cause: Optional[str] = None
    restart: str = "auto"
    decided: Optional[Decision] = None
    client: Optional[str] = None
    user: Optional[str] = None

    @property
    def idle(self) -> bool:
        """Return whether the profile has no effect because the policy does not have the type."""
        return self.cause == NO_SUCH_TYPE


class SocketView(Value):
    """One path of a socket unit: as it is, and as it should be; ``expected``: what libselinux answers for it now."""

    unit: str
    profile: str
    path: str
    expected: Optional[str]
    seen: Seen
    wanted: Wanted

    @property
    def own_word(self) -> Optional[str]:
        """The context that the policy itself gives the path, if that takes precedence over the profile."""
        return self.wanted.decided.own_word if self.wanted.decided else None

    @property
    def idle(self) -> bool:
        """Return whether its profile has no effect because the policy does not have the type."""
        return self.wanted.idle

    @property
    def present(self) -> bool:
        """Return whether the unit or another program listens there."""
        return self.seen.listening or self.seen.foreign

    def path_wrong(self, same: SameType) -> bool:
        """Return whether the inode has another label than it should have."""
        if self.idle or not self.present or not self.seen.exists or self.wanted.context is None:
            return False
        return self.seen.path_label is None or not same(type_of(self.seen.path_label), type_of(self.wanted.context))

    def socket_wrong(self, same: SameType) -> bool:
        """Return whether the listening socket object has another label than a new one would get."""
        now, new = self.seen.socket_label, self.wanted.socket_label
        return self.seen.listening and now is not None and new is not None and not same(type_of(now), type_of(new))


def mode_notes(view: SocketView) -> List[str]:
    """Return notes on unusual file modes of a socket."""
    seen, wanted = view.seen, view.wanted
    notes = []
    if seen.in_use and wanted.user and seen.reach.user is None:
        notes.append("the profile %s names the user %s, which this host does not have" % (view.profile, wanted.user))
    named = " and ".join(name for name in (wanted.client, wanted.user) if name)
    if named and seen.listening and seen.reach.socket and open_to_all(seen.reach):
        notes.append("every local user may connect to %s by its mode %s (systemd's default is 0666), and the profile "
                     "%s names only %s: SocketUser=, SocketGroup= and SocketMode= of %s restrict this"
                     % (view.path, octal(seen.reach.socket.mode), view.profile, named, view.unit))
    return notes


def problem(view: SocketView, cache_stale: bool, same: SameType, cache_outdated: bool = False) -> Optional[str]:
    """Return the cause of what is wrong with a socket, or None.

    ``cache_stale``: PID 1 holds an outdated label cache and will not renew it by itself.  ``cache_outdated``: it
    holds one, and should renew it.  A socket that it labelled wrongly after the rules had changed shows that it does
    not renew it.
    """
    if view.wanted.cause is not None and not view.idle:
        return view.wanted.cause
    if view.path_wrong(same):
        if view.seen.path_label is None or not view.seen.keeps_labels:
            return NO_LABEL_SUPPORT
        if view.seen.held_by_init is False or view.seen.foreign:
            return NOT_MADE_BY_SYSTEMD
        return LABEL_CACHE_STALE if cache_stale or (cache_outdated and view.seen.made_after_rules) else MADE_BEFORE_RULE
    if view.socket_wrong(same):
        return SOCKET_LABEL
    return LABEL_CACHE_STALE if cache_stale and view.seen.in_use and not view.idle else None


class Action(Value):
    """A step on one unit: relabel a path or the executable, or restart."""

    step: str
    target: str
    reason: str


def actions(views: Sequence[SocketView], executable: Optional[Executable], same: SameType,
            cache_stale: bool = False) -> Tuple[List[Action], List[str]]:
    """Return the actions that repair the sockets of one unit, and messages on what the administrator has to do.

    ``cache_stale``: PID 1 would give a new socket the wrong label again, so paths are relabelled in place.
    """
    due: List[Action] = []
    wrong_paths = [view for view in views if view.path_wrong(same) and labelled(view)]
    wrong_sockets = [view for view in views if view.socket_wrong(same)]
    if executable and executable.label and executable.expected and views[0].wanted.restart != RELABEL_ONLY \
            and not same(type_of(executable.label), type_of(executable.expected)):
        due.append(Action(RELABEL_EXECUTABLE, executable.path, "%s should be %s: new sockets take their label from it"
                          % (executable.label, executable.expected)))
    due += [relabelling(view, "another program than systemd created it") for view in wrong_paths if view.seen.foreign]
    wrong_paths = [view for view in wrong_paths if not view.seen.foreign]
    if not wrong_paths and not wrong_sockets:
        return due, []
    unit = views[0].unit
    allowed = views[0].wanted.restart
    reasons = [_socket_object(view) for view in wrong_sockets]
    if allowed in _FORBIDS:
        why = _FORBIDS[allowed]
        due += [relabelling(view, why) for view in wrong_paths]
        return due, ["%s; only a restart repairs it, and %s: run systemctl restart %s" % (reason, why, unit)
                     for reason in reasons]
    if cache_stale:
        if reasons:
            due.append(Action(RESTART, unit, "; ".join(reasons)))
            wrong_paths = [view for view in views if view.seen.listening and view.wanted.context and labelled(view)]
        return due + [relabelling(view, "PID 1 would give it the wrong label again") for view in wrong_paths], []
    if allowed == "auto" and not wrong_sockets and any(view.seen.service_active for view in views):
        return due + [relabelling(view, "no service is interrupted") for view in wrong_paths], []
    reasons = ["%s is %s, should be %s" % (view.path, view.seen.path_label, view.wanted.context)
               for view in wrong_paths] + reasons
    return [*due, Action(RESTART, unit, "; ".join(reasons))], []


def labelled(view: SocketView) -> bool:
    """Return whether the inode has a label that can be changed."""
    return view.seen.path_label is not None and view.seen.keeps_labels


def relabelling(view: SocketView, why: str) -> Action:
    """Return the step that relabels a path in place."""
    return Action(RELABEL, view.path, "%s should be %s; %s" % (view.seen.path_label, view.wanted.context, why))


def new_label(view: SocketView) -> str:
    """Return the label that relabelling gives a path.

    Without a profile only the type changes, as with restorecon(8) without -F.
    """
    wanted, now = view.wanted.context or "", view.seen.path_label or ""
    if view.profile or now.count(":") < 2:
        return wanted
    user, role, _, *level = now.split(":", 3)
    return ":".join([user, role, type_of(wanted), *level])


def _socket_object(view: SocketView) -> str:
    return "the socket object of %s is %s, should be %s" % (view.path, view.seen.socket_label, view.wanted.socket_label)
