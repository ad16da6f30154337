"""make bench: what our command costs, beside what it could cost at least and what it replaces.

Registration is measured in a chroot with Debian's whole policy, looking in a guest; ratios count,
for machines differ.
"""

import json
import shutil
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from .. import policyroot
from ..packages import build
from ..vm import image
from ..vm.guest import Guest

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent
BUILD = TOP / "build"
OURS = "/usr/sbin/foreman-selinux-helpers"
PYTHON = ["/usr/bin/python3", "-I"]
TYPE = "httpd_runtime_t"
CONTEXT = "system_u:object_r:%s:s0" % TYPE
Case = Dict[str, Any]
Found = Dict[str, Dict[str, List[float]]]
# What is compared, with what, and the ratio that is not to be exceeded.
Row = Tuple[str, str, str, Optional[float]]


def register_cases() -> Dict[str, Case]:
    """Return the registrations of 1, 50 and 1,000 rules, each from the same state of the store."""
    fresh = "cd / && rm -rf etc/selinux var/lib/selinux var/lib/foreman-selinux-helpers/* && cp -a saved/* . && "
    cases: Dict[str, Case] = {}
    for number in (1, 50, 1000):
        paths = ["/run/bench-%d.sock" % one for one in range(number)]
        regexes = [path.replace(".", "\\.") for path in paths]
        profile = "[bench.socket]\\ntype = %s\\npath =%s\\n" % (TYPE, "".join("\\n %s" % path for path in paths))
        cases["register, %d" % number] = {"argv": [OURS, "--quiet", "register"], "prepare": fresh + (
            "printf '%s' >etc/foreman-selinux-helpers/profiles.d/bench.conf" % profile)}
        cases["bare transaction, %d" % number] = {
            "argv": [*PYTHON, "/bench/bare_register.py", CONTEXT, "0"], "prepare": fresh + ":",
            "stdin": "".join(regex + "\n" for regex in regexes)}
        cases["transaction with looks, %d" % number] = dict(cases["bare transaction, %d" % number], argv=[
            *PYTHON, "/bench/bare_register.py", CONTEXT, "0", "look"])
        cases["semanage import, %d" % number] = {
            "argv": ["/usr/sbin/semanage", "import", "-N"], "prepare": fresh + ":",
            "stdin": "".join("fcontext -a -t %s '%s'\n" % (TYPE, regex) for regex in regexes)}
        if number == 1:
            for several in (1, 5):
                cases["semanage fcontext -a, %d times" % several] = {"prepare": fresh + ":", "argv": [
                    "/bin/sh", "-ec", "for one in $(seq %d); do semanage fcontext -N -a -t %s /run/bench-$one; done"
                    % (several, TYPE)]}
    return cases


REGISTER_ROWS: List[Row] = [
    ("register, 1", "transaction with looks, 1", "time", 1.1),
    ("register, 50", "transaction with looks, 50", "time", 1.1),
    ("register, 1000", "transaction with looks, 1000", "time", 1.1),
    ("register, 1", "bare transaction, 1", "time", None),
    ("register, 50", "bare transaction, 50", "time", None),
    ("register, 1000", "bare transaction, 1000", "time", None),
    ("register, 1000", "register, 1", "time", 2.0),
    ("register, 1", "semanage import, 1", "time", None),
    ("register, 50", "semanage import, 50", "time", None),
    ("register, 1000", "semanage import, 1000", "time", None),
    ("register, 1", "semanage fcontext -a, 1 times", "time", None),
    ("register, 50", "semanage fcontext -a, 5 times", "time", None),
    ("register, 1", "transaction with looks, 1", "memory", 1.2),
    ("register, 50", "transaction with looks, 50", "memory", 1.2),
    ("register, 1000", "transaction with looks, 1000", "memory", 1.2),
]
LOOK_ROWS: List[Row] = [
    ("repair, all is right", "three bare observations", "time", 1.5),
    ("repair, all is right", "semanage fcontext -l -C", "time", 1 / 3),
    ("repair, all is right", "python3 -c pass", "time", None),
    ("trigger, all is right", "status, all is right", "time", 1.2),
    ("repair, all is right", "three bare observations", "memory", None),
]
WINNER_ROWS: List[Row] = [
    ("the winner of 10,000 rules", "bare selabel_lookup", "time", 2.0),
    ("the winner of 10,000 rules", "bare selabel_lookup", "memory", None),
]
STALE_ROWS: List[Row] = [
    ("stale, 1,000 processes", "grep in all maps", "time", 1.5),
    ("stale, 1,000 processes", "python3 -c pass", "memory", None),
]
ASK_ROWS: List[Row] = [
    ("ask a copy for 10 paths", "bare selabel_open, 10 paths", "time", 1.3),
    ("ask a copy for 10 paths", "the same of the disk", "time", 1.3),
    ("ask a copy for 10 paths", "bare selabel_open, 10 paths", "memory", None),
]
LINT_ROWS: List[Row] = [
    ("lint, one target", "lint, 3 rules", "time", None),
    ("lint, six targets", "lint, one target", "time", 6.0),
    ("lint, six targets", "lint, one target", "memory", None),
]


