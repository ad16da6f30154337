"""What PID 1's own copy of the label database says of a path is the label of the socket that PID 1 then makes.

ROUNDS=200 looks at that many changes of the rules, not at a few.
"""

import json
import os

import pytest

from .test_lifecycle import denials, kinds

ROUNDS = int(os.environ.get("ROUNDS", "10"))
PATHS = ["/run/held/%d.sock" % number for number in range(6)]
# One that no rule is ever for: it gets what PID 1 gives without a rule.
NEVER = "/run/held/never"
UNIT = "[Unit]\nStartLimitIntervalSec=0\n[Socket]\n%s" % "".join("ListenStream=%s\n" % path for path in [*PATHS, NEVER])
SERVICE = b"[Service]\nExecStart=/bin/sleep infinity\n"
DIRECTORY = "/etc/selinux/default/contexts/files"

# In the guest: one change is committed and loaded, PID 1's copy is asked, the sockets are made anew, and looked at.
COMPARE = """
import json, os, random, subprocess, sys
from foreman_selinux_helpers.doors import heldcopy, labelfiles, labels
from foreman_selinux_helpers.doors.deadline import Deadline
from foreman_selinux_helpers.model.filecontexts import ALL_FILES, SOCKET, Rule
from foreman_selinux_helpers.doors.policystore import Store
from foreman_selinux_helpers.model.rules import ADD, MODIFY, REMOVE, Change
from foreman_selinux_helpers.doors.run import Runner
from foreman_selinux_helpers.doors.systemd import Systemd

seed, rounds, paths, never, directory = json.load(sys.stdin)
os.umask(0o022)
chance, store, there, seen = random.Random(seed), Store("/", "default"), {}, []
types = ["httpd_runtime_t", "var_t", "var_lock_t"]
regexes = ["/run/held/%d\\\\.sock" % number for number in range(6)] + ["/run/held/[0-2]\\\\.sock", "/run/held/[1-4]\\\\..*"]
for _ in range(rounds):
    runner = Runner(Deadline(120))
    key = (chance.choice(regexes), chance.choice([ALL_FILES, SOCKET]))
    context = "system_u:object_r:%s:s0" % chance.choice(types)
    action = chance.choice([MODIFY, MODIFY, REMOVE]) if key in there else ADD
    store.apply([Change(action, Rule(*key, there.get(key, context) if action == REMOVE else context))], True, runner)
    there[key] = context
    if action == REMOVE:
        del there[key]
    before = heldcopy.ask(1, paths, directory)
    Systemd(runner).look_a_label_up()
    cache = labelfiles.read(1, directory)
    held = heldcopy.ask(1, paths, directory)
    subprocess.check_call(["systemctl", "restart", "held.socket"])
    made = {path: labels.path_label(path) for path in [*paths, never]}
    seen.append({"before": before._asdict(), "held": held._asdict(), "state": cache.state, "made": made})
json.dump(seen, sys.stdout)
"""


@pytest.mark.parametrize("stale", [False, True], ids=["stock", "stale"])
def test_what_pid_1_would_do(boot, stale):
    with boot(stale_pid1=stale) as guest:
        guest.put("/etc/systemd/system/held.socket", UNIT.encode())
        guest.put("/etc/systemd/system/held.service", SERVICE)
        guest.check("systemctl daemon-reload && systemctl start held.socket")
        denied = denials(guest)
        said = guest.check(["/usr/bin/python3", "-Ic", COMPARE], timeout=120 + 30 * ROUNDS,
                           stdin=json.dumps([7 + stale, ROUNDS, PATHS, NEVER, DIRECTORY]).encode())
        seen = json.loads(said)
        assert len(seen) == ROUNDS
        labelled = 0
        for one in seen:
            assert (one["before"]["unseen"], one["held"]["unseen"]) == (None, None)
            default = one["made"].pop(NEVER)
            assert one["made"] == {path: label or default for path, label in one["held"]["answers"].items()}
            assert one["state"] == ("stale" if stale else "fresh")
            labelled += sum(label != default for label in one["made"].values())
        # A stock PID 1 follows each change, at its next look-up; a stale one none.
        assert (labelled > 0) is not stale
        assert any(one["before"]["answers"] != one["held"]["answers"] for one in seen) is not stale
        assert kinds(denials(guest)) - kinds(denied) == set()

        found = next(one for one in guest.tool("stale")["processes"] if one["pid"] == 1) if stale else None
        if found:
            rules = guest.rules()
            assert rules
            assert found["harmless"] is False
            assert {one["path"] for one in found["wrong"]} <= set(PATHS)
            assert all(one["held_answer"] is None and one["expected"] for one in found["wrong"])
            assert "would label" in guest.run("foreman-selinux-helpers stale").out
            # Rules that concern none of the sockets: old, and right all the same.
            guest.check("systemctl daemon-reexec && semanage fcontext -a -t var_t /srv/held", timeout=400)
            found = next(one for one in guest.tool("stale")["processes"] if one["pid"] == 1)
            assert (found["state"], found["harmless"], found["wrong"]) == ("stale", True, [])
            assert "correctly nevertheless" in guest.run("foreman-selinux-helpers stale").out
            assert guest.reexec_count() == 1
            assert kinds(denials(guest)) - kinds(denied) == set()
