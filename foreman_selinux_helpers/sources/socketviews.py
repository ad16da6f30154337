"""Look at the sockets of units: their inodes, who listens there, their labels and those they should have."""

import os
import stat

from ..doors import labels, procfs, selinuxlib, trust, unixsockets
from ..doors.systemd import Systemd
from ..model import causes, rules
from ..model.filecontexts import type_of
from ..model.profiles import SocketProfile
from ..model.rules import Decision, Policy
from ..model.sockets import Executable, SocketView
from ..model.typed import List, Optional, Sequence, Value
from ..model.units import SocketUnit
from .policies import Policies

# How long it may take, in seconds, from binding a socket to giving it its owner and mode.
_MAKING = 10.0


class Looking(Value):
    """What sockets are looked at with.

    ``listeners``: the sockets of PID 1, or None where it is not asked; ``changed_at``: since when it must have had the
    rules on disk; ``live``: labels on this host mean something.
    """

    policy: Policy
    decisions: Sequence[Decision]
    listeners: Optional[unixsockets.Listeners]
    changed_at: Optional[float]
    live: bool


def listened_paths(profile: SocketProfile, unit: Optional[SocketUnit]) -> List[str]:
    """Return the paths that a unit listens on, and those that its profile names."""
    listened = unit.paths if unit and unit.load == "loaded" else ()
    return list(dict.fromkeys(tuple(listened) + profile.paths))


def views(profile: SocketProfile, unit: Optional[SocketUnit], socket_label: Optional[str],
          looking: Looking) -> List[SocketView]:
    """Return what is seen of the sockets of one profile; ``socket_label``: what a new socket object would get."""
    return [_view(profile, path, unit, socket_label, looking) for path in listened_paths(profile, unit)]


def _view(profile: SocketProfile, path: str, unit: Optional[SocketUnit], socket_label: Optional[str],
          looking: Looking) -> SocketView:
    policy = looking.policy
    canonical = policy.equivalences.canonical(path)
    expected = policy.lookup(path)
    decided = next((one for one in looking.decisions if one.path == canonical), None)
    cause = _rule_cause(profile, expected, decided, canonical, policy)
    idle = cause == causes.NO_SUCH_TYPE
    wanted = _wanted(path, expected, decided, policy)
    word = decided.own_word if decided else None
    listened = bool(unit and unit.load == "loaded" and path in unit.paths)
    listener = _listener(path, bool(listened and unit and unit.listening), looking.listeners)
    inode = _look_at(path) if looking.live else _Inode(False)
    made_at, changed_at, label = inode.made_at, looking.changed_at, inode.label
    return SocketView(
        unit=profile.unit, profile=profile.profile, path=path,
        type=type_of(word) if word and not idle else profile.type,
        listening=listener.listening, exists=inode.exists, held_by_init=listener.held,
        expected=expected, wanted=wanted, path_label=label, socket_label=listener.label,
        expected_socket_label=None if idle else socket_label, rule_cause=cause,
        restart="never" if idle else profile.restart,
        service_active=bool(unit and unit.service and unit.service.active), in_use=listened,
        made_after_rules=made_at is not None and changed_at is not None and made_at > changed_at,
        foreign=listener.foreign,
        keeps_labels=not label or not wanted or label == wanted or procfs.keeps_labels(os.path.realpath(path)),
        datagram=listener.datagram, decided=decided)


def _wanted(path: str, expected: Optional[str], decided: Optional[Decision], policy: Policy) -> Optional[str]:
    """Return what libselinux will answer for a path once the rules are as it was decided."""
    if decided and (decided.action in (rules.ADD, rules.MODIFY) or decided.covered):
        return decided.rule.context
    return policy.lookup_without_ours(path) if decided and decided.action == rules.REMOVE else expected


class _Listener(Value):
    """Who listens at a path: the unit, whose socket PID 1 holds (None: we may not look) and its label, or another."""

    listening: bool
    held: Optional[bool] = None
    label: Optional[str] = None
    foreign: bool = False
    datagram: bool = False