def in_chroot(rounds: int) -> Found:
    """Measure registration, at the machine's own speed."""
    root = BUILD / "bench-root"
    shutil.rmtree(str(root), ignore_errors=True)
    root.mkdir(parents=True)
    base = image.base()
    subprocess.check_call(["tar", "-xf", str(base), "-C", str(root), "--exclude=./dev/*", "--exclude=./usr/share/doc"])
    (root / "etc/selinux/config").write_text("SELINUX=enforcing\nSELINUXTYPE=default\n")
    package = build.our_package(BUILD / "bench-rpm")
    subprocess.check_call("rpm2cpio %s | cpio -idmu --quiet" % package, shell=True, cwd=str(root))
    for profile in (root / "usr/share/foreman-selinux-helpers/profiles.d").iterdir():
        profile.unlink()
    shutil.copytree(str(HERE), str(root / "bench"))
    subprocess.check_call(
        "mkdir -p saved/etc saved/var/lib && cp -a etc/selinux saved/etc && cp -a var/lib/selinux saved/var/lib && "
        "mknod -m 666 dev/null c 1 3", shell=True, cwd=str(root))
    try:
        out = subprocess.run(["chroot", str(root), *PYTHON, "/bench/measure.py"], check=True, stdout=subprocess.PIPE,
                             input=json.dumps({"rounds": rounds, "cases": register_cases()}).encode()).stdout
    finally:
        shutil.rmtree(str(root))
    found: Found = json.loads(out.decode())
    return found


def in_guest(rounds: int) -> Found:
    """Measure a repair that finds everything right, on a booted host that enforces."""
    packages = BUILD / "test-rpms" / "bench"
    cases = {
        "python3 -c pass": {"argv": [*PYTHON, "-c", "pass"]},
        "three bare observations": {
            "argv": [*PYTHON, "/root/bench/bare_look.py", "foreman.socket", "/run/foreman.sock"]},
        "repair, all is right": {"argv": [OURS, "--quiet", "repair", "foreman.socket"]},
        "status, all is right": {"argv": [OURS, "--quiet", "status"]},
        "trigger, all is right": {"argv": ["/usr/libexec/foreman-selinux-helpers/trigger", "in"]},
        "semanage fcontext -l -C": {"argv": ["/usr/sbin/semanage", "fcontext", "-l", "-C"]},
    }
    with Guest(image.build("debian")) as guest:
        files = guest.put_files("/root", [build.host(packages), build.our_package(packages), build.demo(
            packages, "foreman", 2, helper="macros", variant=build.NO_RULE)])
        assert guest.rpm("-i", *files).status == 0
        guest.put_files("/root/bench", sorted(HERE.glob("*.py")))
        assert guest.tool("repair")["plan"] == []
        out = guest.check([*PYTHON, "/root/bench/measure.py"], timeout=600,
                          stdin=json.dumps({"rounds": rounds, "cases": cases}).encode())
    found: Found = json.loads(out)
    return found


