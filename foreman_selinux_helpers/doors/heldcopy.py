"""Ask a process's own copy of the label database what that process would answer for a path.

``/proc/PID/map_files/FROM-TO`` is a mapped file itself, also when it was replaced or deleted since.  libselinux opens
the compiled files that a process holds, and copies of the texts that it must have read, in a child with limits:
what a process maps is not to be trusted.
"""

import os
import stat
import struct
import time

from ..model import labelcache
from ..model.errors import HelperError
from ..model.labelcache import COMPILED, SUBSTITUTIONS, TEXTS, HeldFile, Written
from ..model.typed import Callable, Collection, Dict, List, Optional, Sequence, Value
from . import apart, capabilities, labelfiles, procfs, scratch, trust

# Six times the size of a real policy.
_LARGEST = 64 * 1024 * 1024
_MOST_PATHS = 10000
_LIMITS = apart.Limits(10.0, 1 << 30, _LARGEST, 16 * 1024 * 1024)
# The head of a compiled file (libselinux ``src/label_file.h``).
_MAGIC = struct.pack("=I", 0xf97cff8a)
_MAGIC_SINCE_3_8 = struct.pack(">I", 0xf97cff8a)
_WITH_REGEX, _WITH_ARCHITECTURE = 2, 5
# No stems, no rules.
_NOTHING = bytes(8)
_MOST_OF_NOTHING = 256
# The process may open its database anew during a try.
_TRIES = 3
_PAUSE = 0.02
_LONGEST_LABEL = 4096  # as the kernel has it


class HeldAnswers(Value):
    """What a process's own copy says: the label of a socket at each path, or why it cannot be asked.

    ``assumed`` says in words what had to be taken for granted, or is None.
    """

    answers: Dict[str, Optional[str]]
    unseen: Optional[str] = None
    assumed: Optional[str] = None


class Unseen(HelperError):
    """The copy cannot be asked; the reason is one line."""


class Changing(Unseen):
    """The process seems to open its database anew just now."""


def ask(pid: int, paths: Sequence[str], directory: str, seconds: float = _LIMITS.seconds,
        proc: str = "/proc") -> HeldAnswers:
    """Return what a process would answer for sockets at these paths by the database that it holds.

    ``directory`` is where the policy's file contexts are.  Never raises for what a process holds.
    """
    if not paths:
        return HeldAnswers({})
    if len(paths) > _MOST_PATHS:
        return HeldAnswers({}, "more than %d paths are asked for" % _MOST_PATHS)
    from . import labeldatabase, selinuxlib

    try:
        selinuxlib.load()
        with scratch.directory() as place:
            def question() -> bytes:
                copied = _copied(pid, directory, place, proc)
                return encode(labeldatabase.labels_by(copied.base, copied.compiled, paths), paths, copied.new)

            ended = apart.call(question, _LIMITS._replace(seconds=min(seconds, _LIMITS.seconds)))
    except HelperError as error:
        return HeldAnswers({}, str(error))
    if ended.fault:
        return HeldAnswers({}, "its copy cannot be asked: %s" % ended.fault)
    return decode(ended.answer, paths)


# -- the answer on its way from the child ----------------------------------------------------------


def encode(answers: Dict[str, Optional[str]], paths: Sequence[str], new: Sequence[str]) -> bytes:
    """Return the new parts (see Read) and the labels, in the order of the paths, each with a NUL after it."""
    fields = [" ".join(new)] + [answers[path] or "" for path in paths]
    return b"".join(one.encode("utf-8", "surrogateescape") + b"\0" for one in fields)


def decode(answer: bytes, paths: Sequence[str]) -> HeldAnswers:
    """Read such an answer; anything else is refused."""
    fields = answer.decode("utf-8", "replace").split("\0")
    if len(fields) != len(paths) + 2 or fields[-1]:
        return HeldAnswers({}, "its copy cannot be asked: the answers are not as many as the questions")
    new, labels = fields[0].split(), fields[1:-1]
    if not set(new) <= set(TEXTS) or not all(not label or _is_label(label) for label in labels):
        return HeldAnswers({}, "its copy cannot be asked: what it answers is no label")
    assumed = "it is taken to have read no %s, which has been written since it was started" % " and no ".join(new)
    return HeldAnswers({path: label or None for path, label in zip(paths, labels)}, None, assumed if new else None)


def _is_label(text: str) -> bool:
    """Tell whether this is user:role:type, with a level or without one."""
    parts = text.split(":", 3)
    return len(parts) > 2 and all(parts) and len(text) <= _LONGEST_LABEL \
        and all("!" <= character <= "~" for character in text)


# -- what is to be copied --------------------------------------------------------------------------


def chosen(held: Dict[HeldFile, str], directory: str) -> Dict[str, str]:
    """Return what a process has mapped of a database: the range by the name of the text.  Raises Unseen."""
    found: Dict[str, str] = {}
    for one, where in held.items():
        text = labelcache.part_of(one.path, directory)
        if text is None:
            continue
        if text in found:
            raise Changing("it holds two generations of %s" % one.path)
        if not where:
            raise Unseen("where it holds %s is not told" % one.path)
        found[text] = where
    if not found:
        raise Unseen("it holds no compiled file contexts")
    return found


