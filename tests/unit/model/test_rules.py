import pytest

from foreman_selinux_helpers.model import causes, decisions, rules
from foreman_selinux_helpers.model.equivalence import Equivalences, parse
from foreman_selinux_helpers.model.filecontexts import ALL_FILES, SOCKET, Rule, type_of
from foreman_selinux_helpers.model.record import Owned, Record
from foreman_selinux_helpers.model.rules import FileContexts, Want, canonical_regex

NEW = Equivalences((), parse("/var/run /run\n", "subs_dist"))
OLD = Equivalences((), parse("/run /var/run\n", "subs_dist"))
CONTEXT = "system_u:object_r:foo_t:s0"
ADMINS = "system_u:object_r:admin_t:s0"
WANT = Want("foo.socket", "foo", "foo_t", "/run/foo.sock")
OURS = Rule("/run/foo\\.sock", ALL_FILES, CONTEXT)


def record(*known, **pending):
    return Record({one.key: Owned(one, "foo.socket") for one in known},
                  {one.key: Owned(one, "foo.socket") for one in pending.get("pending", ())})


def decided(wants=(WANT,), answers=None, policy_rules=(), local=(), ours=None, equivalences=NEW, types=("foo_t",),
            abandoned=lambda unit: False, complete=lambda unit: True, without=None,
            effective=lambda path: (ALL_FILES, None)):
    """``answers``: what libselinux says now; ``without``: and if the rules of ours were not there.

    That is the same where there are none, and else by default nothing.
    """
    def rules_for(name):
        return [one for one in [*policy_rules, *local] if type_of(one.context) == name]
    policy = FileContexts((answers or {}).get, lambda name: name if name in types else None, str.__eq__, rules_for, local, equivalences, True,
                    (({} if ours else answers or {}) if without is None else without).get, effective)
    return decisions.decide(wants, policy, ours or record(), abandoned, complete)


def only(**options):
    (one,) = decided(**options)
    return one


def test_nothing_is_added_where_the_policy_is_right():
    one = only(answers={"/run/foo.sock": CONTEXT})
    assert (one.action, one.cause) == (rules.SKIP, None)


@pytest.mark.parametrize(("equivalences", "path"), [(NEW, "/run/foo.sock"), (OLD, "/var/run/foo.sock")])
def test_a_missing_rule_is_added_in_the_canonical_spelling(equivalences, path):
    one = only(equivalences=equivalences)
    assert (one.action, one.path, one.cause) == (rules.ADD, path, causes.NO_RULE)
    assert one.rule == Rule(path.replace(".", "\\."), ALL_FILES, CONTEXT)


@pytest.mark.parametrize(("rule", "cause"), [
    (Rule("/run/foo\\.sock", "file", CONTEXT, "fc", 7), causes.WRONG_FILE_TYPE),
    (Rule("/var/run/foo\\.sock", ALL_FILES, CONTEXT, "fc", 7), causes.ALIASED_PATH),
    (Rule("/var/run/foo\\.sock", "file", CONTEXT, "fc", 7), causes.ALIASED_PATH),
    (Rule("/run/foo.*", SOCKET, CONTEXT, "fc", 7), causes.SHADOWED),
    (Rule("/run/bar\\.sock", ALL_FILES, CONTEXT, "fc", 7), causes.NO_RULE),
])
def test_the_cause_is_found_in_the_policy(rule, cause):
    one = only(policy_rules=[rule])
    assert (one.action, one.cause) == (rules.ADD, cause)
    assert one.reason.startswith(cause)
    assert cause == causes.NO_RULE or "fc:7" in one.reason


def test_our_rule_is_kept_while_it_works():
    assert only(local=[OURS], ours=record(OURS), answers={"/run/foo.sock": CONTEXT}).action == rules.KEEP


def test_our_rule_is_given_back_once_it_is_not_needed():
    """The policy has learnt it, or the administrator has made a rule to the same effect."""
    one = only(local=[OURS], ours=record(OURS), answers={"/run/foo.sock": CONTEXT}, without={"/run/foo.sock": CONTEXT})
    assert (one.action, one.rule, one.cause, one.own_word) == (rules.REMOVE, OURS, None, None)
    regex = Rule("/run/foo.*", ALL_FILES, CONTEXT)
    want = Want("foo.socket", "foo", "foo_t", regex=regex.regex)
    assert only(wants=[want], local=[regex], ours=record(regex)).action == rules.KEEP
    assert only(wants=[want], local=[regex], ours=record(regex), policy_rules=[regex._replace(file="fc")]).action \
        == rules.REMOVE


OTHER = "system_u:object_r:other_t:s0"
LITERAL = Rule("/run/foo\\.sock", ALL_FILES, OTHER, "fc", 7)


