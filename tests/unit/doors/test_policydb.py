import struct

import pytest

from foreman_selinux_helpers.doors.policydb import has_levels, names_of_type, newest


def symbol(name, value, properties):
    return struct.pack("<4I", len(name), value, properties, 0) + name.encode()


HEAD = struct.pack("<2I", 0xf97cff8c, 8) + b"SE Linux" + struct.pack("<2I", 33, 5)
CONTENT = HEAD + symbol("foo_run_t", 300, 1) + symbol("foo_t", 7, 1) + symbol("foo_var_run_t", 300, 0) \
    + symbol("foo_files", 8, 3) + symbol("orphan_t", 9, 0) + symbol("foo_bar_t", 10, 1) + symbol("foo-bar_t", 10, 0)


@pytest.mark.parametrize(("name", "names"), [
    ("foo_t", ["foo_t"]), ("foo_run_t", ["foo_run_t", "foo_var_run_t"]), ("foo_var_run_t", ["foo_run_t", "foo_var_run_t"]),
    ("foo-bar_t", ["foo_bar_t", "foo-bar_t"]), ("foo_bar_t", ["foo_bar_t", "foo-bar_t"]), ("bar_t", []), ("-bar_t", []),
    ("foo_files", []), ("foo", []), ("run_t", []), ("orphan_t", []), ("", []), ("foo_t\n", []), ("\udcff", []), ("f.*", [])])
def test_the_names_of_a_type(name, names):
    assert names_of_type(CONTENT, name) == names


def test_a_truncated_policy_has_fewer_types():
    for end in range(len(CONTENT)):
        assert names_of_type(CONTENT[:end], "foo_var_run_t") in ([], ["foo_run_t", "foo_var_run_t"])


def test_levels():
    assert has_levels(CONTENT)
    assert not has_levels(HEAD[:-4] + struct.pack("<I", 4))
    for odd in (b"", HEAD[:10], b"\0" * 64):
        assert has_levels(odd)


def test_the_newest_policy(tmp_path):
    assert newest(str(tmp_path), "targeted") is None
    directory = tmp_path / "etc/selinux/targeted/policy"
    directory.mkdir(parents=True)
    assert newest(str(tmp_path), "targeted") is None
    for name in ("policy.9", "policy.33", "policy.33.rpmsave", "policy.kern"):
        (directory / name).touch()
    assert newest(str(tmp_path), "targeted") == str(directory / "policy.33")
