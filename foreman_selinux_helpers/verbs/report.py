"""Reports: one document for machines (JSON, schema 1) and one layout for people.  Pure."""

from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence

from ..model import layout, plan, rules, sockets
from ..model.labelcache import STALE, LabelCache
from ..model.outcome import Outcome
from ..model.plan import Result
from ..model.profiles import BrokenProfile
from ..sources import host as hosts

if TYPE_CHECKING:
    from ..sources.detection import Build

SCHEMA = 1
Document = Dict[str, Any]


def outcome_document(command: str, outcome: Outcome) -> Document:
    """Return the document of status, repair, register, reexec and restart."""
    seen = outcome.observation
    document: Document = {"schema": SCHEMA, "command": command, "ok": outcome.ok, "changed": outcome.changed,
                          "notes": hosts.notes(seen.host) + profile_notes(seen.views)}
    if command == "register":
        document["ok"] = not any(one.outcome == plan.FAILED for one in outcome.results)
        document["rules"] = [_rule(one) for one in seen.decisions]
        document["results"] = [_result(one) for one in outcome.results]
        return document
    document["label_cache"] = _cache(seen.cache)
    if command != "status":
        document["plan"] = [dict(one._asdict()) for one in outcome.plan]
        document["results"] = [_result(one) for one in outcome.results]
    if outcome.error:
        document["error"] = outcome.error
    if command != "reexec":
        document["sockets"] = [{
            "unit": one.view.unit, "profile": one.view.profile, "path": one.view.path,
            "expected": one.view.expected, "held_answer": (seen.cache.answers or {}).get(one.view.path),
            "path_label": one.view.path_label,
            "socket_label": one.view.socket_label, "problem": one.problem, "remedy": one.remedy,
            "in_use": one.view.in_use, "exists": one.view.exists,
        } for one in outcome.sockets]
    return document


def profile_notes(views: Sequence[sockets.SocketView]) -> List[str]:
    """Say which profiles do less than they say, for sockets that are in use."""
    notes = []
    for view in views:
        if view.in_use and view.idle:
            notes.append("the profile %s does nothing for %s: the policy has no type %s"
                         % (view.profile, view.path, view.type))
        elif view.own_word:
            notes.append("the policy itself labels %s %s, which counts for more than the profile %s"
                         % (view.path, view.type, view.profile))
    return notes


def unregister_document(decisions: Sequence[rules.Decision], results: Sequence[Result]) -> Document:
    """Return the document of unregister."""
    return {"schema": SCHEMA, "command": "unregister",
            "ok": not any(one.outcome == plan.FAILED for one in results),
            "changed": any(one.outcome == plan.DONE for one in results),
            "notes": [], "rules": [_rule(one) for one in decisions], "results": [_result(one) for one in results]}


def detect_document(running: "Build", installed: "Build", libselinux: Optional[str], reexec_due: Optional[str],
                    cache: LabelCache, notes: Sequence[str]) -> Document:
    """Return the document of detect; ``reexec_due`` says why the running PID 1 is not the installed one."""
    upgraded = ["%s: systemd was upgraded, and PID 1 was not re-executed since" % reexec_due] if reexec_due else []
    return {"schema": SCHEMA, "command": "detect", "ok": True, "changed": False, "notes": list(notes) + upgraded,
            "running": dict(running._asdict()), "installed": dict(installed._asdict()), "libselinux": libselinux,
            "reexec_due": bool(reexec_due), "label_cache": _cache(cache)}


def add_broken(document: Document, broken: Sequence[BrokenProfile]) -> Document:
    """Add the profiles that are refused; nothing is well while there are any."""
    if broken:
        document["ok"] = False
        document["broken_profiles"] = [dict(one._asdict()) for one in broken]
    return document


def _rule(one: rules.Decision) -> Document:
    return {"regex": one.rule.regex, "file_type": one.rule.file_type, "context": one.rule.context,
            "action": one.action, "reason": one.reason, "unit": one.unit}


def _result(one: Result) -> Document:
    return dict(one._asdict())


def _cache(cache: LabelCache) -> Document:
    return {"state": cache.state, "harmless": cache.harmless, "evidence": list(cache.evidence)}


# -- for people ------------------------------------------------------------------------------


MEANINGS = {
    rules.NO_RULE: "No rule gives this path the type that is wanted.",
    rules.WRONG_FILE_TYPE: "The rule for this path does not cover sockets.",
    rules.ALIASED_PATH: "The rule is written on the substituted side of an equivalence and can never match.",
    rules.SHADOWED: "Another rule wins.",
    rules.NO_SUCH_TYPE: "The policy does not have the type that is wanted, and the client may not connect.",
    sockets.LABEL_CACHE_STALE: "The rules are right, but PID 1 labels by an outdated label database.",
    sockets.MADE_BEFORE_RULE: "The rules are right; what is there was labelled before them, or by hand.",
    sockets.NOT_MADE_BY_SYSTEMD: "Not systemd but another program made this socket.",
    sockets.NO_LABEL_SUPPORT: "The file system keeps no labels.",
    sockets.SOCKET_LABEL: "The path is right; the socket object that listens has another label than a new one gets.",
    sockets.POLICY_DENIES: "All labels are right, and the policy still does not let the client connect.",
}


