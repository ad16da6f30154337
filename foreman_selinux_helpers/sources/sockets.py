"""Read the sockets of units: their inodes, the listening processes, and their labels."""

import os
import stat

from ..doors import filemodes, labels, procfs, selinuxlib, trust, unixsockets, users
from ..doors.systemd import Systemd
from ..model import wants
from ..model.filecontexts import type_of
from ..model.modes import Reach
from ..model.profiles import SocketProfile
from ..model.rules import Decision, FileContexts
from ..model.sockets import Executable, Seen, SocketView
from ..model.typed import List, Optional, Sequence, Value
from ..model.units import SocketUnit
from .filecontexts import FileContextsOnDisk

# The longest time, in seconds, from binding a socket to setting its owner and mode.
_MAKING = 10.0


class Context(Value):
    """The facts that reading the sockets of a host needs.

    ``listeners``: the sockets of PID 1, or None if they are not read; ``rules_in_force_since``: the time since which
    PID 1 must have had the rules on disk; ``live``: the labels on this host mean something.
    """

    file_contexts: FileContexts
    decisions: Sequence[Decision]
    listeners: Optional[unixsockets.Listeners]
    rules_in_force_since: Optional[float]
    live: bool


def read(profile: SocketProfile, unit: Optional[SocketUnit], socket_label: Optional[str],
         context: Context) -> List[SocketView]:
    """Return the sockets of one profile; ``socket_label``: the label that a new socket object would get."""
    return [_read(profile, path, unit, socket_label, context) for path in wants.listened_paths(profile, unit)]


def _read(profile: SocketProfile, path: str, unit: Optional[SocketUnit], socket_label: Optional[str],
          context: Context) -> SocketView:
    expected = context.file_contexts.lookup(path)
    wanted = wants.of_socket(profile, path, expected, context.decisions, context.file_contexts)
    in_use = bool(unit and unit.load == "loaded" and path in unit.paths)
    listener = _read_listener(path, bool(in_use and unit and unit.listening), context.listeners)
    inode = _read_inode(path) if context.live else _Inode(False)
    since, label = context.rules_in_force_since, inode.label
    if not profile.type and label and selinuxlib.is_customizable(label):
        wanted = wanted._replace(context=None)  # restorecon(8) leaves such a label alone too
    keeps = not label or not wanted.context or label == wanted.context or procfs.keeps_labels(os.path.realpath(path))
    seen = Seen(
        listener.listening, inode.exists, listener.held, label, listener.label,
        service_active=bool(unit and unit.service and unit.service.active), in_use=in_use,
        made_after_rules=inode.made_at is not None and since is not None and inode.made_at > since,
        foreign=listener.foreign, keeps_labels=keeps, datagram=listener.datagram,
        reach=_read_reach(profile, path, bool(inode.exists)) if context.live else Reach())
    return SocketView(profile.unit, profile.profile, path, expected, seen,
                      wanted._replace(socket_label=None if wanted.idle else socket_label))


def _read_reach(profile: SocketProfile, path: str, exists: bool) -> Reach:
    """Return the file modes that restrict who connects to a socket, and the credentials of the profile's user."""
    reach = filemodes.reach(path) if exists else Reach()
    return reach._replace(user=users.find(profile.user)) if profile.user else reach


class _Listener(Value):
    """The listener at a path: the unit, whether PID 1 holds its socket (None: not permitted to read), or another."""

    listening: bool
    held: Optional[bool] = None
    label: Optional[str] = None
    foreign: bool = False
    datagram: bool = False


def _read_listener(path: str, expected: bool, listeners: Optional[unixsockets.Listeners]) -> _Listener:
    """Return the listener at a path; ``expected``: according to systemd it is the unit."""
    if not listeners:
        return _Listener(False)
    descriptor, datagram = listeners.descriptor(path), listeners.datagram(path)
    if not expected:
        return _Listener(False, foreign=listeners.anybody(path) and descriptor is None, datagram=datagram)
    held = descriptor is not None if os.geteuid() == 0 else None
    label = labels.socket_label(1, descriptor) if descriptor is not None else None
    return _Listener(True, held, label, datagram=datagram)


class _Inode(Value):
    """The socket at a path: whether it exists (None: not permitted to read), when it was created, and its label.

    ``made_at`` is None if its label or mode was changed after it was created.
    """

    exists: Optional[bool]
    made_at: Optional[float] = None
    label: Optional[str] = None


def _read_inode(path: str) -> _Inode:
    try:
        status = os.lstat(path)
        if not stat.S_ISSOCK(status.st_mode):
            return _Inode(False)
        # A socket's inode is never written to, so its mtime is the time of the bind.  A later change of its label or
        # mode changes its ctime: its label is then not the one that it was created with.
        untouched = status.st_ctime - status.st_mtime < _MAKING
        return _Inode(True, status.st_mtime if untouched else None, labels.path_label(path))
    except PermissionError:
        return _Inode(None)
    except OSError:
        return _Inode(False)


def program_of(unit: SocketUnit, on_disk: FileContextsOnDisk) -> Optional[Executable]:
    """Return the program of the service that a socket unit starts, and its labels, or None."""
    service = unit.service
    if not service or not service.executable or not unit.paths:
        return None
    try:
        path = trust.real_path(service.executable)
        path.encode("utf-8")  # libselinux's Python binding accepts only UTF-8
        label = labels.path_label(path)
    except (OSError, UnicodeError):
        return None
    expected = on_disk.database.lookup(path, stat.S_IFREG)
    if label and selinuxlib.is_customizable(label):
        expected = label  # restorecon(8) leaves such a label alone too
    return Executable(path, label, expected)


def labelled_by_context(unit: SocketUnit, systemd: Systemd) -> Optional[bool]:
    """Return whether SELinuxContext= of the service, not its program, labels the socket object; None: not known."""
    context = unit.service.context if unit.service else ""
    if context == "":
        return False
    from ..doors import packages
    from ..model import refresh

    by_context = refresh.labels_by_context(systemd.version(), packages.evr_comparison())
    return by_context if context or by_context is False else None


def expected_socket_label(unit: SocketUnit, by_context: Optional[bool],
                           executable: Optional[Executable]) -> Optional[str]:
    """Return the label that systemd would give a new socket object of this unit, or None if it is not known."""
    if by_context:
        return unit.service.context if unit.service else None
    label = executable.expected or executable.label if executable else None
    creator = procfs.context(1) if label else None
    return selinuxlib.created_socket_label(creator, label) if creator and label else None


def unless_from_net(view: SocketView, systemd: Systemd) -> SocketView:
    """Return the view of a socket; if its unit may have SELinuxContextFromNet=, PID 1's own label is right."""
    own = procfs.context(1) if view.socket_wrong(str.__eq__) else None
    if own is None or type_of(own) != type_of(view.seen.socket_label or ""):
        return view
    from_net = systemd.takes_label_from_net(view.unit)
    if from_net is False:
        return view
    return view._replace(wanted=view.wanted._replace(socket_label=None))
