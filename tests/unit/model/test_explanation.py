"""What explain judges of what was seen of a path: facts in, a cause and a remedy out, and no host."""

import pytest

from foreman_selinux_helpers.model import causes, explanation, rules
from foreman_selinux_helpers.model.access import Check, ClientFacts
from foreman_selinux_helpers.model.equivalence import Equivalences, parse
from foreman_selinux_helpers.model.facts import Host
from foreman_selinux_helpers.model.filecontexts import ALL_FILES, SOCKET, Rule
from foreman_selinux_helpers.model.labelcache import FRESH, STALE, UNKNOWN, LabelCache, Wrong
from foreman_selinux_helpers.model.pathfacts import Inode, Listener, PathFacts, UnitSocket
from foreman_selinux_helpers.model.rules import Decision, FileContexts
from foreman_selinux_helpers.model.winner import Verdict

from .test_modes import REFUSING
from .test_sockets import BAD, GOOD, RIGHT, changed

PATH = "/run/foo.sock"
HOST = Host("/", "targeted", True, True, None)
IMAGE = Host("/image", "targeted", False, False, "/image is an image")
WIDE = Rule("/run/.*", ALL_FILES, BAD, "/etc/file_contexts", 3)
LITERAL = Rule("/run/foo\\.sock", "file", GOOD, "/etc/file_contexts", 7)
ALIASED = Rule("/var/run/foo\\.sock", ALL_FILES, GOOD, "/etc/file_contexts", 9)
FACTS = PathFacts(HOST, PATH, SOCKET, Inode(SOCKET, BAD, None), Verdict(PATH, [], WIDE, [], []), BAD, ())
SERVER = Listener(12, "server", "foo.service", None)


def policy(*known, file_type=ALL_FILES):
    return FileContexts({}.get, str, str.__eq__, lambda name: [one for one in known if ":%s:" % name in one.context], (),
                  Equivalences((), parse("/var/run /run\n", "subs_dist")), True, {}.get, lambda path: (file_type, None))


def socket(problem=None, cache=FRESH, decisions=(), wrong=None, **change):
    return UnitSocket(changed(RIGHT, **change), problem, "words" if problem else None, None, decisions,
                      LabelCache(cache, ["why"], wrong=wrong))


# -- a path that no unit has ---------------------------------------------------------------------


RIGHTLY = {"expected": GOOD}


@pytest.mark.parametrize(("change", "cause", "said"), [
    ({}, None, None),
    (dict(RIGHTLY, inode=None), None, None),
    (dict(RIGHTLY, host=IMAGE), None, None),
    (dict(RIGHTLY, file_type="pipe"), None, None),  # what is there is something else
    ({"expected": None}, None, "no rule gives it a label"),
    (dict(RIGHTLY, customizable=True), None, "customizable_types(5)"),
    (dict(RIGHTLY, keeps_labels=False), causes.NO_LABEL_SUPPORT, "keeps no labels"),
    (dict(RIGHTLY, inode=Inode(SOCKET, None, None), customizable=True), causes.NO_LABEL_SUPPORT, "keeps no labels"),
    (dict(RIGHTLY, listeners=[SERVER]), causes.NOT_MADE_BY_SYSTEMD, "server (PID 12, foo.service) created this socket"),
    (dict(RIGHTLY, listeners=[SERVER._replace(pid=1)]), causes.MADE_BEFORE_RULE, "It is var_run_t, and the rules say foo_t"),
    (RIGHTLY, causes.MADE_BEFORE_RULE, "It is var_run_t, and the rules say foo_t"),
])
def test_a_path_of_nobody(change, cause, said):
    found = explanation.judge(FACTS._replace(**change), None, policy())
    assert found.cause == cause
    assert (said or "") in " ".join([found.why or "", *found.notes])
    assert bool(said) == bool(found.why or found.notes)
    restored = cause in (causes.NOT_MADE_BY_SYSTEMD, causes.MADE_BEFORE_RULE)
    assert found.command == ("restorecon -v " + PATH if restored else None)


@pytest.mark.parametrize(("meant", "file_type", "cause", "command"), [
    (LITERAL, ALL_FILES, causes.WRONG_FILE_TYPE, "semanage fcontext -a -t foo_t '/run/foo\\.sock'"),
    (ALIASED, ALL_FILES, causes.ALIASED_PATH, "semanage fcontext -a -t foo_t '/run/foo\\.sock'"),
    (ALIASED, SOCKET, causes.ALIASED_PATH, "semanage fcontext -a -f s -t foo_t '/run/foo\\.sock'"),
    (ALIASED, None, causes.ALIASED_PATH, " && ".join(rules.equivalence_commands(PATH, "foo_t"))),
    (LITERAL._replace(context="<<none>>"), ALL_FILES, None, None),
    (LITERAL._replace(context=BAD), ALL_FILES, None, None),  # the path has that type anyway
])
def test_a_rule_that_means_the_path_and_does_not_cover_it(meant, file_type, cause, command):
    found = explanation.judge(FACTS._replace(meant=meant), None, policy(meant, file_type=file_type))
    assert (found.cause, found.command, found.wanted) == (cause, command, GOOD if cause else None)
    if cause:
        assert "So the rule /run/.* (file_contexts:3) wins: var_run_t." in found.why
    profiled = explanation.judge(FACTS._replace(meant=meant), socket(), policy(meant))
    assert profiled.cause is None  # the profile says what is wanted


def test_the_command_is_for_the_image():
    found = explanation.judge(FACTS._replace(meant=LITERAL, host=IMAGE), None, policy(LITERAL))
    assert found.command.startswith("chroot /image semanage fcontext -a ")


# -- a socket of a unit --------------------------------------------------------------------------