def is_empty(content: bytes) -> bool:
    """Tell whether a compiled file says that there are no rules.

    libselinux up to 3.7 takes such a file for a broken one (``src/label_file.c``, load_mmap()): to the process it
    was as if there were none.
    """
    try:
        version, at = int(struct.unpack_from("=I", content, len(_MAGIC))[0]), 8
        # The version of the regex library, and what it is compiled for.
        for _ in range((version >= _WITH_REGEX) + (version >= _WITH_ARCHITECTURE)):
            at += 4 + int(struct.unpack_from("=I", content, at)[0])
        return bool(content.startswith(_MAGIC) and version <= _WITH_ARCHITECTURE and content[at:] == _NOTHING)
    except struct.error:
        return False


class Read(Value):
    """The texts that a process has read, and the parts that it has not, as they are new: names of texts."""

    texts: List[str]
    new: List[str]


def read(held: Collection[str], written: Callable[[str], Optional[Written]], opened_after: Optional[float]) -> Read:
    """Return what a process must have read beside what it has mapped (names of texts).

    ``written`` tells when a file of the directory was written.  Raises Unseen where a text may have changed since.
    """
    found = Read([], [])
    for name in TEXTS + SUBSTITUTIONS:
        if name in held:
            continue
        text = written(name)
        compiled = written(name + COMPILED) if name in TEXTS[1:] else None
        if text and labelcache.unchanged(text, opened_after):
            found.texts.append(name)
            continue
        if text is None and compiled is None:
            continue
        # A commit has made both since.  What a commit had made before would be held; what was written by hand, and
        # has now been written over, nobody can tell.
        if compiled is None or not labelcache.usable(compiled, text):
            raise Unseen("%s is read as text, which may have changed since the process read it" % name)
        found.new.append(name)
    return found


# -- in the child ----------------------------------------------------------------------------------


class _Copied(Value):
    """Where the copy is, which parts of it are compiled, and which parts of today's are new."""

    base: str
    compiled: List[str]
    new: List[str]


def _copied(pid: int, directory: str, place: str, proc: str) -> _Copied:
    """Copy what a process has read to a directory, as libselinux wants it there."""
    capabilities.read_map_files_by()
    for left in reversed(range(_TRIES)):
        try:
            compiled = _copy_held(pid, directory, place, proc)
            break
        except Changing:
            if not left:
                raise
            scratch.empty(place)
            time.sleep(_PAUSE)
    opened_after = labelcache.opened_after(procfs.started_at(pid, proc), compiled.values())

    def written(name: str) -> Optional[Written]:
        return labelfiles.written(os.path.join(directory, name))

    found = read(compiled, written, opened_after)
    for name in found.texts:
        source = os.open(os.path.join(directory, name), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        status = _copy(source, os.path.join(place, name), os.path.join(directory, name))
        if not labelcache.unchanged(labelcache.written_by(status), opened_after):
            raise Unseen("%s has changed meanwhile" % name)
    capabilities.drop_all()
    linked = [name[:-len(COMPILED)] for name in os.listdir(place) if name.endswith(COMPILED)]
    return _Copied(os.path.join(place, TEXTS[0]), [os.path.join(place, name) for name in linked], found.new)


def _copy_held(pid: int, directory: str, target: str, proc: str) -> Dict[str, float]:
    """Copy the files that a process holds; return when each was written, by the name of the text."""
    held = procfs.mapped_label_files(pid, proc)
    if held is None:
        raise Unseen("%s/%d/maps cannot be read" % (proc, pid))
    times = {}
    for text, where in chosen(held, directory).items():
        place = "%s/%d/map_files/%s" % (proc, pid, where)
        try:
            source = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise Changing("%s is no longer mapped" % place) from error
        except PermissionError as error:
            raise Unseen("%s cannot be read without CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE" % place) from error
        times[text] = _checked(source, text + COMPILED).st_mtime
        head = os.pread(source, _MOST_OF_NOTHING, 0)
        if not head.startswith((_MAGIC, _MAGIC_SINCE_3_8)):
            raise Unseen("%s%s is no compiled file contexts" % (text, COMPILED))  # libselinux would read it as text
        if text != TEXTS[0] and is_empty(head):
            continue
        # Root alone can change the file, as it can those on disk; a copy of it would tell no more, and take longer.
        os.symlink("/proc/self/fd/%d" % source, os.path.join(target, text + COMPILED))
    if procfs.mapped_label_files(pid, proc) != held:
        raise Changing("it has opened its database anew meanwhile")
    return times


def _checked(source: int, name: str) -> os.stat_result:
    """Return what an open file is like that libselinux may be given: a regular one, root's alone.  Raises Unseen."""
    status = os.fstat(source)
    if not stat.S_ISREG(status.st_mode):
        raise Unseen("%s is not a regular file" % name)
    # In a mount namespace of its own a user's process can map anything under this name.
    if not trust.roots_alone(status):
        raise Unseen("%s can be changed by others than root" % name)
    if status.st_size > _LARGEST:
        raise Unseen("%s is larger than %d MiB" % (name, _LARGEST >> 20))
    return status


def _copy(source: int, target: str, name: str) -> os.stat_result:
    """Copy a text that is open; return what it was like afterwards.  Raises Unseen."""
    left = _checked(source, name).st_size
    writing = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        while left:
            copied = os.sendfile(writing, source, None, left)
            if not copied:
                raise Unseen("%s has become shorter while it was read" % name)
            left -= copied
    finally:
        os.close(writing)
    return os.fstat(source)
