"""The verb ``lint``: check the sources of file contexts."""

from ..doors import selinuxlib
from ..doors.policydb import CompiledPolicy
from ..lint import fcsource, judge
from ..lint.codes import ERROR, UNESCAPED_DOT, WARNING
from ..lint.judge import SocketPath
from ..lint.targets import HOST, NAMES, TARGETS, Target
from ..model.errors import Refused, UsageError
from ..model.origin import of_root
from ..model.typed import List, Optional, Sequence, Tuple
from ..sources import fcfiles
from ..sources.fcfiles import BrokenFile
from . import documents
from .context import Done, Request, Verb, argument
from .documents import Document, Looked

# If one file has more unescaped dots than this, the text reports them on one line.
_MOST_DOTS = 5


def _run(request: Request) -> Done:
    arguments, root, log = request.arguments, request.root(), request.log
    policy = selinuxlib.policy_type(root)
    compiled = CompiledPolicy(root, policy) if policy else None
    broken: List[BrokenFile] = []
    targets = _targets(arguments.target, root, policy)
    sockets: List[SocketPath] = []
    for directory in arguments.units:
        sockets += [SocketPath(*listening) for listening in fcfiles.listening(directory, broken)]
    findings: List[Document] = []
    rules = 0
    for file in dict.fromkeys(arguments.files):
        try:
            source = fcsource.parse(fcfiles.read(file))
        except Refused as refused:
            broken.append(BrokenFile(file, refused.line, refused.reason))
            continue
        if source.problem:
            broken.append(BrokenFile(file, *source.problem))
        rules += len(source.rules)
        has_type = fcfiles.has_type_of(compiled, file, broken) if compiled else None
        for finding in judge.lint(source.rules, targets, sockets, has_type):
            findings.append({"file": file, "line": finding.line, "code": finding.code, "severity": finding.severity,
                             "message": finding.message, "suggestion": finding.suggestion,
                             "targets": list(finding.targets)})
    for fault in broken:
        log.error(str(fault))
    counted = [finding for finding in findings if arguments.strict or finding["severity"] == ERROR]
    unchecked = [] if policy else ["no SELinux policy is installed in %s: whether types exist is not checked" % root]
    document = dict(
        documents.envelope("lint", not counted and not broken, False,
                           Looked(of_root(root), unchecked, unchecked)),
        targets=[target.name for target in targets], files=len(set(arguments.files)), rules=rules, findings=findings)
    if broken:
        document["broken_files"] = [dict(file._asdict()) for file in broken]
    return Done(document, text, broken=bool(broken))


def _targets(names: Sequence[str], root: str, policy: Optional[str]) -> List[Target]:
    """Return the targets of these names; by default all, the host only if it has a policy."""
    if HOST in names and not policy:
        raise UsageError("--target %s: no SELinux policy is installed in %s" % (HOST, root))
    chosen = list(dict.fromkeys(names)) or list(TARGETS) + [HOST] * bool(policy)
    return [_host(root, policy) if name == HOST and policy else TARGETS[name] for name in chosen]


def _host(root: str, policy: str) -> Target:
    return Target(HOST, fcfiles.equivalences(root, policy), converts_var_run=fcfiles.converts_var_run(root))


def text(document: Document, colour: bool = False) -> str:
    """Return the text of the document: lines in the format of grep(1), each followed by its suggestion."""
    lines: List[str] = []
    findings = document["findings"]
    for file in dict.fromkeys(finding["file"] for finding in findings):
        lines += _of_file([finding for finding in findings if finding["file"] == file], document["targets"])
    lines += ["note: %s" % note for note in document["notes"]]
    verdict = _count(len(findings), "finding") if findings else "nothing found"
    if "broken_files" in document:
        verdict += ", but not everything could be read"
    lines.append("%s, %s: %s (%s)" % (
        _count(document["files"], "file"), _count(document["rules"], "rule"), verdict, ", ".join(document["targets"])))
    return "".join(_printable(line) + "\n" for line in lines)


def _of_file(findings: Sequence[Document], every_target: Sequence[str]) -> List[str]:
    """Return the lines about one file: errors first, then warnings; many unescaped dots share one line."""
    dots = [finding for finding in findings if finding["code"] == UNESCAPED_DOT]
    if len(dots) <= _MOST_DOTS:
        dots = []
    shown = [finding for severity in (ERROR, WARNING) for finding in findings
             if finding["severity"] == severity and not (dots and finding["code"] == UNESCAPED_DOT)]
    lines: List[str] = []
    for finding, following in zip(shown, shown[1:] + [{}]):
        where = "" if finding["targets"] == every_target else " [%s]" % ", ".join(finding["targets"])
        lines.append("%s:%d: %s: %s (%s)%s" % (
            finding["file"], finding["line"], finding["code"], finding["message"], finding["severity"], where))
        if finding["suggestion"] is not None and _mended(finding) != _mended(following):
            lines += ["    " + line for line in finding["suggestion"].split("\n")]
    if dots:
        numbers = ", ".join(dict.fromkeys(str(finding["line"]) for finding in dots))
        lines.append("%s:%d: %s: %d rules have a dot that matches any character, not only a dot: lines %s (%s; "
                     "--json shows what to write instead)" % (
                         dots[0]["file"], dots[0]["line"], UNESCAPED_DOT, len(dots), numbers, WARNING))
    return lines


def _mended(finding: Document) -> Tuple[object, ...]:
    return (finding.get("file"), finding.get("line"), finding.get("suggestion"))


def _count(number: int, what: str) -> str:
    return "%d %s%s" % (number, what, "" if number == 1 else "s")


def _printable(line: str) -> str:
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in line)


VERB = Verb("check a package's file contexts before it ships", _run, [
    argument("files", nargs="+", metavar="FILE.fc", help="the source of a policy module's file contexts"),
    argument("--target", action="append", default=[], choices=NAMES, metavar="TARGET",
             help="judge for %s (may repeat; default: all)" % ", ".join(NAMES)),
    argument("--units", action="append", default=[], metavar="DIR",
             help="take the paths of sockets from the units in DIR (may repeat)"),
    argument("--strict", action="store_true", help="exit with 1 for warnings as well")])