@pytest.mark.parametrize(("named", "policy_rule", "directory", "own_word"), [
    (True, LITERAL, None, OTHER),
    (True, LITERAL._replace(file_type=SOCKET), None, OTHER),
    (True, LITERAL._replace(file_type="file"), None, None),
    (True, LITERAL._replace(regex="/run/foo.*"), None, None),
    (True, LITERAL._replace(regex="/var/run/foo\\.sock"), None, None),
    (False, LITERAL._replace(regex="/run/foo.*"), None, OTHER),
    (False, LITERAL._replace(regex="/run/foo.*"), CONTEXT, OTHER),
    (False, LITERAL._replace(regex="/run(/.*)?"), OTHER, None)])  # it says so of every name there
@pytest.mark.parametrize("mine", [False, True])
def test_the_policys_own_word(named, policy_rule, directory, own_word, mine):
    """It wins over the profile, and our rule goes; a profile that names the path yields to a rule for it alone."""
    without = {"/run/foo.sock": OTHER, "/run/" + decisions._ANY_NAME: directory}
    one = only(wants=[WANT._replace(named=named)], policy_rules=[policy_rule], without=without,
               answers={"/run/foo.sock": CONTEXT if mine else OTHER}, local=[OURS] * mine,
               ours=record(OURS) if mine else None)
    assert one.own_word == own_word
    kept = {(False, False): rules.ADD, (False, True): rules.KEEP, (True, False): rules.SKIP, (True, True): rules.REMOVE}
    assert one.action == kept[(own_word is not None, mine)]


def test_a_rule_of_the_administrator_for_the_path_alone_is_no_word_of_the_policy():
    theirs = Rule("/run/foo\\.sock", ALL_FILES, ADMINS, "local", 3)
    one = only(local=[theirs], answers={"/run/foo.sock": ADMINS})
    assert (one.action, one.cause, one.own_word) == (rules.SKIP, causes.SHADOWED, None)


def test_our_rule_with_a_type_that_is_gone_is_removed():
    """It would make every transaction of everybody fail."""
    one = only(types=(), local=[OURS], ours=record(OURS))
    assert (one.action, one.cause) == (rules.REMOVE, causes.NO_SUCH_TYPE)


def test_who_deletes_our_rule_is_told_that_and_how_to_have_it_back():
    one = only(local=[], ours=record(OURS))
    assert (one.action, one.cause) == (rules.SKIP, causes.NO_RULE)
    assert one.reason == "the administrator deleted the rule that was added for foo.socket"
    assert one.commands == ("foreman-selinux-helpers unregister foo.socket", "foreman-selinux-helpers repair foo.socket")


def test_a_rule_of_the_administrator_wins():
    theirs = Rule("/run/foo.*", ALL_FILES, ADMINS, "local", 3)
    one = only(local=[theirs], answers={"/run/foo.sock": ADMINS})
    assert (one.action, one.cause) == (rules.SKIP, causes.SHADOWED)
    assert "/run/foo.*" in one.reason


@pytest.mark.parametrize("theirs", [
    Rule("/run/foo.*", ALL_FILES, ADMINS), Rule("/run(/.*)?", SOCKET, ADMINS), Rule("/run/foo\\.sock", SOCKET, ADMINS)])
@pytest.mark.parametrize("newer", [False, True])
def test_our_rule_goes_when_the_administrator_makes_one(theirs, newer):
    """Ours has no special characters, so libselinux would prefer it to their older and newer regexes."""
    local = [OURS, theirs] if newer else [theirs, OURS]
    one = only(local=local, ours=record(OURS), answers={"/run/foo.sock": CONTEXT})
    assert (one.action, one.rule, one.cause) == (rules.REMOVE, OURS, causes.SHADOWED)
    assert str(theirs) in one.reason


def test_a_rule_of_the_administrator_to_the_same_effect_changes_nothing():
    theirs = Rule("/run/foo.*", ALL_FILES, CONTEXT)
    assert only(local=[OURS, theirs], ours=record(OURS), answers={"/run/foo.sock": CONTEXT}).action == rules.KEEP


def test_a_rule_that_cannot_match_a_socket_does_not_win():
    assert only(local=[Rule("/run/foo.*", "file", ADMINS)]).action == rules.ADD


def test_a_rule_of_ours_that_was_changed_or_removed_is_theirs():
    changed = OURS._replace(context=ADMINS)
    assert only(local=[changed], ours=record(OURS), answers={"/run/foo.sock": ADMINS}).action == rules.SKIP
    assert only(local=[], ours=record(OURS)).action == rules.SKIP


def test_a_crash_before_or_after_the_commit_loses_nothing():
    assert only(local=[], ours=record(pending=[OURS])).action == rules.ADD
    assert only(local=[OURS], ours=record(pending=[OURS]), answers={"/run/foo.sock": CONTEXT}).action == rules.KEEP


