"""The same questions to other versions of libselinux: that of Debian 13, or of RELEASES (``RELEASES=forky``)."""

import os

import pytest

from . import releases

RELEASES = os.environ.get("RELEASES", "trixie").split()


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("tests", [
    ("test_winner.py", "-k", "every_path"), ("test_winner.py", "-k", "not every_path"), ("test_order.py",)],
    ids=["policy", "generated", "order"])
def test_in_another_release(release, tests):
    done = releases.run(release, *tests)
    print(done.stdout)
    assert done.returncode == 0, done.stdout[-8000:]
