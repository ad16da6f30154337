import json
import os

import pytest

from foreman_selinux_helpers.doors import ownership
from foreman_selinux_helpers.model.errors import HelperError
from foreman_selinux_helpers.model.filecontexts import ALL_FILES, SOCKET, Rule
from foreman_selinux_helpers.model.record import Owned, Record

RULE = Rule("/run/foo\\.sock", ALL_FILES, "system_u:object_r:foo_t:s0")
RECORD = Record({RULE.key: Owned(RULE, "foo.socket")}, {})

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the record must belong to root")


def test_round_trip_and_removal(tmp_path):
    root = str(tmp_path)
    assert ownership.load(root, "targeted") == Record({}, {})
    ownership.save(root, "targeted", RECORD)
    assert ownership.load(root, "targeted") == RECORD
    assert ownership.load(root, "mls") == Record({}, {})
    ownership.save(root, "targeted", Record({}, {}))
    assert os.listdir(os.path.dirname(ownership.file_of(root, "targeted"))) == []
    ownership.save(root, "targeted", Record({}, {}))


def owned(regex, unit="foo.socket", file_type=ALL_FILES):
    rule = Rule(regex, file_type, "system_u:object_r:foo_t:s0")
    return {rule.key: Owned(rule, unit)}


PLAIN = [RECORD, Record({}, RECORD.rules), Record({**RECORD.rules, **owned("/a.*", "b.socket", SOCKET)}, owned("/\\\\\\.x"))]
OTHER = [Record(owned('/a"b'), {}), Record({}, owned("/\u00e9")), Record(owned("/a", "\n.socket"), {}),
         Record(owned("/b", "pending"), RECORD.rules)]


@pytest.mark.parametrize("record", PLAIN + OTHER)
def test_a_record_is_read_quickly_where_it_is_plain_and_rightly_everywhere(tmp_path, record):
    ownership.save(str(tmp_path), "targeted", record)
    assert ownership.load(str(tmp_path), "targeted") == record
    with open(ownership.file_of(str(tmp_path), "targeted")) as stream:
        text = stream.read()
    document = json.loads(text)
    quickly = ownership._as_saved(text)
    assert quickly == ([document["rules"], document["pending"]] if record in PLAIN else None)
    # Not another byte may differ for that.
    for place in range(len(text)):
        for change in (text[:place] + text[place + 1:], text[:place] + "\\" + text[place:], text[:place] + '"' + text[place:],
                       text[:place] + "\n" + text[place:], text[:place] + "x" + text[place:]):
            found = ownership._as_saved(change)
            if found is not None:
                assert found == [json.loads(change)["rules"], json.loads(change)["pending"]]


def test_what_a_killed_run_left_is_no_obstacle(tmp_path):
    root = str(tmp_path)
    ownership.save(root, "targeted", RECORD)
    with open(ownership.file_of(root, "targeted") + ".new", "w") as stream:
        stream.write("half")
    assert ownership.load(root, "targeted") == RECORD
    ownership.save(root, "targeted", RECORD)
    assert ownership.load(root, "targeted") == RECORD


@pytest.mark.parametrize("content", [
    "", "{", "[]", "{}", '{"rules": 1, "pending": []}', '{"rules": [{}], "pending": []}',
    json.dumps({"rules": [{"regex": 1, "file_type": "all", "context": "c", "unit": "u"}], "pending": []}),
    json.dumps({"rules": [{"regex": "r", "file_type": "x", "context": "c", "unit": "u"}], "pending": []})])
def test_a_damaged_record_is_one_clear_line(tmp_path, content):
    ownership.save(str(tmp_path), "targeted", RECORD)
    with open(ownership.file_of(str(tmp_path), "targeted"), "w") as stream:
        stream.write(content)
    with pytest.raises(HelperError) as raised:
        ownership.load(str(tmp_path), "targeted")
    assert "targeted.json" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_record_that_others_can_write_is_refused(tmp_path):
    ownership.save(str(tmp_path), "targeted", RECORD)
    os.chmod(ownership.file_of(str(tmp_path), "targeted"), 0o666)
    with pytest.raises(HelperError, match="written by nobody else"):
        ownership.load(str(tmp_path), "targeted")


def test_a_link_is_not_followed(tmp_path):
    file = ownership.file_of(str(tmp_path), "targeted")
    os.makedirs(os.path.dirname(file))
    victim = tmp_path / "victim"
    victim.write_text("precious")
    os.symlink(str(victim), file + ".new")
    ownership.save(str(tmp_path), "targeted", RECORD)
    assert victim.read_text() == "precious"
    os.unlink(file)
    os.symlink(str(victim), file)
    with pytest.raises(HelperError):
        ownership.load(str(tmp_path), "targeted")


NEWER = RULE._replace(context="system_u:object_r:bar_t:s0")
OTHER = RULE._replace(regex="/run/bar\\.sock")


@pytest.mark.parametrize(("record", "local", "ours", "given_up"), [
    (RECORD, [RULE], [RULE], []),
    (RECORD, [NEWER], [], [RULE]),
    (RECORD, [], [], [RULE]),
    (RECORD, [RULE._replace(file_type="file")], [], [RULE]),
    (Record({}, RECORD.rules), [RULE], [RULE], []),  # killed after it was added
    (Record({}, RECORD.rules), [], [], []),  # killed before it was added, or after it was removed
    (Record(RECORD.rules, {RULE.key: Owned(NEWER, "foo.socket")}), [RULE], [RULE], []),  # before it was modified
    (Record(RECORD.rules, {RULE.key: Owned(NEWER, "foo.socket")}), [NEWER], [NEWER], []),  # after it was
    (Record(RECORD.rules, {RULE.key: Owned(NEWER, "foo.socket")}), [], [], [RULE]),
])
def test_what_is_ours(record, local, ours, given_up):
    assert [one.rule for one in record.ours(local).values()] == ours
    assert [one.rule for one in record.given_up(local).values()] == given_up


def test_what_was_pending_is_settled_and_the_rest_kept():
    record = Record(RECORD.rules, {OTHER.key: Owned(OTHER, "bar.socket")})
    assert list(record.settled([OTHER])) == [RULE.key, OTHER.key]
    assert list(record.settled([RULE])) == [RULE.key]


def test_a_directory_is_no_record(tmp_path):
    os.makedirs(ownership.file_of(str(tmp_path), "targeted"))
    with pytest.raises(HelperError, match="not a regular file"):
        ownership.load(str(tmp_path), "targeted")


@pytest.mark.parametrize("text", [
    "[" * 200000, '{"rules": [], "pending": [{"regex": 1, "file_type": "all", "context": "", "unit": ""}]}',
    '{"rules": [], "pending": [{"regex": "/a", "file_type": "file", "context": "", "unit": ""}]}',
    '{"rules": [], "pending": [{"regex": "/\\ud800", "file_type": "all", "context": "", "unit": ""}]}',
    '{"rules": [], "pending": [{"regex": "/\\u0000", "file_type": "all", "context": "", "unit": ""}]}'])
def test_a_record_of_what_we_never_wrote_is_damaged(tmp_path, text):
    file = ownership.file_of(str(tmp_path), "targeted")
    os.makedirs(os.path.dirname(file))
    with open(file, "w") as stream:
        stream.write(text)
    with pytest.raises(HelperError, match="is damaged"):
        ownership.load(str(tmp_path), "targeted")