def test_another_type_modifies_our_rule():
    one = only(wants=[WANT._replace(type="bar_t")], types=("bar_t",), local=[OURS], ours=record(OURS),
               answers={"/run/foo.sock": CONTEXT})
    assert (one.action, one.rule.context) == (rules.MODIFY, "system_u:object_r:bar_t:s0")


def test_an_unknown_type_is_said():
    one = only(types=())
    assert (one.action, one.cause) == (rules.SKIP, causes.NO_SUCH_TYPE)


def test_rules_that_nobody_wants_are_removed():
    gone = decided(wants=[], local=[OURS], ours=record(OURS), abandoned=lambda unit: True)
    assert [one.action for one in gone] == [rules.REMOVE]
    assert decided(wants=[], local=[OURS], ours=record(OURS), complete=lambda unit: False) == []
    elsewhere = decided(wants=[WANT._replace(path="/run/new.sock")], local=[OURS], ours=record(OURS))
    assert [one.action for one in elsewhere] == [rules.ADD, rules.REMOVE]


def test_when_the_equivalence_turns_round_our_rule_moves():
    wants = decisions.wants_of_ours(record(OURS), [OURS], {"foo.socket"}, {"foo.socket": "foo_t"}, OLD)
    moved = decided(wants=wants, local=[OURS], ours=record(OURS), equivalences=OLD, complete=lambda unit: False)
    assert [(one.action, one.rule.regex) for one in moved] == [
        (rules.ADD, "/var/run/foo\\.sock"), (rules.REMOVE, "/run/foo\\.sock")]


# /opt/app becomes /srv/www/app, and that is not substituted again.
CHAIN = Equivalences(parse("/srv/www /var/www\n/opt/app /srv/www/app\n", "subs"), ())
CHAINED = WANT._replace(path="/opt/app/foo.sock")
CHAINED_RULE = Rule("/srv/www/app/foo\\.sock", ALL_FILES, CONTEXT)


def asked_once(answers):
    """Answer as libselinux does where substitutions chain: by the rule at the path that one of them leads to."""
    return {path: answers[CHAIN.canonical(path)] for path in (
        "/opt/app/foo.sock", "/srv/www/app/foo.sock", "/var/www/app/foo.sock") if CHAIN.canonical(path) in answers}


def test_libselinux_is_asked_for_the_path_as_it_was_given():
    elsewhere = asked_once({"/var/www/app/foo.sock": CONTEXT})
    added = only(wants=[CHAINED], equivalences=CHAIN, answers=elsewhere)
    assert (added.action, added.rule, added.path, added.given) == (
        rules.ADD, CHAINED_RULE, "/srv/www/app/foo.sock", "/opt/app/foo.sock")
    works = asked_once({"/srv/www/app/foo.sock": CONTEXT})
    kept = only(wants=[CHAINED], equivalences=CHAIN, answers=works, local=[CHAINED_RULE], ours=record(CHAINED_RULE))
    assert kept.action == rules.KEEP


@pytest.mark.parametrize("complete", [False, True])
def test_a_rule_that_only_a_substitution_leads_to_is_alive(complete):
    """Its own path leads elsewhere; so does that of a unit which cannot be asked now."""
    works = asked_once({"/srv/www/app/foo.sock": CONTEXT})
    wants = [CHAINED] if complete else decisions.wants_of_ours(
        record(CHAINED_RULE), [CHAINED_RULE], {"foo.socket"}, {"foo.socket": "foo_t"}, CHAIN)
    one = only(wants=wants, equivalences=CHAIN, answers=works, local=[CHAINED_RULE], ours=record(CHAINED_RULE),
               complete=lambda unit: complete)
    assert (one.action, one.rule) == (rules.KEEP, CHAINED_RULE)


@pytest.mark.parametrize(("regex", "gone"), [
    ("/srv/www/app/foo\\.sock", False), ("/srv/www/app/f.*", False), ("/srv/www/other/foo\\.sock", True),
    ("/srv/www/other/f.*", True), ("/var/www/f.*", False), ("/.*", False)])
def test_a_rule_is_dead_when_nothing_leads_to_it(regex, gone):
    rule = Rule(regex, ALL_FILES, CONTEXT)
    found = decided(wants=[], equivalences=CHAIN, local=[rule], ours=record(rule), complete=lambda unit: False)
    assert [one.action for one in found] == [rules.REMOVE] * gone


BETTER = Rule("/run/foo\\.sock", SOCKET, ADMINS, "fc", 7)
FOR_SOCKETS = OURS._replace(file_type=SOCKET)


