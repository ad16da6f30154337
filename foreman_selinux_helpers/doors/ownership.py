"""The record of the rules that we added: only those are ever changed or removed.

One file for each policy type below /var/lib/foreman-selinux-helpers.  It is written before a
commit (``pending``) and after it, each time replaced as a whole: whatever happens between, the
next run can tell our rules from the administrator's.
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
    """Keep other runs of ours out, from looking at the record to having written it.

    Signals that ask us to stop are held back meanwhile.  The lock is gone with its holder.  It is on a
    file that only root may open: whoever may read a file can lock it, and keep everybody else out.
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
    """Read the record; an absent one is empty.  Raises HelperError for one that is damaged."""
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
    """Return the rules and the pending ones of a record."""
    found = _as_saved(text)
    if found is None:
        import json

        document = json.loads(text)
        found = [document["rules"], document["pending"]]
    return found


def _as_saved(text: str) -> Optional[List[List[Dict[str, str]]]]:
    """Return the same of a text exactly as save() writes it with plain strings, or None for any other.

    Every transaction reads it, and json would take longer to import than libselinux to answer.
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
    # Of all escapes only that of the backslash itself is plain.
    if not all(word.isprintable() and "\\" not in word.replace("\\\\", "") for word in words):
        return None
    return [[dict(zip(item[::2], (value.replace("\\\\", "\\") for value in item[1::2]))) for item in items]
            for items in lists]


def _text(rules: Sequence[str], pending: Sequence[str]) -> str:
    """Return the text of a record of written items; json's own indentation takes ten times as long."""
    rules_text, pending_text = (",".join("\n  " + item for item in items) for items in (rules, pending))
    return '{"schema": %d,\n "rules": [%s],\n "pending": [%s]}\n' % (_SCHEMA, rules_text, pending_text)


def _trusted(root: str) -> None:
    reason = trust.distrust(root, STATE_DIR)
    if reason:
        raise HelperError("the record of our rules cannot be trusted: %s" % reason)


def _rules(items: Sequence[Dict[str, str]]) -> Dict[Key, Owned]:
    found = {}
    for item in items:
        regex, file_type, context, unit = (item[name] for name in ("regex", "file_type", "context", "unit"))
        texts = [value.encode("utf-8") for value in (regex, context, unit)]
        if file_type not in (ALL_FILES, SOCKET) or any(b"\0" in text for text in texts):
            raise ValueError("not a rule: %r" % (item,))
        rule = Rule(regex, file_type, context)
        found[rule.key] = Owned(rule, unit)
    return found


def save(root: str, policy: str, record: Record) -> None:
    """Write the record so that it is either the old or the new one, whatever happens; an empty one goes."""
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
            os.unlink(temporary)  # left by a run that was killed
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
