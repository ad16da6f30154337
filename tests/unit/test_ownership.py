import json
import os

import pytest

from foreman_selinux_helpers import ownership
from foreman_selinux_helpers.errors import HelperError
from foreman_selinux_helpers.filecontexts import ALL_FILES, Rule
from foreman_selinux_helpers.ownership import Owned, Record

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
