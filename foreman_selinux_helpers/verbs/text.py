"""The parts of texts that several verbs share: sockets, plans, results, rules, PID 1's label cache, notes."""

from ..model import causes, layout, plan
from ..model.filecontexts import type_of
from ..model.labelcache import STALE
from ..model.origin import SOS
from ..model.typed import Iterable, List, Sequence
from .documents import Document


def joined(lines: Iterable[str]) -> str:
    """Return lines as one text."""
    return "".join(line + "\n" for line in lines)


def notes(document: Document) -> List[str]:
    """Return the notes of a document, and what could not be seen, where it is a report that does not tell it."""
    lines = [line for note in document["notes"] for line in layout.wrap(note, 6, "note: ")]
    unseen = document["unseen"] if document["source"] == SOS else []
    return lines + [line for words in unseen if words not in document["notes"]
                    for line in layout.wrap(words, 10, "not seen: ")]


def acted(document: Document, colour: bool = False, dry_run: bool = False) -> str:
    """Return the text of a verb that acts: the results, or else the plan, and the present state."""
    # A dry run that a guard refuses has a result, and no plan.
    planned = (dry_run or not document["results"]) and (document["plan"] or not document["results"])
    return joined(
        (_plan(document["plan"], dry_run) if planned else []) + _results(document["results"])
        + (table(document, colour) if "sockets" in document else []) + survey(document, colour)
        + label_cache(document["label_cache"]) + notes(document))


def _plan(steps: Sequence[Document], dry_run: bool) -> List[str]:
    if not steps:
        return ["nothing to do"]
    lines = ["would do:" if dry_run else "to do:"]
    for number, step in enumerate(steps, 1):
        lines += layout.wrap(step["target"], 25, "  %d. %-19s " % (number, step["step"]))
        lines += layout.wrap(step["reason"], 5)
    return lines


def _results(results: Sequence[Document]) -> List[str]:
    lines = []
    for result in results:
        guard = " (%s)" % result["guard"] if result["guard"] else ""
        lines += layout.wrap("%s %s%s" % (result["step"], result["target"], guard), 12, "%-10s  " % result["outcome"])
        if result["detail"] and result["outcome"] != plan.NOT_NEEDED:
            lines += layout.wrap(result["detail"], 12)
    return lines


def decided(document: Document, colour: bool = False) -> str:
    """Return the text of a verb for the rules only: the decision about each."""
    failed = {result["target"]: result["detail"] for result in document["results"] if result["outcome"] == plan.FAILED}
    lines = []
    for rule in document["rules"]:
        target = "  ".join((rule["regex"], rule["context"]))
        why = failed.get(target)
        lines += layout.wrap(target, 8, "%-6s  " % ("failed" if why else rule["action"]))
        lines += layout.wrap("%s: %s" % (rule["unit"], why or rule["reason"]), 8)
    return joined((lines or ["no rules"]) + notes(document))


def table(document: Document, colour: bool) -> List[str]:
    """Return a table of many sockets, and the story of each that is wrong, or of the only one."""
    found = document["sockets"]
    hidden = "the report does not tell" if document["source"] == SOS else "permission denied"
    if len(found) == 1:
        return _socket(found[0], hidden, colour)
    rows = layout.table([(one["unit"], one["path"]) for one in found])
    widest = max([len(row) for row in rows] or [0])
    lines = ["%s  %s" % (row.ljust(widest), _verdict(one, hidden, colour))
             for one, row in zip(found, rows)]
    for one in found:
        if one["problem"]:
            lines += [""] + _socket(one, hidden, colour)
    return lines + [""] if any(one["problem"] for one in found) else lines


def _verdict(socket: Document, hidden: str, colour: bool) -> str:
    """Return in a word or two what is the matter."""
    if socket["problem"]:
        return layout.paint("WRONG: %s" % socket["problem"], "bad", colour)
    if socket["in_use"] and socket["exists"] is None:
        return "not seen: %s" % hidden
    return layout.paint("ok" if socket["in_use"] else "ok, not in use", "good", colour)


def _socket(socket: Document, hidden: str, colour: bool) -> List[str]:
    said = _verdict(socket, hidden, colour)
    lines = ["%s  %s  %s" % (socket["unit"], layout.printable(socket["path"]), said)]
    if not socket["in_use"] and not socket["problem"] and not socket["expected"]:
        return lines
    if socket["problem"]:
        lines += layout.wrap(causes.named(socket["problem"]).meaning, 4)
    for name, key in (("expected", "expected"), ("path label", "path_label"), ("socket label", "socket_label")):
        lines += layout.entry(name, socket[key] or "-")
    if socket["expected_socket_label"] not in (None, socket["socket_label"]):
        lines += layout.entry("", "a new socket would get %s" % socket["expected_socket_label"])
    lines += permissions(socket)
    if socket["problem"] == causes.LABEL_CACHE_STALE and socket["held_answer"]:
        lines += layout.entry("PID 1 says", socket["held_answer"])
    if socket["remedy"]:
        lines += layout.entry("remedy", socket["remedy"])
    return lines


def survey(document: Document, colour: bool) -> List[str]:
    """Return the summary of all sockets, and those that no unit created, if all were requested."""
    if "foreign" not in document:
        return []
    sockets = document["sockets"]
    wrong = sum(bool(socket["problem"]) for socket in sockets)
    unseen = sum(not socket["problem"] and socket["in_use"] and socket["exists"] is None for socket in sockets)
    words = ["%d wrong" % wrong, "%d right" % (len(sockets) - wrong - unseen)] + ["%d not seen" % unseen] * bool(unseen)
    lines = [layout.paint("%d sockets: %s" % (len(sockets), ", ".join(words)), "bad" if wrong else "good", colour)]
    for socket in document["foreign"]:
        lines += layout.wrap("%s is %s, and the rules say %s; no socket unit created it" % (
            socket["path"], type_of(socket["path_label"]), type_of(socket["expected"])), 6)
    return [*lines, ""]


def permissions(inode: Document) -> List[str]:
    """Return the line with the mode, the owner and the group of a file, if they were read."""
    return layout.entry("mode", "%s %s:%s" % (inode["mode"], inode["owner"], inode["group"])) if inode["mode"] else []


def label_cache(cache: Document) -> List[str]:
    """Return the lines on the state of PID 1's label cache, with the evidence."""
    harmless = cache["state"] == STALE and cache["harmless"]
    lines = ["PID 1's label cache: %s" % (
        "old and harmless: it gives every socket here the right label" if harmless else cache["state"])]
    for why in () if harmless else cache["evidence"]:
        lines += layout.wrap(why, 4)
    return lines
