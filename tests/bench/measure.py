"""Runs commands side by side and tells time and peak memory of each.  Stdlib alone: it also runs in a guest.

Reads from standard input {"rounds": N, "cases": {NAME: {"argv": [...], "stdin": "...", "prepare": "shell"}}},
writes {NAME: {"seconds": [...], "kib": [...]}}.  The commands take turns, so that a machine whose
speed drifts is fair to all.
"""

import json
import os
import subprocess
import sys
import tempfile
import time


def once(case):
    """Run one command; return wall seconds and peak memory (KiB) of its largest process."""
    if case.get("prepare"):
        subprocess.check_call(["/bin/sh", "-c", case["prepare"]])
    with tempfile.TemporaryFile() as given:
        given.write(case.get("stdin", "").encode())
        given.seek(0)
        start = time.perf_counter()
        process = subprocess.Popen(case["argv"], stdin=given, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.WEXITSTATUS(status)
    if status != 0:
        raise SystemExit("%s ended with status %d" % (" ".join(case["argv"])[:200], status))
    return seconds, usage.ru_maxrss


def main():
    """Measure what standard input says."""
    asked = json.load(sys.stdin)
    found = {name: {"seconds": [], "kib": []} for name in asked["cases"]}
    for number in range(asked["rounds"] + 1):
        for name, case in asked["cases"].items():
            seconds, kib = once(case)
            if number:  # the first warms up
                found[name]["seconds"].append(seconds)
                found[name]["kib"].append(kib)
    json.dump(found, sys.stdout)


main()
