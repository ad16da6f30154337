"""The winner of one path: our reading and judging of a policy's files."""

import sys

top, base, path = sys.argv[1:]
sys.path.insert(0, top)

from foreman_selinux_helpers.doors import behaviour, labeldatabase, labelfiles  # noqa: E402
from foreman_selinux_helpers.model import equivalence, filecontexts  # noqa: E402
from foreman_selinux_helpers.model.winner import Library, winning  # noqa: E402

rules = []
for suffix in labeldatabase.ALL_RULES:
    rules.extend(filecontexts.parse(labelfiles.read_text(base + suffix) or "", base + suffix))
subs = [equivalence.parse(labelfiles.read_text(base + suffix) or "", base + suffix) for suffix in (".subs", ".subs_dist")]
verdict = winning(rules, path, filecontexts.SOCKET, equivalence.Equivalences(*subs),
                  Library(behaviour.regex_matches, behaviour.label_order))
sys.exit(verdict.rule is None or len(rules) != 10000)
