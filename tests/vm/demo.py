"""make demo: the bug, and its repair by an RPM transaction, in a guest whose PID 1 keeps a stale cache.

make transcript: the same, and README shows what was printed.
"""

import re
import sys
import time
from pathlib import Path
from typing import Dict, List, NamedTuple

from ..packages import build
from . import image
from .guest import Guest

README = build.TOP / "README.md"
SOCKET = "/run/foreman.sock"
# What README shows: a block of indented lines between two remarks.
_BLOCK = re.compile(r"(<!-- printed by make demo: (\w+) -->\n\n)(.*?)(\n<!-- so far -->\n)", re.S)
_START = time.monotonic()


class Seen(NamedTuple):
    """What the table compares."""

    label: str
    client: str
    cache: str
    verdict: str
    reexecs: str
    service: str


class Story(NamedTuple):
    """Whether it ended well, and what README shows of it, by name."""

    well: bool
    printed: Dict[str, str]


def heading(text: str) -> None:
    """Say what comes now, and how long it took to come here."""
    print("\n[%3d s] %s" % (time.monotonic() - _START, text), flush=True)


def show(text: str) -> None:
    """Print what the guest printed."""
    for line in text.rstrip("\n").split("\n"):
        print("    " + line, flush=True)


def command(guest: Guest, line: str) -> str:
    """Run a command, show it as in a terminal, and return that."""
    done = guest.run(line)
    shown = "# %s\n%s%s" % (line, done.out, done.err)
    show(shown)
    return shown


def transaction(guest: Guest, package: str, *options: str) -> None:
    """Upgrade a package and show what rpm printed, which should be nothing."""
    done = guest.rpm("-U", *options, package)
    line = " ".join(["rpm", "-U", *options, Path(package).name])
    show("# %s\n%s%s(exit status %s)" % (line, done.out, done.err, done.status))


def look(guest: Guest) -> Seen:
    """Look at everything that the table compares."""
    status = guest.tool("status", "foreman.socket")
    client = guest.connect(SOCKET)
    return Seen(guest.label(SOCKET), client.out.strip() if client.status == 0 else client.out.strip().split(": ")[-1],
                status["label_cache"]["state"], status["sockets"][0]["problem"] or "ok", str(guest.reexec_count()),
                "logind has PID %d" % guest.pid_of("systemd-logind.service"))


def table(before: Seen, after: Seen) -> List[str]:
    """Return the lines of the table."""
    rows = [("", "before", "after")] + list(zip(
        ("label of %s" % SOCKET, "web server (httpd_t) connects", "PID 1's label cache", "status says",
         "times PID 1 was re-executed", "a running service"), before, after))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    return [lines[0], "-" * (sum(widths) + 4), *lines[1:]]


def tell() -> Story:
    """Tell the story as it happens."""
    printed = {}
    heading("building our package and the demonstration's")
    packages = build.TOP / "build/test-rpms"
    ours = [build.host(packages), build.our_package(packages), build.client(packages)]
    versions = [build.demo(packages, "foreman", 1, helper="none", policy=False),
                build.demo(packages, "foreman", 2, helper="none"),
                build.demo(packages, "foreman", 2, helper="macros", edition=2)]
    heading("the guest's image: built the first time, kept in build/guests")
    disk = image.build("debian")
    heading("booting it, SELinux enforcing; PID 1 behaves as before systemd 245")
    with Guest(disk, stale_pid1=True) as guest:
        files = guest.put_files("/root", ours + versions)
        guest.rpm("-i", *files[:3])
        one, two, mended = files[3:]
        heading("version 1 listens on TCP")
        transaction(guest, one)
        heading("version 2 listens on %s and brings a policy module with the right rule" % SOCKET)
        transaction(guest, two, "--notriggers")  # as before our package was there: its triggers would mend it
        before = look(guest)
        heading("a web server in the domain httpd_t is denied")
        command(guest, "systemd-run --quiet --wait --pipe /usr/libexec/web-client/web-client %s" % SOCKET)
        show(guest.denials("foreman.sock")[-1])
        heading("why")
        printed["explain"] = command(guest, "foreman-selinux-helpers explain %s" % SOCKET)
        heading("what the repair would do")
        command(guest, "foreman-selinux-helpers repair --dry-run foreman.socket")
        heading("version 2-2 calls the helper from its %posttrans; nobody types anything else")
        transaction(guest, mended)
        command(guest, "journalctl --no-pager -o cat -t foreman-selinux-helpers")
        command(guest, "systemd-run --quiet --wait --pipe /usr/libexec/web-client/web-client %s" % SOCKET)
        command(guest, "foreman-selinux-helpers status foreman.socket")
        after = look(guest)
    heading("before and after the transaction")
    printed["table"] = "\n".join(table(before, after))
    show(printed["table"])
    well = after.client == "hello" and after.verdict == "ok" and before.client != "hello"
    heading("done" if well else "this did not end well")
    return Story(well, printed)


def blocks(text: str) -> Dict[str, str]:
    """Return what README shows, by name."""
    return {name: re.sub("^    ", "", block, flags=re.M).rstrip("\n") for _, name, block, _ in _BLOCK.findall(text)}


def with_blocks(text: str, printed: Dict[str, str]) -> str:
    """Return README with what was printed."""
    return _BLOCK.sub(lambda found: found.group(1) + "".join(
        ("    " + line).rstrip() + "\n" for line in printed[found.group(2)].rstrip("\n").split("\n")) + found.group(4), text)


def main() -> int:
    """Tell the story, and with --write put it into README; return 0 if it ended well."""
    story = tell()
    if story.well and "--write" in sys.argv[1:]:
        README.write_text(with_blocks(README.read_text(encoding="utf-8"), story.printed), encoding="utf-8")
    return 0 if story.well else 1


if __name__ == "__main__":
    sys.exit(main())