def _listener(path: str, expected: bool, listeners: Optional[unixsockets.Listeners]) -> _Listener:
    """Look who listens at a path; ``expected``: systemd says that the unit does."""
    if not listeners:
        return _Listener(False)
    descriptor, datagram = listeners.descriptor(path), listeners.datagram(path)
    if not expected:
        return _Listener(False, foreign=listeners.anybody(path) and descriptor is None, datagram=datagram)
    held = descriptor is not None if os.geteuid() == 0 else None
    label = labels.socket_label(1, descriptor) if descriptor is not None else None
    return _Listener(True, held, label, datagram=datagram)


def _rule_cause(profile: SocketProfile, expected: Optional[str], decided: Optional[Decision], canonical: str,
                policy: Policy) -> Optional[str]:
    if not profile.type:
        return None
    if decided is not None and decided.action in (rules.REMOVE, rules.SKIP) and decided.cause == causes.NO_SUCH_TYPE:
        return decided.cause
    if decided is not None and decided.own_word:
        agreed = expected is not None and policy.same_type(type_of(expected), type_of(decided.own_word))
        return None if agreed else causes.SHADOWED
    if decided is not None and decided.action == rules.REMOVE:
        return decided.cause
    if expected is not None and policy.same_type(type_of(expected), profile.type):
        return None
    if decided is not None and decided.cause:
        return decided.cause
    if decided is not None and decided.action == rules.MODIFY:
        return causes.SHADOWED
    return rules.explain_expected(canonical, profile.type, policy)[0] if decided is None else causes.NO_RULE


class _Inode(Value):
    """The socket at a path: is there one (None: we may not look), its label, and since when it is as it was made.

    ``made_at`` is None where somebody has changed its label or mode since.
    """

    exists: Optional[bool]
    made_at: Optional[float] = None
    label: Optional[str] = None


def _look_at(path: str) -> _Inode:
    try:
        status = os.lstat(path)
        if not stat.S_ISSOCK(status.st_mode):
            return _Inode(False)
        # Nobody writes to a socket's inode: it was last modified when it was bound.  Who changes its label later, or
        # its mode, changes its ctime: what it says then is not what it was made with.
        untouched = status.st_ctime - status.st_mtime < _MAKING
        return _Inode(True, status.st_mtime if untouched else None, labels.path_label(path))
    except PermissionError:
        return _Inode(None)
    except OSError:
        return _Inode(False)


def program_of(unit: SocketUnit, policies: Policies) -> Optional[Executable]:
    """Return the program of the service that a socket unit starts, and its labels, or None."""
    service = unit.service
    if not service or not service.executable or not unit.paths:
        return None
    try:
        path = trust.real_path(service.executable)
        path.encode("utf-8")  # libselinux's Python binding takes no other
        label = labels.path_label(path)
    except (OSError, UnicodeError):
        return None
    expected = policies.database.lookup(path, stat.S_IFREG)
    if label and selinuxlib.is_customizable(label):
        expected = label  # restorecon(8) leaves such a label alone as well
    return Executable(path, label, expected)


def labelled_by_context(unit: SocketUnit, systemd: Systemd) -> Optional[bool]:
    """Tell whether SELinuxContext= of the service labels the socket object, and not its program; None: not known."""
    context = unit.service.context if unit.service else ""
    if context == "":
        return False
    from ..doors import packages
    from ..model import refresh

    by_context = refresh.labels_by_context(systemd.version(), packages.evr_comparison())
    return by_context if context or by_context is False else None


def expected_socket_label(unit: SocketUnit, by_context: Optional[bool],
                           executable: Optional[Executable]) -> Optional[str]:
    """Return the label that systemd would give a new socket object of this unit, or None where that is not known."""
    if by_context:
        return unit.service.context if unit.service else None
    label = executable.expected or executable.label if executable else None
    creator = procfs.context(1) if label else None
    return selinuxlib.created_socket_label(creator, label) if creator and label else None


def unless_from_net(view: SocketView, systemd: Systemd) -> SocketView:
    """Return the view of a socket whose unit may have SELinuxContextFromNet=: its object has PID 1's own label then."""
    own = procfs.context(1) if view.socket_wrong(str.__eq__) else None
    if own is None or type_of(own) != type_of(view.socket_label or ""):
        return view
    from_net = systemd.takes_label_from_net(view.unit)
    return view._replace(expected_socket_label=None) if from_net is not False else view