def winner(rounds: int) -> Found:
    """Measure which of 10,000 rules wins one path, and libselinux's bare answer for it."""
    files = BUILD / "bench-winner"
    shutil.rmtree(str(files), ignore_errors=True)
    files.mkdir(parents=True)
    base = files / "file_contexts"
    kinds = ["/usr/lib/part%d(/.*)?", "/var/lib/part%d/.*\\.db", "/run/part%d\\.pid", "/etc/part%d/[^/]*\\.conf",
             "/usr/(.*/)?bin/part%d"]
    regexes = ["/.*", "/run/.*"] + [kinds[number % len(kinds)] % number for number in range(9997)]
    base.write_text("".join("%s\t%s\n" % (regex, CONTEXT) for regex in regexes))
    (files / "file_contexts.local").write_text("/run/bench\\.sock\t-s\t%s\n" % CONTEXT)
    (files / "file_contexts.subs_dist").write_text("/var/run /run\n")
    subprocess.check_call(["sefcontext_compile", str(base)])
    path = "/var/run/bench.sock"
    cases = {"the winner of 10,000 rules": {"argv": [*PYTHON, str(HERE / "winner.py"), str(TOP), str(base), path]},
             "bare selabel_lookup": {"argv": [*PYTHON, str(HERE / "bare_lookup.py"), str(base), path]}}
    out = subprocess.run([*PYTHON, str(HERE / "measure.py")], check=True, stdout=subprocess.PIPE,
                         input=json.dumps({"rounds": rounds, "cases": cases}).encode()).stdout
    shutil.rmtree(str(files))
    found: Found = json.loads(out.decode())
    return found


