"""Queries a process's own copy of the label database: which label the process would give to a path.

``/proc/PID/map_files/FROM-TO`` is the mapped file itself, even if it was replaced or deleted since.  libselinux opens
the compiled files that a process holds, and copies of the texts that it must have read, in a child with limits:
the files that a process maps are not trusted.
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
# The header of a compiled file (libselinux ``src/label_file.h``).
_MAGIC = struct.pack("=I", 0xf97cff8a)
_MAGIC_SINCE_3_8 = struct.pack(">I", 0xf97cff8a)
_WITH_REGEX, _WITH_ARCHITECTURE = 2, 5
# No stems, no rules.
_NOTHING = bytes(8)
_MOST_OF_NOTHING = 256
# The process may reopen its database during an attempt.
_TRIES = 3
_PAUSE = 0.02
_LONGEST_LABEL = 4096  # the limit of the kernel


class HeldAnswers(Value):
    """What a process's own copy returns: the label of a socket at each path, or why it cannot be queried.

    ``assumed`` describes an assumption that the answers depend on, or is None.
    """

    answers: Dict[str, Optional[str]]
    unseen: Optional[str] = None
    assumed: Optional[str] = None


class Unseen(HelperError):
    """The copy cannot be queried; the reason is one line."""


class Changing(Unseen):
    """The process seems to be reopening its database."""


def ask(pid: int, paths: Sequence[str], directory: str, seconds: float = _LIMITS.seconds,
        proc: str = "/proc") -> HeldAnswers:
    """Return the labels of sockets at these paths according to the database that a process holds.

    ``directory`` contains the policy's file contexts.  Nothing that a process holds makes this function raise.
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


# -- the format of the answer of the child ----------------------------------------------------------


def encode(answers: Dict[str, Optional[str]], paths: Sequence[str], new: Sequence[str]) -> bytes:
    """Return the new parts (see Read) and the labels in the order of the paths, each terminated by NUL."""
    fields = [" ".join(new)] + [answers[path] or "" for path in paths]
    return b"".join(field.encode("utf-8", "surrogateescape") + b"\0" for field in fields)


def decode(answer: bytes, paths: Sequence[str]) -> HeldAnswers:
    """Parse such an answer; anything else is refused."""
    fields = answer.decode("utf-8", "replace").split("\0")
    if len(fields) != len(paths) + 2 or fields[-1]:
        return HeldAnswers({}, "its copy cannot be asked: the answers are not as many as the questions")
    new, labels = fields[0].split(), fields[1:-1]
    if not set(new) <= set(TEXTS) or not all(not label or _is_label(label) for label in labels):
        return HeldAnswers({}, "its copy cannot be asked: what it answers is no label")
    assumed = "it is taken to have read no %s, which has been written since it was started" % " and no ".join(new)
    return HeldAnswers({path: label or None for path, label in zip(paths, labels)}, None, assumed if new else None)


def _is_label(text: str) -> bool:
    """Return whether a text has the form user:role:type, with or without a level."""
    parts = text.split(":", 3)
    return len(parts) > 2 and all(parts) and len(text) <= _LONGEST_LABEL \
        and all("!" <= character <= "~" for character in text)


# -- what to copy --------------------------------------------------------------------------


def chosen(held: Dict[HeldFile, str], directory: str) -> Dict[str, str]:
    """Return the files of a database that a process has mapped: text name to address range.  Raises Unseen."""
    ranges: Dict[str, str] = {}
    for file, address_range in held.items():
        text = labelcache.part_of(file.path, directory)
        if text is None:
            continue
        if text in ranges:
            raise Changing("it holds two generations of %s" % file.path)
        if not address_range:
            raise Unseen("where it holds %s is not told" % file.path)
        ranges[text] = address_range
    if not ranges:
        raise Unseen("it holds no compiled file contexts")
    return ranges


def is_empty(content: bytes) -> bool:
    """Return whether a compiled file contains no rules.

    libselinux up to 3.7 rejects such a file (``src/label_file.c``, load_mmap()): to the process it did not exist.
    """
    try:
        version, offset = int(struct.unpack_from("=I", content, len(_MAGIC))[0]), 8
        # The version of the regex library, and the architecture that it is compiled for.
        for _ in range((version >= _WITH_REGEX) + (version >= _WITH_ARCHITECTURE)):
            offset += 4 + int(struct.unpack_from("=I", content, offset)[0])
        return bool(content.startswith(_MAGIC) and version <= _WITH_ARCHITECTURE and content[offset:] == _NOTHING)
    except struct.error:
        return False


class Read(Value):
    """The texts that a process has read, and the parts that are new, which it has not read (names of texts)."""

    texts: List[str]
    new: List[str]


