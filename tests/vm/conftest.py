"""Images and packages are built once for a run; each test boots a guest of its own."""

import os
import re
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Iterator, List

import pytest

from ..packages import build
from . import image, releases
from .guest import Guest

BUILD = Path(__file__).resolve().parent.parent.parent / "build"
# Each worker builds its own: they are quick, and rpmbuild shares no directory.
PACKAGES = BUILD / "test-rpms" / os.environ.get("PYTEST_XDIST_WORKER", "main")


@pytest.fixture(scope="session")
def base_packages() -> List[Path]:
    """Return our package, the host's stand-in and the web client."""
    return [build.host(PACKAGES), build.our_package(PACKAGES), build.client(PACKAGES)]


@pytest.fixture(scope="session")
def boot(base_packages: List[Path]) -> Callable[..., Any]:
    """Return a function that boots a guest (a policy layout of bookworm, or a release) with our package installed."""
    @contextmanager
    def booted(layout: str = "debian", install: bool = True, **options: Any) -> Iterator[Guest]:
        options["name"] = re.sub(r"\W+", "-", layout)
        built = releases.build if layout in releases.RELEASES else image.build
        with Guest(built(BUILD / "guests", layout), **options) as guest:
            if install:
                done = guest.rpm("-i", *guest.put_files("/root/rpms", base_packages))
                assert (done.status, done.out + done.err) == (0, "")
            yield guest
    return booted


@pytest.fixture
def install() -> Callable[..., None]:
    """Return a function that installs or upgrades demonstration packages in one quiet transaction."""
    def transaction(guest: Guest, *packages: Path) -> None:
        done = guest.rpm("-U", "--oldpackage", *guest.put_files("/root/rpms", list(packages)))
        assert (done.status, done.out + done.err) == (0, "")
    return transaction


@pytest.fixture
def demo() -> Callable[..., Path]:
    """Return a function that builds a demonstration package."""
    def built(unit: str, number: int = 2, **options: Any) -> Path:
        return build.demo(PACKAGES, unit, number, **options)
    return built
