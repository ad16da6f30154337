"""Reports: one document for machines (JSON, schema 1) and one layout for people.  Pure."""

from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence

from . import plan, rules
from .converge import Outcome
from .labelcache import LabelCache
from .plan import Result
from .profiles import BrokenProfile

if TYPE_CHECKING:
    from .detection import Build

SCHEMA = 1
Document = Dict[str, Any]


def outcome_document(command: str, outcome: Outcome) -> Document:
    """Return the document of status, repair, register, reexec and restart."""
    seen = outcome.observation
    document: Document = {"schema": SCHEMA, "command": command, "ok": outcome.ok, "changed": outcome.changed,
                          "notes": seen.host.notes()}
    if command == "register":
        document["ok"] = not any(one.outcome == plan.FAILED for one in outcome.results)
        document["rules"] = [_rule(one) for one in seen.decisions]
        document["results"] = [_result(one) for one in outcome.results]
        return document
    document["label_cache"] = _cache(seen.cache)
    if command != "status":
        document["plan"] = [dict(one._asdict()) for one in outcome.plan]
        document["results"] = [_result(one) for one in outcome.results]
    if command != "reexec":
        document["sockets"] = [{
            "unit": one.view.unit, "profile": one.view.profile, "path": one.view.path,
            "expected": one.view.expected, "path_label": one.view.path_label,
            "socket_label": one.view.socket_label, "problem": one.problem, "remedy": one.remedy,
            "in_use": one.view.in_use,
        } for one in outcome.sockets]
    return document


def unregister_document(decisions: Sequence[rules.Decision], results: Sequence[Result]) -> Document:
    """Return the document of unregister."""
    return {"schema": SCHEMA, "command": "unregister",
            "ok": not any(one.outcome == plan.FAILED for one in results),
            "changed": any(one.outcome == plan.DONE for one in results),
            "notes": [], "rules": [_rule(one) for one in decisions], "results": [_result(one) for one in results]}


def detect_document(running: "Build", installed: "Build", cache: LabelCache, notes: Sequence[str]) -> Document:
    """Return the document of detect."""
    return {"schema": SCHEMA, "command": "detect", "ok": True, "changed": False, "notes": list(notes),
            "running": dict(running._asdict()), "installed": dict(installed._asdict()), "label_cache": _cache(cache)}


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
    return {"state": cache.state, "evidence": list(cache.evidence)}


# -- for people ------------------------------------------------------------------------------


def text(document: Document, dry_run: bool = False) -> str:
    """Return a document as lines for a terminal."""
    lines: List[str] = []
    if "plan" in document and (dry_run or not document["results"]):
        lines += _plan(document["plan"], dry_run)
    if document.get("results") and "rules" not in document:
        lines += _results(document["results"])
    if "rules" in document:
        lines += _rules(document)
    for one in document.get("sockets", ()):
        lines += _socket(one)
    if document["command"] == "status" and not document["sockets"]:
        lines.append("no socket unit is named by a profile")
    for which in ("running", "installed"):
        if which in document:
            lines += _build(which, document[which])
    if "label_cache" in document:
        lines += _label_cache(document["label_cache"])
    lines += ["note: %s" % note for note in document["notes"]]
    return "".join(line + "\n" for line in lines)


def _plan(steps: Sequence[Document], dry_run: bool) -> List[str]:
    if not steps:
        return ["nothing to do"]
    lines = ["would do:" if dry_run else "to do:"]
    for number, one in enumerate(steps, 1):
        lines.append("  %d. %-19s %s" % (number, one["step"], one["target"]))
        lines.append("     %s" % one["reason"])
    return lines


def _results(results: Sequence[Document]) -> List[str]:
    lines = []
    for one in results:
        guard = " (%s)" % one["guard"] if one["guard"] else ""
        lines.append("%-10s  %s %s%s" % (one["outcome"], one["step"], one["target"], guard))
        if one["detail"] and one["outcome"] != plan.NOT_NEEDED:
            lines.append("            %s" % one["detail"])
    return lines


def _rules(document: Document) -> List[str]:
    failed = {one["target"]: one["detail"] for one in document["results"] if one["outcome"] == plan.FAILED}
    lines = []
    for one in document["rules"]:
        target = "  ".join((one["regex"], one["context"]))
        why = failed.get(target)
        lines.append("%-6s  %s" % ("failed" if why else one["action"], target))
        lines.append("        %s: %s" % (one["unit"], why or one["reason"]))
    return lines or ["no rules"]


def _socket(one: Document) -> List[str]:
    verdict = "WRONG: %s" % one["problem"] if one["problem"] else "ok" if one["in_use"] else "ok, not in use"
    lines = ["%s  %s  %s" % (one["unit"], one["path"], verdict)]
    if not one["in_use"] and not one["problem"] and not one["expected"]:
        return lines
    for name, key in (("expected", "expected"), ("path label", "path_label"), ("socket label", "socket_label")):
        lines.append("    %-13s %s" % (name, one[key] or "-"))
    if one["remedy"]:
        lines.append("    %-13s %s" % ("remedy", one["remedy"]))
    return lines


def _build(which: str, build: Document) -> List[str]:
    package: Optional[str] = build["evr"]
    head = "systemd %s: %s" % (which, build["version"] or "unknown")
    if package and package not in (build["version"] or ""):
        head += ", package %s" % package
    return [head, "    %-13s %s" % ("refresh", build["refresh"])] + ["    %s" % why for why in build["evidence"]]


def _label_cache(cache: Document) -> List[str]:
    return ["PID 1's label cache: %s" % cache["state"]] + ["    %s" % why for why in cache["evidence"]]
