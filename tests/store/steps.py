"""Every step of a command that others can see: enumerated with strace, and stopped or made to fail one by one."""

import fcntl
import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, NamedTuple, Sequence

from ..policyroot import POLICY, TOP

# The system calls that change what others see, and the locks.
_CHANGING = ("mkdir", "mkdirat", "rmdir", "rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat",
             "unlink", "unlinkat", "chmod", "fchmod", "fchmodat", "chown", "fchown", "truncate", "ftruncate", "fsync",
             "fdatasync", "syncfs", "flock", "setxattr", "fsetxattr", "vfork", "fork", "clone", "clone3", "write")
_OPENING = ("open", "openat", "creat")
_CALL = re.compile(r"(\w+)\((.*)\)\s+= (-?\d+|\?)")
_CODE = "import sys; sys.path.insert(0, %r); exec(open(%r).read())" % (
    str(TOP), str(TOP / "bin/foreman-selinux-helpers"))


class Step(NamedTuple):
    """One system call: its name, the how-manieth of that name it is, and what it is about."""

    call: str
    number: int
    about: str

    def __str__(self) -> str:
        return "%s-%d-%s" % (self.call, self.number, re.sub(r"[^\w.]+", "-", self.about).strip("-"))


def command(root: Path, *arguments: str) -> List[str]:
    """Return the command line of our command on a root, the same each time down to its system calls."""
    return [sys.executable, "-IBc", _CODE, "--json", "--root", str(root), *arguments]


def enumerate_steps(argv: Sequence[str], root: Path, trace: Path) -> List[Step]:
    """Run a command; return the steps below the root, and those in temporary folders, that it took."""
    subprocess.check_call(["strace", "-qq", "-y", "-s", "0", "-o", str(trace), "-e",
                           "trace=" + ",".join("?" + name for name in _CHANGING + _OPENING), *argv],
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    count: Dict[str, int] = {}
    found = []
    last_write = ""
    for line in trace.read_text().split("\n"):
        call = _CALL.match(line)
        if not call:
            continue
        name, arguments = call.group(1), call.group(2)
        count[name] = count.get(name, 0) + 1
        paths = re.findall(r'[<"](/[^>"]*)[>"]', arguments)
        about = next((path for path in reversed(paths) if path.startswith((str(root), "/tmp/"))), "")
        forks = name in ("vfork", "fork", "clone", "clone3")
        if not (about or forks) or (name in _OPENING and not re.search("O_CREAT|O_WRONLY|O_RDWR", arguments)):
            continue
        if name == "write" and about == last_write:
            continue  # the first of several to one file: it is there, and empty
        last_write = about if name == "write" else ""
        about = about.replace(str(root), "")
        found.append(Step(name, count[name], re.sub(r"^/tmp/.*", "/tmp", about)))
    return found


def distinct(steps: Sequence[Step]) -> List[Step]:
    """Return the steps without those that are like their neighbours: files copied to a sandbox, or removed with one."""
    found: Dict[str, Step] = {}
    for step in steps:
        part = re.match(r"/var/lib/selinux/(?:\w+/(?:tmp|previous)|final)/", step.about)
        kind = "%s %s" % (step.call, part.group()) if part else str(step)
        if kind in found:
            kind += " last"
        found[kind] = step
    return sorted(found.values(), key=steps.index)


def stopped(argv: Sequence[str], step: Step, how: str) -> "subprocess.CompletedProcess[str]":
    """Run a command that is stopped at a step: ``how`` is what strace injects, such as ``signal=KILL``."""
    return subprocess.run(["strace", "-qq", "-o", "/dev/null", "-e", "trace=" + step.call, "-e",
                           "inject=%s:%s:when=%d" % (step.call, how, step.number), *argv], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True, check=False,
                          timeout=60)


def local_rules(root: Path) -> Dict[str, str]:
    """Return the local rules that are installed: regex and context."""
    file = root / "etc/selinux" / POLICY / "contexts/files/file_contexts.local"
    lines = file.read_text().split("\n") if file.exists() else []
    words = [line.split() for line in lines if line.strip() and not line.startswith("#")]
    return {one[0]: one[-1] for one in words}


def recorded(root: Path) -> Dict[str, str]:
    """Return the rules that are recorded as ours; none may be pending."""
    file = root / "var/lib/foreman-selinux-helpers" / (POLICY + ".json")
    document = json.loads(file.read_text()) if file.exists() else {"rules": [], "pending": []}
    assert document["pending"] == []
    return {one["regex"]: one["context"] for one in document["rules"]}


def left_behind(root: Path) -> List[str]:
    """Return what nobody should leave: temporary files, half commits, locks that are held."""
    store = root / "var/lib/selinux"
    found = [one for pattern in ("*.tmp", "*.new") for one in root.rglob(pattern)]
    found += [one for one in (store / POLICY / "tmp", store / POLICY / "previous", store / "final" / POLICY)
              if one.exists()]
    for name in [store / POLICY / "semanage.trans.LOCK", store / POLICY / "semanage.read.LOCK",
                 root / "var/lib/foreman-selinux-helpers/lock"]:
        if name.exists():
            descriptor = os.open(str(name), os.O_RDONLY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                found.append(name)
            finally:
                os.close(descriptor)
    return [str(one.relative_to(root)) for one in found]


def digest(root: Path) -> str:
    """Return a digest of what is below a root: names, kinds and contents."""
    found = hashlib.sha256()
    for directory, names, files in sorted(os.walk(str(root))):
        for name in sorted(names + files):
            path = os.path.join(directory, name)
            found.update(os.path.relpath(path, str(root)).encode() + b"\0")
            if os.path.isfile(path):
                with open(path, "rb") as stream:
                    found.update(hashlib.sha256(stream.read()).digest())
    return found.hexdigest()
