"""What is wrong with a socket, and the mildest thing that mends it.  Pure."""

from .causes import (
    LABEL_CACHE_STALE,
    MADE_BEFORE_RULE,
    NO_LABEL_SUPPORT,
    NO_SUCH_TYPE,
    NOT_MADE_BY_SYSTEMD,
    SOCKET_LABEL,
)
from .filecontexts import type_of
from .rules import Decision
from .typed import Callable, List, Optional, Sequence, Tuple, Value

RELABEL = "relabel"
RESTART = "restart"
RELABEL_EXECUTABLE = "relabel-executable"
ACTIONS = (RELABEL, RESTART, RELABEL_EXECUTABLE)

SameType = Callable[[str, str], bool]


class Executable(Value):
    """The program of the service: its label decides the label of the socket object."""

    path: str
    label: Optional[str]
    expected: Optional[str]


class SocketView(Value):
    """One path of a socket unit, as it is (``None``: not there, or not to be seen).

    ``expected`` is what libselinux answers now; ``wanted`` what it will answer once the rules
    are registered; ``expected_socket_label`` the label a new socket object would get.
    ``made_after_rules``: the inode is younger than the rules on disk.  ``foreign``: the unit does not
    listen, but another program does; ``keeps_labels``: the file system there does; ``datagram``:
    it is no stream; ``decided``: what was decided about the rule for the path.
    """

    unit: str
    profile: str
    path: str
    type: str
    listening: bool
    exists: Optional[bool]
    held_by_init: Optional[bool]
    expected: Optional[str]
    wanted: Optional[str]
    path_label: Optional[str]
    socket_label: Optional[str]
    expected_socket_label: Optional[str]
    rule_cause: Optional[str]
    restart: str
    service_active: bool
    in_use: bool
    made_after_rules: bool = False
    foreign: bool = False
    keeps_labels: bool = True
    datagram: bool = False
    decided: Optional[Decision] = None

    @property
    def own_word(self) -> Optional[str]:
        """The context that the policy itself gives the path, where that counts for more than the profile."""
        return self.decided.own_word if self.decided else None

    @property
    def idle(self) -> bool:
        """Tell whether its profile does nothing, as the policy does not have the type."""
        return self.rule_cause == NO_SUCH_TYPE

    def path_wrong(self, same: SameType) -> bool:
        """Tell whether the inode has another label than it should have."""
        if self.idle or not (self.listening or self.foreign) or not self.exists or self.wanted is None:
            return False
        return self.path_label is None or not same(type_of(self.path_label), type_of(self.wanted))

    def socket_wrong(self, same: SameType) -> bool:
        """Tell whether the listening socket object has another label than a new one would get."""
        return self.listening and self.socket_label is not None and self.expected_socket_label is not None \
            and not same(type_of(self.socket_label), type_of(self.expected_socket_label))


def problem(view: SocketView, cache_stale: bool, same: SameType, cache_outdated: bool = False) -> Optional[str]:
    """Return the cause of what is wrong with a socket, or None.

    ``cache_stale``: PID 1 holds an outdated label cache and will not renew it by itself;
    ``cache_outdated``: it holds one, and should renew it.  A socket that it made wrong after the
    rules had changed shows that it does not.
    """
    if view.rule_cause is not None and not view.idle:
        return view.rule_cause
    if view.path_wrong(same):
        if view.path_label is None or not view.keeps_labels:
            return NO_LABEL_SUPPORT
        if view.held_by_init is False or view.foreign:
            return NOT_MADE_BY_SYSTEMD
        return LABEL_CACHE_STALE if cache_stale or (cache_outdated and view.made_after_rules) else MADE_BEFORE_RULE
    if view.socket_wrong(same):
        return SOCKET_LABEL
    return LABEL_CACHE_STALE if cache_stale and view.in_use and not view.idle else None


class Action(Value):
    """A step on one unit: relabel a path or the executable, or restart."""

    step: str
    target: str
    reason: str


def actions(views: Sequence[SocketView], executable: Optional[Executable], same: SameType,
            cache_stale: bool = False) -> Tuple[List[Action], List[str]]:
    """Return what mends the sockets of one unit, and what is left for somebody to do.

    ``cache_stale``: PID 1 would give a new socket the wrong label again, so paths are relabelled in place.
    """
    found: List[Action] = []
    wrong_paths = [view for view in views if view.path_wrong(same) and labelled(view)]
    wrong_sockets = [view for view in views if view.socket_wrong(same)]
    if executable and executable.label and executable.expected \
            and not same(type_of(executable.label), type_of(executable.expected)):
        found.append(Action(RELABEL_EXECUTABLE, executable.path, "%s should be %s: new sockets take their label from it"
                            % (executable.label, executable.expected)))
    found += [relabelling(view, "another program than systemd made it") for view in wrong_paths if view.foreign]
    wrong_paths = [view for view in wrong_paths if not view.foreign]
    if not wrong_paths and not wrong_sockets:
        return found, []
    unit = views[0].unit
    policy = views[0].restart
    reasons = [_socket_object(view) for view in wrong_sockets]
    if policy == "never":
        found += [relabelling(view, "the profile forbids a restart") for view in wrong_paths]
        return found, ["%s; only a restart mends it, and the profile forbids one: run systemctl restart %s"
                       % (one, unit) for one in reasons]
    if cache_stale:
        if reasons:
            found.append(Action(RESTART, unit, "; ".join(reasons)))
            wrong_paths = [view for view in views if view.listening and view.wanted and labelled(view)]
        return found + [relabelling(view, "PID 1 would give it the wrong label again") for view in wrong_paths], []
    if policy == "auto" and not wrong_sockets and any(view.service_active for view in views):
        return found + [relabelling(view, "no service is interrupted") for view in wrong_paths], []
    reasons = ["%s is %s, should be %s" % (view.path, view.path_label, view.wanted) for view in wrong_paths] + reasons
    return [*found, Action(RESTART, unit, "; ".join(reasons))], []


def labelled(view: SocketView) -> bool:
    """Tell whether the inode has a label that can be changed."""
    return view.path_label is not None and view.keeps_labels


def relabelling(view: SocketView, why: str) -> Action:
    """Return the step that relabels a path in place."""
    return Action(RELABEL, view.path, "%s should be %s; %s" % (view.path_label, view.wanted, why))


def _socket_object(view: SocketView) -> str:
    return "the socket object of %s is %s, should be %s" % (view.path, view.socket_label, view.expected_socket_label)