def stale(rounds: int) -> Found:
    """Measure who holds an outdated database among a thousand processes, and a search for the name alone."""
    files = BUILD / "bench-stale/contexts/files"
    shutil.rmtree(str(files), ignore_errors=True)
    files.mkdir(parents=True)
    database = files / "file_contexts.bin"
    database.write_text("outdated")
    with subprocess.Popen([*PYTHON, str(HERE / "many_processes.py"), str(database)], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as crowd:
        assert crowd.stdin
        assert crowd.stdout
        crowd.stdout.readline()
        database.unlink()
        database.write_text("new")
        cases = {"stale, 1,000 processes": {"argv": [*PYTHON, str(HERE / "who_is_stale.py"), str(TOP), str(files)]},
                 "grep in all maps": {"argv": ["/bin/sh", "-c", "grep -ls contexts/files /proc/[0-9]*/maps || true"]},
                 "python3 -c pass": {"argv": [*PYTHON, "-c", "pass"]}}
        out = subprocess.run([*PYTHON, str(HERE / "measure.py")], check=True, stdout=subprocess.PIPE,
                             input=json.dumps({"rounds": rounds, "cases": cases}).encode()).stdout
        crowd.stdin.close()
    shutil.rmtree(str(files))
    found: Found = json.loads(out.decode())
    return found


def ask(rounds: int) -> Found:
    """Measure what a process's own copy of Debian's whole policy says of ten paths, and what the files on disk say."""
    root = policyroot.prepared(BUILD)
    files = root / "etc/selinux" / policyroot.POLICY / "contexts/files"
    code = ("import selinux, sys; selinux.selinux_set_policy_root(sys.argv[1]);"
            "held = selinux.selabel_open(selinux.SELABEL_CTX_FILE, None, 0); print(flush=True); sys.stdin.read()")
    with subprocess.Popen([*PYTHON, "-c", code, str(files.parent.parent)], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        process.stdout.readline()
        paths = ["/run/bench-%d.sock" % one for one in range(10)]
        cases = {"ask a copy for 10 paths": {"argv": [*PYTHON, str(HERE / "ask_copy.py"), str(TOP), str(root),
                                                      policyroot.POLICY, str(process.pid), *paths]},
                 "the same of the disk": {"argv": [*PYTHON, str(HERE / "ask_copy.py"), str(TOP), str(root),
                                                   policyroot.POLICY, "0", *paths]},
                 "bare selabel_open, 10 paths": {"argv": [*PYTHON, str(HERE / "bare_ask.py"),
                                                          str(files / "file_contexts"), *paths]}}
        out = subprocess.run([*PYTHON, str(HERE / "measure.py")], check=True, stdout=subprocess.PIPE,
                             input=json.dumps({"rounds": rounds, "cases": cases}).encode()).stdout
        process.stdin.close()
    found: Found = json.loads(out.decode())
    return found


def lint(rounds: int) -> Found:
    """Measure the judgement of a source as large as a whole policy: 6,000 rules, none of them wrong."""
    kinds = ["/usr/share/part%d(/.*)?", "/var/lib/part%d/.*\\.db", "/run/part%d\\.sock -s", "/var/run/part%d\\.sock -s",
             "/usr/libexec/(a|b)/part%d --", "/etc/part%d/[^/]*\\.conf"]
    rules = ["%s\tgen_context(system_u:object_r:%s,s0)\n" % (kind % number, TYPE)
             for number in range(1000) for kind in kinds]
    files = BUILD / "bench-lint"
    shutil.rmtree(str(files), ignore_errors=True)
    (files / "root").mkdir(parents=True)
    (files / "few.fc").write_text("".join(rules[:3]))
    (files / "many.fc").write_text("".join(rules[:3000]) + "ifdef(`distro_redhat',`\n%s')\n" % "".join(rules[3000:]))
    code = "import sys; sys.path.insert(0, %r); from foreman_selinux_helpers.cli import main; sys.exit(main())" % str(TOP)
    argv = [*PYTHON, "-c", code, "--root", str(files / "root"), "lint"]
    cases = {"lint, 3 rules": {"argv": [*argv, "--target", "fedora", str(files / "few.fc")]},
             "lint, one target": {"argv": [*argv, "--target", "fedora", str(files / "many.fc")]},
             "lint, six targets": {"argv": [*argv, str(files / "many.fc")]}}
    out = subprocess.run([*PYTHON, str(HERE / "measure.py")], check=True, stdout=subprocess.PIPE,
                         input=json.dumps({"rounds": rounds, "cases": cases}).encode()).stdout
    shutil.rmtree(str(files))
    found: Found = json.loads(out.decode())
    return found


def show(title: str, found: Found, rows: List[Row]) -> bool:
    """Print the figures and the ratios; return whether every limit is kept."""
    print("\n%s\n%s" % (title, "-" * len(title)))
    for name, figures in found.items():
        print("  %-32s %8.3f s (%.3f to %.3f)  %7.1f MiB" % (
            name, statistics.median(figures["seconds"]), min(figures["seconds"]), max(figures["seconds"]),
            statistics.median(figures["kib"]) / 1024))
    kept = True
    print()
    for one, other, what, limit in rows:
        key = "seconds" if what == "time" else "kib"
        ratio = statistics.median(a / b for a, b in zip(found[one][key], found[other][key]))
        good = limit is None or ratio <= limit
        kept = kept and good
        verdict = "" if limit is None else "at most %.2f: %s" % (limit, "kept" if good else "MISSED")
        print("  %-7s %-22s / %-30s %6.2f  %s" % (what, one, other, ratio, verdict))
    sys.stdout.flush()
    return kept


def main() -> int:
    """Measure everything; return 1 if a limit is missed."""
    kept = show("The winning rule", winner(9), WINNER_ROWS)
    kept &= show("A process's own copy of the label database", ask(9), ASK_ROWS)
    kept &= show("Lint of 6,000 rules", lint(9), LINT_ROWS)
    kept &= show("Who labels by outdated rules", stale(9), STALE_ROWS)
    print("\nmeasuring registration in a chroot (some minutes)", flush=True)
    kept &= show("Registration, one transaction, the policy not loaded", in_chroot(5), REGISTER_ROWS)
    print("\nmeasuring a repair with nothing to do in an emulated guest (some minutes)", flush=True)
    return int(not (show("Nothing to do, in a guest", in_guest(9), LOOK_ROWS) and kept))


if __name__ == "__main__":
    sys.exit(main())