@pytest.mark.parametrize("ours", [(), (OURS,), (FOR_SOCKETS,)])
def test_a_local_rule_is_for_sockets_where_only_such_a_rule_has_an_effect(ours):
    found = decided(local=ours, ours=record(*ours), answers={"/run/foo.sock": ADMINS} if FOR_SOCKETS not in ours else
                    {"/run/foo.sock": CONTEXT}, effective=lambda path: (SOCKET, None))
    action = rules.KEEP if FOR_SOCKETS in ours else rules.ADD
    assert {(one.rule, one.action) for one in found} == {(FOR_SOCKETS, action)} | (
        {(OURS, rules.REMOVE)} if OURS in ours else set())
    # One that somebody has removed is not made again.
    assert only(ours=record(FOR_SOCKETS), effective=lambda path: (SOCKET, None)).action == rules.SKIP


@pytest.mark.parametrize("ours", [(), (OURS,)])
def test_where_no_local_rule_has_an_effect_the_command_that_has_is_said(ours):
    one = only(local=ours, ours=record(*ours), answers={"/run/foo.sock": ADMINS}, effective=lambda path: (None, BETTER))
    assert (one.action, one.cause) == (rules.REMOVE if ours else rules.SKIP, causes.SHADOWED)
    assert "no effect: fc:7 beats it: " + str(BETTER) in one.reason
    assert one.no_effect
    assert one.commands == ("semanage fcontext -a -f s -t foo_t '/run/foo\\.sock-local'",
                            "semanage fcontext -a -e /run/foo.sock-local /run/foo.sock")
    assert " && ".join(one.commands) in one.reason


def test_a_regex_covers_the_paths_that_it_matches():
    wants = [WANT, Want("foo.socket", "foo", "foo_t", regex="/var/run/foo.*")]
    found = {one.rule.regex: one.action for one in decided(wants=wants)}
    assert found == {"/run/foo.*": rules.ADD, "/run/foo\\.sock": rules.SKIP}


@pytest.mark.parametrize(("theirs", "action"), [
    (Rule("/run/foo\\.sock", ALL_FILES, ADMINS), rules.SKIP),  # one of the paths
    (Rule("/run/foobar/.*", SOCKET, ADMINS), rules.SKIP),
    (Rule("/run(/.*)?", ALL_FILES, ADMINS), rules.SKIP),
    (Rule("/run/f[no]o", ALL_FILES, ADMINS), rules.SKIP),  # not certain
    (Rule("/run/bar.*", ALL_FILES, ADMINS), rules.ADD),
    (Rule("/run/fo", ALL_FILES, ADMINS), rules.ADD),
    (Rule("/run/foo.*", "file", ADMINS), rules.ADD),
    (Rule("/run/foobar/.*", SOCKET, CONTEXT), rules.ADD),  # to the same effect
])
def test_a_regex_never_outranks_a_rule_of_the_administrator(theirs, action):
    one = only(wants=[Want("foo.socket", "foo", "foo_t", regex="/run/foo.*")], local=[theirs])
    assert (one.action, one.cause) == (action, causes.SHADOWED if action == rules.SKIP else causes.NO_RULE)


def test_a_rule_of_ours_follows_the_policys_levels():
    plain = OURS._replace(context="system_u:object_r:foo_t")
    one = only(local=[plain], ours=record(plain), answers={"/run/foo.sock": plain.context})
    assert (one.action, one.rule.context) == (rules.MODIFY, CONTEXT)


@pytest.mark.parametrize(("regex", "canonical"), [
    ("/var/run/foo.*", "/run/foo.*"), ("/(var/)?run/foo", "/(var/)?run/foo"), ("/var/run(/.*)?", "/var/run(/.*)?"),
    ("/run/x", "/run/x")])
def test_canonical_regex(regex, canonical):
    assert canonical_regex(regex, NEW) == canonical


@pytest.mark.parametrize(("rules_there", "cause", "both"), [
    ([Rule("/var/run/foo\\.sock", "file", CONTEXT, "fc", 1)], causes.ALIASED_PATH, True),
    ([Rule("/var/run/foo\\.sock", ALL_FILES, CONTEXT, "fc", 1)], causes.ALIASED_PATH, False),
    ([Rule("/run/foo\\.sock", "file", CONTEXT, "fc", 1)], causes.WRONG_FILE_TYPE, False),
    ([Rule("/var/run/foo\\.sock", "file", CONTEXT, "fc", 1), Rule("/var/run/foo.*", SOCKET, CONTEXT, "fc", 2)],
     causes.ALIASED_PATH, False),
    ([], causes.NO_RULE, False)])
def test_a_second_fault_is_told_with_the_first(rules_there, cause, both):
    one = only(policy_rules=rules_there)
    assert (one.action, one.cause) == (rules.ADD, cause)
    assert ("and for type 'file' only" in one.reason) == both
