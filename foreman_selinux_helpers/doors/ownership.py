"""The record of the rules that this program added: it never changes or removes any other.

There is one file for each policy type below /var/lib/foreman-selinux-helpers.  It is written before a
commit (``pending``) and after it, and each time replaced atomically: whatever happens in between, the
next run can distinguish our rules from the administrator's.
"""

import os
from contextlib import contextmanager

from ..model.errors import HelperError
from ..model.filecontexts import ALL_FILES, SOCKET, Rule
from ..model.record import NOTHING, Key, Owned, Record
from ..model.typed import Dict, Iterator, List, Optional, Sequence
from . import interrupts, trust
from .deadline import Deadline

STATE_DIR = "var/lib/foreman-selinux-helpers"
LOCK = STATE_DIR + "/lock"
_SUFFIX = ".json"
_SCHEMA = 1
_ITEM = '{"regex": "%s", "file_type": "%s", "context": "%s", "unit": "%s"}'


def file_of(root: str, policy: str) -> str:
    """Return the path of a policy type's record."""
    return os.path.join(root, STATE_DIR, policy + _SUFFIX)


def policies(root: str) -> List[str]:
    """Return the policy types that have a record."""
    _trusted(root)
    try:
        names = os.listdir(os.path.join(root, STATE_DIR))
    except OSError:
        return []
    return sorted(name[:-len(_SUFFIX)] for name in names if name.endswith(_SUFFIX) and name != _SUFFIX)


@contextmanager
def locked(root: str, deadline: Deadline) -> Iterator[None]:
    """Exclude other runs of this program from reading the record until it is written.

    Stop signals are blocked meanwhile.  The lock ends with the process that holds it.  It is on a
    file that only root may open: any user who may read a file can lock it, and block all other processes.
    """
    file = os.path.join(root, LOCK)
    _trusted(root)
    with interrupts.held():
        try:
            os.makedirs(os.path.dirname(file), mode=0o755, exist_ok=True)
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise HelperError("%s: cannot be written: %s" % (file, error.strerror)) from error
        try:
            interrupts.lock(descriptor, deadline, "another run of foreman-selinux-helpers is at work")
            yield
        finally:
            os.close(descriptor)


def load(root: str, policy: str) -> Record:
    """Read the record; it is empty if there is no file.  Raises HelperError if it is damaged."""
    file = file_of(root, policy)
    _trusted(root)
    try:
        descriptor = trust.open_regular(file)
    except FileNotFoundError:
        return NOTHING
    except OSError as error:
        raise HelperError("%s: cannot be read: %s" % (file, error.strerror)) from error
    with os.fdopen(descriptor, encoding="utf-8") as stream:
        if not trust.roots_alone(os.fstat(descriptor)):
            raise HelperError("%s: must be owned by root and written by nobody else" % file)
        try:
            rules, pending = _read(stream.read())
            return Record(_rules(rules), _rules(pending))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise HelperError("%s: is damaged (%s); move it away and run register again: rules made before"
                              " are then left to the administrator" % (file, error)) from error


def _read(text: str) -> Sequence[Sequence[Dict[str, str]]]:
    """Return the rules and the pending rules in the text of a record."""
    lists = _as_saved(text)
    if lists is None:
        import json

        document = json.loads(text)
        lists = [document["rules"], document["pending"]]
    return lists


def _as_saved(text: str) -> Optional[List[List[Dict[str, str]]]]:
    """Parse a text that is exactly as save() writes it with plain strings; return None for any other.

    Each transaction reads the record, and importing json would take longer than a lookup in libselinux.
    """
    words = text.split('"')[1::2]
    if "pending" not in words:
        return None
    middle = words.index("pending")
    lists = [[words[place:place + 8] for place in range(first, last, 8)]
             for first, last in ((2, middle), (middle + 1, len(words)))]
    whole = all(len(item) == 8 for items in lists for item in items)
    if not whole or _text(*([_ITEM % tuple(item[1::2]) for item in items] for items in lists)) != text:
        return None
    # The only escape in a plain string is that of the backslash itself.
    if not all(word.isprintable() and "\\" not in word.replace("\\\\", "") for word in words):
        return None
    return [[dict(zip(item[::2], (value.replace("\\\\", "\\") for value in item[1::2]))) for item in items]
            for items in lists]


def _text(rules: Sequence[str], pending: Sequence[str]) -> str:
    """Return the text of a record from serialized items; indentation by json takes ten times as long."""
    rules_text, pending_text = (",".join("\n  " + item for item in items) for items in (rules, pending))
    return '{"schema": %d,\n "rules": [%s],\n "pending": [%s]}\n' % (_SCHEMA, rules_text, pending_text)


def _trusted(root: str) -> None:
    reason = trust.distrust(root, STATE_DIR)
    if reason:
        raise HelperError("the record of our rules cannot be trusted: %s" % reason)


def _rules(items: Sequence[Dict[str, str]]) -> Dict[Key, Owned]:
    rules = {}
    for item in items:
        regex, file_type, context, unit = (item[name] for name in ("regex", "file_type", "context", "unit"))
        texts = [value.encode("utf-8") for value in (regex, context, unit)]
        if file_type not in (ALL_FILES, SOCKET) or any(b"\0" in text for text in texts):
            raise ValueError("not a rule: %r" % (item,))
        rule = Rule(regex, file_type, context)
        rules[rule.key] = Owned(rule, unit)
    return rules


def save(root: str, policy: str, record: Record) -> None:
    """Replace the record atomically; remove the file if the record is empty."""
    file = file_of(root, policy)
    directory = os.path.dirname(file)
    try:
        if not record.rules and not record.pending:
            if os.path.lexists(file):
                os.unlink(file)
                _sync(directory)
            return
        os.makedirs(directory, mode=0o755, exist_ok=True)
        temporary = file + ".new"
        if os.path.lexists(temporary):
            os.unlink(temporary)  # from a run that was killed
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        import json

        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(_text(*([json.dumps(item) for item in _items(rules)]
                                 for rules in (record.rules, record.pending))))
            stream.flush()
            os.fsync(descriptor)
        os.rename(temporary, file)
        _sync(directory)
    except OSError as error:
        raise HelperError("%s: cannot be written: %s" % (file, error.strerror)) from error


def _items(rules: Dict[Key, Owned]) -> List[Dict[str, str]]:
    return [{"regex": owned.rule.regex, "file_type": owned.rule.file_type, "context": owned.rule.context,
             "unit": owned.unit} for owned in rules.values()]


def _sync(directory: str) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