@pytest.mark.parametrize(("found", "words"), [
    (socket(causes.MODE_DENIES, reach=REFUSING),
     "Labels and policy are right, but apache may not write /run/foo.sock (root:foo 0660), being neither its owner nor in"),
    (socket(causes.NO_SUCH_TYPE), "The profile foo wants the type foo_t, which the policy does not have."),
    (socket(causes.NO_RULE), "No rule gives the type foo_t to /run/foo.sock. So the rule /run/.* (file_contexts:3) wins: var_run_t."),
    (socket(causes.SHADOWED, decisions=[Decision(WIDE, rules.SKIP, "a rule of yours wins", "foo.socket", PATH, causes.SHADOWED)]),
     "A rule of yours wins."),
    (socket(causes.SHADOWED, wanted_decided=Decision(WIDE, rules.SKIP, "it was deleted", "foo.socket", commands=("x",))), "It was deleted."),
    (socket(causes.LABEL_CACHE_STALE, path_label=BAD),
     "The rules are right, but PID 1 labels new sockets by an outdated copy of them: it is var_run_t, and the rules say foo_t."),
    (socket(causes.LABEL_CACHE_STALE),
     "The rules are right, but PID 1 labels new sockets by an outdated copy of them, and the next one will be wrong."),
    (socket(causes.NOT_MADE_BY_SYSTEMD, path_label=BAD), "Another program created this socket, not systemd, and did not use"
     " the rules: it is var_run_t, and the rules say foo_t."),
    (socket(causes.SOCKET_LABEL, socket_label=BAD), "The path is labelled right, but the listening socket object is %s," % BAD),
    (socket(causes.SOCKET_LABEL), "The client may not connect: a label on the way is not what it should be."),
    (socket(causes.POLICY_DENIES), "The client may not connect: a label on the way is not what it should be."),
    (socket(causes.NO_LABEL_SUPPORT, path_label=None), "The file system that holds /run/foo.sock keeps no labels"),
    (socket(causes.MADE_BEFORE_RULE, path_label=BAD), "The rules are right and PID 1 knows them, but it is var_run_t,"),
    (socket(causes.MADE_BEFORE_RULE, STALE, path_label=BAD), "PID 1 should read them when it next labels something"),
    (socket(causes.MADE_BEFORE_RULE, STALE, wrong=(), path_label=BAD), "PID 1's older copy of them gives the same label"),
    (socket(causes.MADE_BEFORE_RULE, STALE, wrong=[Wrong("/x", None, BAD)], path_label=BAD), "PID 1 should read them"),
    (socket(causes.MADE_BEFORE_RULE, UNKNOWN, path_label=BAD), "whether PID 1 knows them is unknown"),
])
def test_why_the_socket_of_a_unit_is_wrong(found, words):
    judged = explanation.judge(FACTS, found, policy())
    assert (judged.cause, judged.remedy) == (found.problem, "words")
    assert words in judged.why


def test_a_cause_without_words_of_its_own_is_told_by_its_meaning(monkeypatch):
    added = causes.Cause("eaten-by-moths", "Moths have eaten the label.")
    monkeypatch.setattr(causes, "CAUSES", (*causes.CAUSES, added))
    assert explanation.judge(FACTS, socket(added.name), policy()).why == added.meaning


def test_what_is_left_of_an_earlier_socket_is_a_note():
    judged = explanation.judge(FACTS._replace(expected=GOOD), socket(), policy())
    assert (judged.cause, "the file of an earlier socket" in judged.notes[0]) == (None, True)
    assert explanation.judge(FACTS, socket(), policy()) == explanation.Judgement()


# -- the client ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("cause", "right", "judged"), [
    (None, False, causes.POLICY_DENIES), (causes.POLICY_DENIES, False, causes.POLICY_DENIES),
    (causes.NO_RULE, False, causes.NO_RULE), (None, True, None), (None, None, None)])
def test_a_denial_counts_where_nothing_else_is_wrong(cause, right, judged):
    client = ClientFacts("web_t", "u:r:web_t", [Check(PATH, "sock_file", "write", BAD, False, GOOD, right)], [None])
    found = explanation.judge_client(explanation.Judgement(cause), client)
    assert found.cause == judged
    assert ("web_t" in (found.why or "")) == (right is False and judged == causes.POLICY_DENIES)


def test_the_view_of_a_socket():
    view = explanation.view_of(FACTS._replace(listeners=[SERVER]), None, GOOD, BAD)
    seen = view.seen
    assert (view.path, view.wanted.context, view.expected) == (PATH, GOOD, BAD)
    assert (seen.exists, seen.path_label, seen.socket_label, seen.foreign) == (True, BAD, BAD, True)
    assert explanation.view_of(FACTS._replace(inode=None), None, None, None).wanted.context == BAD
    assert explanation.view_of(FACTS, socket(), None, BAD) == RIGHT
    assert explanation.view_of(FACTS, socket(), BAD, BAD).wanted.context == BAD


def test_what_is_unusual_is_noted():
    broken, untold = FACTS.verdict._replace(broken=LITERAL), FACTS.verdict._replace(untold=True)
    link = FACTS._replace(inode=Inode("symlink", None, "x"))
    assert explanation.notes(FACTS) == []
    assert explanation.notes(link) == ["what is there has another file type: symlink",
                                       "it is a symbolic link to x; explain that path for the target"]
    assert explanation.notes(FACTS._replace(verdict=broken))[0].startswith("libselinux fails at the regex of /etc/file_contexts:7 ")
    assert explanation.notes(FACTS._replace(verdict=untold, expected=None)) == [
        "libselinux answers that it gets no label for /run/foo.sock; which rule this comes from could not be determined"]
