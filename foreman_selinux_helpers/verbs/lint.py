"""The verb ``lint``: reads the files, has them judged, and reports."""

import os
import re
import stat
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

from ..doors import selinuxlib
from ..doors.policydb import CompiledPolicy
from ..lint import fcsource, judge
from ..lint.judge import SocketPath
from ..lint.rules import ERROR, UNESCAPED_DOT, WARNING
from ..lint.targets import HOST, NAMES, TARGETS, Target
from ..model import equivalence, unitfiles
from ..model.equivalence import Equivalences, Substitution
from ..model.errors import HelperError, UsageError
from . import documents
from .context import Done, Request, Verb, argument
from .documents import Document

# Three times what the whole of Fedora's policy has.
MAX_SIZE = 2 * 1024 * 1024
# More unescaped dots of one file than this are one line of the text.
_MOST_DOTS = 5
# It copies rules for /var/run to /run (selinux-policy of Fedora and EL 10).
_VAR_RUN_CONVERTER = "usr/libexec/selinux/varrun-convert.sh"
# The names of types: checkmodule takes hyphens and dots in them as well.
_TYPES = re.compile(r"\w+(?:[.-]+\w+)*")
_NO_TEXT = re.compile(b"[\x00-\x08\x0e-\x1f\x7f]")


class BrokenFile(NamedTuple):
    """A file that could not be read, or not to its end; ``line`` is 0 where none can be named."""

    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        return "%s: %s" % ("%s:%d" % (self.file, self.line) if self.line else self.file, self.reason)