def read(held: Collection[str], written: Callable[[str], Optional[Written]], opened_after: Optional[float]) -> Read:
    """Return what a process must have read in addition to what it has mapped (names of texts).

    ``written`` returns when a file in the directory was written.  Raises Unseen if a text may have changed since.
    """
    result = Read([], [])
    for name in TEXTS + SUBSTITUTIONS:
        if name in held:
            continue
        text = written(name)
        compiled = written(name + COMPILED) if name in TEXTS[1:] else None
        if text and labelcache.unchanged(text, opened_after):
            result.texts.append(name)
            continue
        if text is None and compiled is None:
            continue
        # A commit has written both since.  A file from an earlier commit would be held.  A file that was written by
        # hand and has been overwritten since cannot be detected.
        if compiled is None or not labelcache.usable(compiled, text):
            raise Unseen("%s is read as text, which may have changed since the process read it" % name)
        result.new.append(name)
    return result


# -- in the child ----------------------------------------------------------------------------------


class _Copied(Value):
    """The path of the copy, its parts that are compiled, and the parts on disk that are new."""

    base: str
    compiled: List[str]
    new: List[str]


def _copied(pid: int, directory: str, place: str, proc: str) -> _Copied:
    """Copy what a process has read to a directory, in the layout that libselinux expects."""
    capabilities.read_map_files_by()
    for remaining in reversed(range(_TRIES)):
        try:
            compiled = _copy_held(pid, directory, place, proc)
            break
        except Changing:
            if not remaining:
                raise
            scratch.empty(place)
            time.sleep(_PAUSE)
    opened_after = labelcache.opened_after(procfs.started_at(pid, proc), compiled.values())

    def written(name: str) -> Optional[Written]:
        return labelfiles.written(os.path.join(directory, name))

    known = read(compiled, written, opened_after)
    for name in known.texts:
        source = os.open(os.path.join(directory, name), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        status = _copy(source, os.path.join(place, name), os.path.join(directory, name))
        if not labelcache.unchanged(labelcache.written_by(status), opened_after):
            raise Unseen("%s has changed meanwhile" % name)
    capabilities.drop_all()
    linked = [name[:-len(COMPILED)] for name in os.listdir(place) if name.endswith(COMPILED)]
    return _Copied(os.path.join(place, TEXTS[0]), [os.path.join(place, name) for name in linked], known.new)


def _copy_held(pid: int, directory: str, target: str, proc: str) -> Dict[str, float]:
    """Link to the files that a process holds; return when each was written, by the name of the text."""
    held = procfs.mapped_label_files(pid, proc)
    if held is None:
        raise Unseen("%s/%d/maps cannot be read" % (proc, pid))
    times = {}
    for text, address_range in chosen(held, directory).items():
        path = "%s/%d/map_files/%s" % (proc, pid, address_range)
        try:
            source = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise Changing("%s is no longer mapped" % path) from error
        except PermissionError as error:
            raise Unseen("%s cannot be read without CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE" % path) from error
        times[text] = _checked(source, text + COMPILED).st_mtime
        head = os.pread(source, _MOST_OF_NOTHING, 0)
        if not head.startswith((_MAGIC, _MAGIC_SINCE_3_8)):
            raise Unseen("%s%s is no compiled file contexts" % (text, COMPILED))  # libselinux would read it as text
        if text != TEXTS[0] and is_empty(head):
            continue
        # Only root can change the file, like those on disk; a copy would have the same content, and take longer.
        os.symlink("/proc/self/fd/%d" % source, os.path.join(target, text + COMPILED))
    if procfs.mapped_label_files(pid, proc) != held:
        raise Changing("it has opened its database anew meanwhile")
    return times


def _checked(source: int, name: str) -> os.stat_result:
    """Return the status of an open file; raise Unseen unless it is a regular file that only root can change."""
    status = os.fstat(source)
    if not stat.S_ISREG(status.st_mode):
        raise Unseen("%s is not a regular file" % name)
    # In its own mount namespace, a user's process can map any file under this name.
    if not trust.roots_alone(status):
        raise Unseen("%s can be changed by others than root" % name)
    if status.st_size > _LARGEST:
        raise Unseen("%s is larger than %d MiB" % (name, _LARGEST >> 20))
    return status


def _copy(source: int, target: str, name: str) -> os.stat_result:
    """Copy an open text and return its status afterwards.  Raises Unseen."""
    remaining = _checked(source, name).st_size
    writing = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        while remaining:
            copied = os.sendfile(writing, source, None, remaining)
            if not copied:
                raise Unseen("%s has become shorter while it was read" % name)
            remaining -= copied
    finally:
        os.close(writing)
    return os.fstat(source)
