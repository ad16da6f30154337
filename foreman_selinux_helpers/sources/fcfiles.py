"""Read the files for ``lint``: sources of policy modules, socket units, and the policy below a root directory."""

import os
import re

from ..doors import labelfiles, trust
from ..doors.policydb import CompiledPolicy
from ..model import unitfiles
from ..model.equivalence import Equivalences
from ..model.errors import Refused, UsageError
from ..model.typed import Callable, Dict, List, Set, Tuple, Value

# Three times the size of Fedora's whole policy.
MAX_SIZE = 2 * 1024 * 1024
# This script copies rules for /var/run to /run (selinux-policy of Fedora and EL 10).
_VAR_RUN_CONVERTER = "usr/libexec/selinux/varrun-convert.sh"
# The names of types: checkmodule also accepts hyphens and dots in them.
_NAMES = re.compile(r"\w+(?:[.-]+\w+)*")
_NO_TEXT = re.compile(b"[\x00-\x08\x0e-\x1f\x7f]")


class BrokenFile(Value):
    """A file that cannot be read completely; ``line`` is 0 if the line is not known."""

    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        return "%s: %s" % ("%s:%d" % (self.file, self.line) if self.line else self.file, self.reason)


def read(file: str) -> str:
    """Return the text of a file; bytes that are not UTF-8 become lone surrogates."""
    try:
        with os.fdopen(trust.open_regular(file, follow=True), "rb") as stream:
            content = stream.read(MAX_SIZE + 1)
    except OSError as error:
        raise Refused("cannot be read: %s" % error.strerror) from error
    except ValueError as error:
        raise Refused("cannot be read: this is no file name") from error
    if len(content) > MAX_SIZE:
        raise Refused("is larger than %d MiB; no policy is" % (MAX_SIZE >> 20))
    odd = _NO_TEXT.search(content)
    if odd:
        raise Refused("is not text: byte %d is 0x%02x" % (odd.start() + 1, content[odd.start()]),
                       content.count(b"\n", 0, odd.start()) + 1)
    return content.decode("utf-8", "surrogateescape")


def equivalences(root: str, policy: str) -> Equivalences:
    """Return the substitutions on disk below a root directory."""
    base = os.path.join(root, "etc/selinux", policy, "contexts/files/file_contexts")
    return Equivalences(labelfiles.substitutions(base + ".subs"), labelfiles.substitutions(base + ".subs_dist"))


def converts_var_run(root: str) -> bool:
    """Return whether rules for /var/run are copied to /run below a root directory."""
    return os.path.lexists(os.path.join(root, _VAR_RUN_CONVERTER))


def has_type_of(policy: CompiledPolicy, file: str, broken: List[BrokenFile]) -> Callable[[str], bool]:
    """Return a check whether a type may exist: in the policy, or in the module's source beside the file."""
    own: Set[str] = set()
    made: List[str] = []
    source = os.path.splitext(file)[0] + ".te"
    if os.path.exists(source):
        try:
            text = read(source)
            own = set(_NAMES.findall(text))
            # Templates declare types whose names contain their first argument.
            made = re.findall(r"\w_template\(\s*`?([\w-]+)", text)
        except Refused as refused:
            broken.append(BrokenFile(source, refused.line, refused.reason))

    def has_type(name: str) -> bool:
        return name in own or any(part in name for part in made) or policy.primary(name) is not None
    return has_type


def listening(directory: str, broken: List[BrokenFile]) -> List[Tuple[str, str]]:
    """Return the paths that the socket units of a directory listen on, each with its unit."""
    listened = []
    for unit, files in _units(directory, broken).items():
        texts = []
        for file in files:
            if os.path.islink(file) and os.readlink(file) == os.devnull:
                continue  # masked
            try:
                texts.append(read(file))
            except Refused as refused:
                broken.append(BrokenFile(file, refused.line, refused.reason))
        listened += [(path, unit) for path in unitfiles.listen_paths(unit, texts)]
    return listened


def _units(directory: str, broken: List[BrokenFile]) -> Dict[str, List[str]]:
    """Return the files of each socket unit of a directory: its unit file and its drop-ins."""
    try:
        names = os.listdir(directory)
    except OSError as error:
        raise UsageError("--units %s: %s" % (directory, error.strerror)) from error
    units: Dict[str, List[str]] = {name: [os.path.join(directory, name)] for name in sorted(names)
                                   if name.endswith(".socket")}
    for name in sorted(names):
        if name.endswith(".socket.d"):
            try:
                drop_ins = sorted(file for file in os.listdir(os.path.join(directory, name)) if file.endswith(".conf"))
            except OSError as error:
                broken.append(BrokenFile(os.path.join(directory, name), 0, "cannot be read: %s" % error.strerror))
                continue
            units.setdefault(name[:-len(".d")], []).extend(os.path.join(directory, name, file) for file in drop_ins)
    return units