class _Refused(Exception):
    def __init__(self, reason: str, line: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line


def _run(request: Request) -> Done:
    arguments, root, log = request.arguments, request.root(), request.log
    policy = selinuxlib.policy_type(root)
    compiled = CompiledPolicy(root, policy) if policy else None
    broken: List[BrokenFile] = []
    targets = _targets(arguments.target, root, policy)
    sockets: List[SocketPath] = []
    for directory in arguments.units:
        sockets += _sockets(directory, broken)
    findings: List[Document] = []
    rules = 0
    for file in dict.fromkeys(arguments.files):
        try:
            source = fcsource.parse(_read(file))
        except _Refused as refused:
            broken.append(BrokenFile(file, refused.line, refused.reason))
            continue
        if source.problem:
            broken.append(BrokenFile(file, *source.problem))
        rules += len(source.rules)
        for one in judge.lint(source.rules, targets, sockets, _has_type(compiled, file, broken) if compiled else None):
            findings.append({"file": file, "line": one.line, "code": one.code, "severity": one.severity,
                             "message": one.message, "suggestion": one.suggestion, "targets": list(one.targets)})
    for fault in broken:
        log.error(str(fault))
    counted = [one for one in findings if arguments.strict or one["severity"] == ERROR]
    notes = [] if policy else ["no SELinux policy is installed in %s: whether types exist is not checked" % root]
    document = dict(
        documents.envelope("lint", not counted and not broken, False, notes),
        targets=[one.name for one in targets], files=len(set(arguments.files)), rules=rules, findings=findings)
    if broken:
        document["broken_files"] = [dict(one._asdict()) for one in broken]
    return Done(document, text, broken=bool(broken))


# -- reading -------------------------------------------------------------------------------------


def _read(file: str) -> str:
    """Return the text of a file; odd bytes are kept."""
    try:
        handle = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as stream:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise _Refused("is not a regular file")
            content = stream.read(MAX_SIZE + 1)
    except OSError as error:
        raise _Refused("cannot be read: %s" % error.strerror) from error
    except ValueError as error:
        raise _Refused("cannot be read: this is no file name") from error
    if len(content) > MAX_SIZE:
        raise _Refused("is larger than %d MiB; no policy is" % (MAX_SIZE >> 20))
    odd = _NO_TEXT.search(content)
    if odd:
        raise _Refused("is not text: byte %d is 0x%02x" % (odd.start() + 1, content[odd.start()]),
                       content.count(b"\n", 0, odd.start()) + 1)
    return content.decode("utf-8", "surrogateescape")


def _targets(names: Sequence[str], root: str, policy: Optional[str]) -> List[Target]:
    """Return the targets of these names; by default all, the host's only if it has a policy."""
    if HOST in names and not policy:
        raise UsageError("--target %s: no SELinux policy is installed in %s" % (HOST, root))
    chosen = list(dict.fromkeys(names)) or list(TARGETS) + [HOST] * bool(policy)
    return [_host(root, policy) if name == HOST and policy else TARGETS[name] for name in chosen]


def _host(root: str, policy: str) -> Target:
    def substitutions(suffix: str) -> Sequence[Substitution]:
        file = os.path.join(root, "etc/selinux", policy, "contexts/files/file_contexts" + suffix)
        content = selinuxlib.read_text(file) or ""
        fault = equivalence.fault(content, file)
        if fault:
            raise HelperError(fault)
        return equivalence.parse(content, file)
    return Target(HOST, Equivalences(substitutions(".subs"), substitutions(".subs_dist")),
                  converts_var_run=os.path.lexists(os.path.join(root, _VAR_RUN_CONVERTER)))


def _has_type(policy: CompiledPolicy, file: str, broken: List[BrokenFile]) -> Callable[[str], bool]:
    """Return what tells whether a type may exist: in the policy, or by the module's own source beside the file."""
    own: Set[str] = set()
    made: List[str] = []
    source = os.path.splitext(file)[0] + ".te"
    if os.path.exists(source):
        try:
            text = _read(source)
            own = set(_TYPES.findall(text))
            # Templates make types whose names hold their first argument.
            made = re.findall(r"\w_template\(\s*`?([\w-]+)", text)
        except _Refused as refused:
            broken.append(BrokenFile(source, refused.line, refused.reason))

    def has_type(name: str) -> bool:
        return name in own or any(one in name for one in made) or policy.primary(name) is not None
    return has_type


def _sockets(directory: str, broken: List[BrokenFile]) -> List[SocketPath]:
    """Return the paths that the socket units of a directory listen on, with their drop-ins."""
    try:
        names = os.listdir(directory)
    except OSError as error:
        raise UsageError("--units %s: %s" % (directory, error.strerror)) from error
    units: Dict[str, List[str]] = {name: [os.path.join(directory, name)] for name in sorted(names)
                                   if name.endswith(".socket")}
    for name in sorted(names):
        if name.endswith(".socket.d"):
            try:
                drop_ins = sorted(one for one in os.listdir(os.path.join(directory, name)) if one.endswith(".conf"))
            except OSError as error:
                broken.append(BrokenFile(os.path.join(directory, name), 0, "cannot be read: %s" % error.strerror))
                continue
            units.setdefault(name[:-len(".d")], []).extend(os.path.join(directory, name, one) for one in drop_ins)
    found = []
    for unit, files in units.items():
        texts = []
        for file in files:
            if os.path.islink(file) and os.readlink(file) == os.devnull:
                continue  # masked
            try:
                texts.append(_read(file))
            except _Refused as refused:
                broken.append(BrokenFile(file, refused.line, refused.reason))
        found += [SocketPath(path, unit) for path in unitfiles.listen_paths(unit, texts)]
    return found


# -- for people ----------------------------------------------------------------------------------


def text(document: Document, colour: bool = False) -> str:
    """Return the document as lines that editors and grep understand, suggestions below what they mend."""
    lines: List[str] = []
    findings = document["findings"]
    for file in dict.fromkeys(one["file"] for one in findings):
        lines += _of_file([one for one in findings if one["file"] == file], document["targets"])
    lines += ["note: %s" % note for note in document["notes"]]
    verdict = _count(len(findings), "finding") if findings else "nothing found"
    if "broken_files" in document:
        verdict += ", but not everything could be read"
    lines.append("%s, %s: %s (%s)" % (
        _count(document["files"], "file"), _count(document["rules"], "rule"), verdict, ", ".join(document["targets"])))
    return "".join(_printable(line) + "\n" for line in lines)


def _of_file(findings: Sequence[Document], every_target: Sequence[str]) -> List[str]:
    """Return the lines about one file: errors first, then warnings; many unescaped dots are one line."""
    dots = [one for one in findings if one["code"] == UNESCAPED_DOT]
    if len(dots) <= _MOST_DOTS:
        dots = []
    shown = [one for severity in (ERROR, WARNING) for one in findings
             if one["severity"] == severity and not (dots and one["code"] == UNESCAPED_DOT)]
    lines: List[str] = []
    for one, following in zip(shown, shown[1:] + [{}]):
        where = "" if one["targets"] == every_target else " [%s]" % ", ".join(one["targets"])
        lines.append("%s:%d: %s: %s (%s)%s" % (
            one["file"], one["line"], one["code"], one["message"], one["severity"], where))
        if one["suggestion"] is not None and _mended(one) != _mended(following):
            lines += ["    " + line for line in one["suggestion"].split("\n")]
    if dots:
        numbers = ", ".join(dict.fromkeys(str(one["line"]) for one in dots))
        lines.append("%s:%d: %s: %d rules have a dot that matches any character, not the dot alone: lines %s (%s; "
                     "--json says what to write instead)" % (
                         dots[0]["file"], dots[0]["line"], UNESCAPED_DOT, len(dots), numbers, WARNING))
    return lines


def _mended(one: Document) -> Tuple[object, ...]:
    return (one.get("file"), one.get("line"), one.get("suggestion"))


def _count(number: int, what: str) -> str:
    return "%d %s%s" % (number, what, "" if number == 1 else "s")


def _printable(line: str) -> str:
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in line)


VERB = Verb("say what is wrong with a package's file contexts before it ships", _run, [
    argument("files", nargs="+", metavar="FILE.fc", help="the source of a policy module's file contexts"),
    argument("--target", action="append", default=[], choices=NAMES, metavar="TARGET",
             help="judge for %s (may repeat; default: all)" % ", ".join(NAMES)),
    argument("--units", action="append", default=[], metavar="DIR",
             help="the socket units in DIR say which paths are sockets (may repeat)"),
    argument("--strict", action="store_true", help="exit with 1 for warnings as well")])