def text(document: Document, dry_run: bool = False, colour: bool = False) -> str:
    """Return a document as lines for a terminal."""
    lines: List[str] = []
    # A dry run that a guard refuses has a result, and no plan.
    if "plan" in document and (dry_run or not document["results"]) and (document["plan"] or not document["results"]):
        lines += _plan(document["plan"], dry_run)
    if document.get("results") and "rules" not in document:
        lines += _results(document["results"])
    if "rules" in document:
        lines += _rules(document)
    lines += _sockets(document.get("sockets", ()), colour)
    if document["command"] == "status" and not document["sockets"]:
        lines.append("no socket unit is named by a profile")
    for which in ("running", "installed"):
        if which in document:
            lines += _build(which, document[which])
    if document.get("libselinux"):
        lines.append("libselinux: package %s" % document["libselinux"])
    if "label_cache" in document:
        lines += label_cache_lines(document["label_cache"])
    for note in document["notes"]:
        lines += layout.wrap(note, 6, "note: ")
    return "".join(line + "\n" for line in lines)


def _plan(steps: Sequence[Document], dry_run: bool) -> List[str]:
    if not steps:
        return ["nothing to do"]
    lines = ["would do:" if dry_run else "to do:"]
    for number, one in enumerate(steps, 1):
        lines += layout.wrap(one["target"], 25, "  %d. %-19s " % (number, one["step"]))
        lines += layout.wrap(one["reason"], 5)
    return lines


def _results(results: Sequence[Document]) -> List[str]:
    lines = []
    for one in results:
        guard = " (%s)" % one["guard"] if one["guard"] else ""
        lines += layout.wrap("%s %s%s" % (one["step"], one["target"], guard), 12, "%-10s  " % one["outcome"])
        if one["detail"] and one["outcome"] != plan.NOT_NEEDED:
            lines += layout.wrap(one["detail"], 12)
    return lines


def _rules(document: Document) -> List[str]:
    failed = {one["target"]: one["detail"] for one in document["results"] if one["outcome"] == plan.FAILED}
    lines = []
    for one in document["rules"]:
        target = "  ".join((one["regex"], one["context"]))
        why = failed.get(target)
        lines += layout.wrap(target, 8, "%-6s  " % ("failed" if why else one["action"]))
        lines += layout.wrap("%s: %s" % (one["unit"], why or one["reason"]), 8)
    return lines or ["no rules"]


def _sockets(found: Sequence[Document], colour: bool) -> List[str]:
    """Return a table of many sockets, and the story of each that is wrong, or of the only one."""
    if len(found) == 1:
        return _socket(found[0], colour)
    rows = layout.table([(one["unit"], one["path"]) for one in found])
    widest = max([len(row) for row in rows] or [0])
    lines = ["%s  %s" % (row.ljust(widest), verdict(one, colour))
             for one, row in zip(found, rows)]
    for one in found:
        if one["problem"]:
            lines += [""] + _socket(one, colour)
    return lines + [""] if any(one["problem"] for one in found) else lines


def verdict(socket: Document, colour: bool) -> str:
    """Return in a word or two what is the matter."""
    if socket["problem"]:
        return layout.paint("WRONG: %s" % socket["problem"], "bad", colour)
    if socket["in_use"] and socket["exists"] is None:
        return "not seen: permission denied"
    return layout.paint("ok" if socket["in_use"] else "ok, not in use", "good", colour)


def _socket(one: Document, colour: bool) -> List[str]:
    said = verdict(one, colour)
    lines = ["%s  %s  %s" % (one["unit"], layout.printable(one["path"]), said)]
    if not one["in_use"] and not one["problem"] and not one["expected"]:
        return lines
    if one["problem"]:
        lines += layout.wrap(MEANINGS.get(one["problem"], ""), 4)
    for name, key in (("expected", "expected"), ("path label", "path_label"), ("socket label", "socket_label")):
        lines += layout.entry(name, one[key] or "-")
    if one["problem"] == sockets.LABEL_CACHE_STALE and one["held_answer"]:
        lines += layout.entry("PID 1 says", one["held_answer"])
    if one["remedy"]:
        lines += layout.entry("remedy", one["remedy"])
    return lines


def _build(which: str, build: Document) -> List[str]:
    package: Optional[str] = build["evr"]
    head = "systemd %s: %s" % (which, build["version"] or "unknown")
    if package and package not in (build["version"] or ""):
        head += ", package %s" % package
    lines = [head] + layout.entry("refresh", build["refresh"])
    for why in build["evidence"]:
        lines += layout.wrap(why, 4)
    return lines


def label_cache_lines(cache: Document) -> List[str]:
    """Return what PID 1's label cache is, and what shows it."""
    harmless = cache["state"] == STALE and cache["harmless"]
    lines = ["PID 1's label cache: %s" % (
        "old and harmless: it gives every socket here the right label" if harmless else cache["state"])]
    for why in () if harmless else cache["evidence"]:
        lines += layout.wrap(why, 4)
    return lines
