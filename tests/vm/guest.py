"""Boots a guest and runs commands in it."""

import base64
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Union

from .. import schema
from .image import Image

_BOOT_LIMIT = 300.0  # four times what a busy machine was seen to take; a dead guest ends it at once
_CONSOLE_TAIL = 3000
COMMAND = "/usr/sbin/foreman-selinux-helpers"
_SAVED = "saved"  # qemu's name for the one state in a disk


class Result(NamedTuple):
    """How a command in the guest ended (``status`` None: it took too long) and what it printed."""

    status: Optional[int]
    out: str
    err: str


class Guest:
    """A running guest; what it writes to its disk is thrown away when it ends.

    ``selinux`` is "enforcing", "permissive" or "disabled"; ``stale_pid1`` makes PID 1 keep the
    label database that it read at boot; ``saved`` is a guest of the same image and options that
    this one goes on from, instead of being booted.
    """

    def __init__(self, image: Image, selinux: str = "enforcing", stale_pid1: bool = False, memory: int = 1024,
                 arguments: Sequence[str] = (), name: str = "guest", saved: Optional[Path] = None) -> None:
        self.image = image
        self.name = name
        self._directory = tempfile.TemporaryDirectory(prefix="guest-")
        self.console = Path(self._directory.name) / "console.log"
        self._disk = Path(self._directory.name) / "disk.qcow2"
        if saved:
            shutil.copy(str(saved), str(self._disk))
        else:
            subprocess.check_call(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(image.disk),
                                   str(self._disk)])
        kernel = ["root=/dev/vda", "rw", "console=ttyS0", "loglevel=4", "panic=-1", "audit=1", "audit_backlog_limit=8192",
                  "systemd.show_status=0"]
        # Debian's kernel has no selinux=0: another module, itself switched off, takes its place.
        kernel += ["security=apparmor", "apparmor=0"] if selinux == "disabled" else [
            "security=selinux", "enforcing=%d" % (selinux == "enforcing")]
        kernel += ["LD_PRELOAD=/usr/lib/stale_pid1.so"] if stale_pid1 else []
        # One processor: two emulated ones were seen to wait for each other for ever at boot (soft
        # lockup on both), and two guests at a time are faster so, each on a core of its own.
        port, self._monitor = (str(Path(self._directory.name) / name) for name in ("agent.socket", "monitor.socket"))
        self._process = subprocess.Popen(
            ["qemu-system-x86_64", *_acceleration(), "-smp", "1", "-m", str(memory), "-display", "none",
             "-no-reboot", "-nodefaults", "-nic", "none", "-serial", "file:%s" % self.console,
             "-kernel", str(image.kernel), "-initrd", str(image.initrd), "-append", " ".join([*kernel, *arguments]),
             "-drive", "file=%s,format=qcow2,if=virtio,cache=unsafe" % self._disk,
             "-monitor", "unix:%s,server=on,wait=off" % self._monitor, *(["-loadvm", _SAVED] if saved else []),
             "-device", "virtio-serial", "-chardev", "socket,id=agent,path=%s,server=on,wait=off" % port,
             "-device", "virtserialport,chardev=agent,name=agent", "-device", "virtio-rng-pci"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self._pending = b""
        try:
            self._connect(port, saved is not None)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Guest":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        """End the guest at once."""
        self._process.kill()
        self._process.wait()
        self._directory.cleanup()

    def save(self, file: Path) -> None:
        """End the guest, and keep its memory and disk for others to go on from."""
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.connect(self._monitor)
            monitor.sendall(b"savevm %s\nquit\n" % _SAVED.encode())
            self._process.wait(60)
        shutil.move(str(self._disk), str(file))

    def _connect(self, port: str, ready: bool) -> None:
        end = time.monotonic() + _BOOT_LIMIT
        self._socket = socket.socket(socket.AF_UNIX)
        while True:
            try:
                self._socket.connect(port)
                break
            except OSError:
                self._alive(end)
                time.sleep(0.1)
        while not ready:
            ready = json.loads(self._line(end)).get("ready", False)

    def _alive(self, end: float) -> None:
        if self._process.poll() is not None or time.monotonic() > end:
            why = "ended" if self._process.poll() is not None else "does not answer"
            console = self.console.read_text(errors="replace")[-_CONSOLE_TAIL:] if self.console.exists() else ""
            error = self._process.stderr.read().decode() if why == "ended" and self._process.stderr else ""
            raise RuntimeError("guest %s %s\n%s%s" % (self.name, why, error, console))

    def _line(self, end: float) -> bytes:
        self._socket.settimeout(1.0)
        while b"\n" not in self._pending:
            try:
                data = self._socket.recv(65536)
            except socket.timeout:
                data = b""
            if not data:
                self._alive(end)
            self._pending += data
        line, self._pending = self._pending.split(b"\n", 1)
        return line

    # -- commands ----------------------------------------------------------------------------

    def run(self, command: Union[str, Sequence[str]], timeout: float = 180.0, stdin: bytes = b"") -> Result:
        """Run a command (a string is given to the shell) and return how it ended."""
        argv = ["/bin/sh", "-c", command] if isinstance(command, str) else list(command)
        request = {"argv": argv, "timeout": timeout, "stdin": base64.b64encode(stdin).decode()}
        self._socket.settimeout(60.0)
        self._socket.sendall(json.dumps(request).encode() + b"\n")
        reply: Dict[str, Any] = json.loads(self._line(time.monotonic() + timeout + 30))
        out, err = (base64.b64decode(reply[name]).decode("utf-8", "replace") for name in ("out", "err"))
        return Result(reply["status"], out, err)

    def check(self, command: Union[str, Sequence[str]], timeout: float = 180.0, stdin: bytes = b"") -> str:
        """Run a command that must succeed; return its standard output."""
        done = self.run(command, timeout, stdin)
        if done.status != 0:
            shown = command if isinstance(command, str) else shlex.join(command)
            raise AssertionError("in the guest, %s ended with %s\n%s%s" % (shown, done.status, done.out, done.err))
        return done.out

    def put(self, path: str, content: bytes, mode: int = 0o644) -> None:
        """Write a file in the guest, with the label that its place gives it."""
        quoted = shlex.quote(path)
        self.check("mkdir -p $(dirname %s) && cat > %s && chmod %o %s" % (quoted, quoted, mode, quoted), stdin=content)
        self.run(["restorecon", path])

    def put_files(self, directory: str, files: Sequence[Path]) -> List[str]:
        """Copy files into a directory of the guest; return their paths there."""
        paths = []
        for file in files:
            path = os.path.join(directory, file.name)
            self.put(path, file.read_bytes(), 0o755 if os.access(str(file), os.X_OK) else 0o644)
            paths.append(path)
        return paths

    # -- questions ---------------------------------------------------------------------------

    def tool(self, *arguments: str, timeout: float = 240.0) -> Dict[str, Any]:
        """Run our command with --json; return its document and, as "status", its exit status."""
        done = self.run([COMMAND, "--json", *arguments], timeout)
        try:
            document: Dict[str, Any] = json.loads(done.out)
        except ValueError:
            raise AssertionError("no document from %s: status %s\n%s%s" % (
                " ".join(arguments), done.status, done.out, done.err)) from None
        schema.check(document)
        document["status"] = done.status
        return document

    def rpm(self, *arguments: str, timeout: float = 400.0) -> Result:
        """Run a transaction (Debian's rpm before trixie's warns that it is not the native package manager unless told)."""
        native = [] if self.image.layout == "trixie" else ["--force-debian"]
        return self.run(["rpm", *native, *arguments], timeout)

    def connect(self, path: str) -> Result:
        """Connect to a socket as a web server: in the domain httpd_t."""
        return self.run(["systemd-run", "--quiet", "--wait", "--pipe", "--collect",
                         "/usr/libexec/web-client/web-client", path])

    def rules(self) -> List[str]:
        """Return the lines of the local file-context rules."""
        text = self.run(["cat", "/etc/selinux/default/contexts/files/file_contexts.local"]).out
        return [line for line in text.split("\n") if line.strip() and not line.startswith("#")]

    def label(self, path: str) -> str:
        """Return the type on an inode."""
        return self.check(["stat", "--printf=%C", path]).split(":")[2]

    def reexec_count(self) -> int:
        """Return how often PID 1 was re-executed since boot."""
        journal = self.check("journalctl -b --no-pager -o cat _PID=1 -g '^Reexecuting' || :")
        return len(re.findall(r"(?m)^Reexecuting", journal))

    def commits(self) -> int:
        """Return a number that grows with each commit to the policy store."""
        return int(self.check(["cat", "/var/lib/selinux/default/active/commit_num"]).strip("\0\n ") or 0)

    def denials(self, text: str = "") -> List[str]:
        """Return the denials in the audit log that hold this text."""
        log = self.check("cat /var/log/audit/audit.log; journalctl -b --no-pager -k -o cat -g avc || :")
        return [line for line in log.split("\n") if "denied" in line and "avc:" in line and text in line]

    def rule_records(self) -> List[Dict[str, str]]:
        """Return the audit records of changed file-context rules, as fields in their order."""
        log = self.check("grep -a resrc=fcontext /var/log/audit/audit.log || :").replace("'", " ")
        return [dict(field.split("=", 1) for field in shlex.split(line.split(" msg= ", 1)[-1].split("\x1d")[0])
                     if "=" in field) for line in log.split("\n") if line]

    def journal(self, identifier: str = "foreman-selinux-helpers") -> str:
        """Return what was logged under an identifier since boot."""
        return self.check("journalctl -b --no-pager -o cat -t %s" % shlex.quote(identifier))

    def pid_of(self, unit: str) -> int:
        """Return the main process of a service."""
        return int(self.check(["systemctl", "show", "--property=MainPID", "--value", unit]))

    def active_units(self) -> List[str]:
        """Return the units that are active."""
        return [line.split()[0] for line in
                self.check("systemctl list-units --state=active --plain --no-legend").split("\n") if line.split()]


def _acceleration() -> List[str]:
    """Return the options for the processor: emulated, unless hardware virtualisation is asked for."""
    if os.environ.get("GUEST_ACCELERATION") == "kvm":
        return ["-accel", "kvm", "-cpu", "host"]
    return ["-accel", "tcg", "-cpu", "max"]
