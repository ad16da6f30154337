"""Images and packages are built once for a run; each test boots a guest of its own."""

import os
import re
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

import pytest

from ..packages import build
from . import image, releases
from .guest import Guest

# Each worker builds its own: they are quick, and rpmbuild shares no directory.
PACKAGES = build.TOP / "build/test-rpms" / os.environ.get("PYTEST_XDIST_WORKER", "main")


@pytest.fixture(scope="session")
def base_packages() -> List[Path]:
    """Return our package, the host's stand-in and the web client."""
    return [build.host(PACKAGES), build.our_package(PACKAGES), build.client(PACKAGES)]


@pytest.fixture(scope="session")
def boot(base_packages: List[Path]) -> Iterator[Callable[..., Any]]:
    """Return a function that gives a guest (a policy layout of bookworm, or a release) with our package installed.

    Each kind of guest is booted once by a worker, and saved; the tests go on from there.
    """
    with tempfile.TemporaryDirectory(prefix="saved-guests-") as directory:
        saved: Dict[str, Path] = {}

        @contextmanager
        def booted(layout: str = "debian", install: bool = True, **options: Any) -> Iterator[Guest]:
            built = (releases.build if layout in releases.RELEASES else image.build)(layout)
            options["name"] = re.sub(r"\W+", "-", layout)
            kind = repr((layout, install, options))
            if kind not in saved:
                file = Path(directory) / str(len(saved))
                with Guest(built, **options) as guest:
                    if install:
                        done = guest.rpm("-i", *guest.put_files("/root/rpms", base_packages))
                        assert (done.status, done.out + done.err) == (0, "")
                    guest.save(file)
                saved[kind] = file
            with Guest(built, saved=saved[kind], **options) as guest:
                yield guest
        yield booted


@pytest.fixture
def install() -> Callable[..., None]:
    """Return a function that installs or upgrades demonstration packages in one quiet transaction.

    Without ``triggers`` it is one in which nobody calls us, as before this package was there.
    """
    def transaction(guest: Guest, *packages: Path, triggers: bool = True) -> None:
        options = ["--oldpackage"] if triggers else ["--oldpackage", "--notriggers"]
        done = guest.rpm("-U", *options, *guest.put_files("/root/rpms", list(packages)))
        assert (done.status, done.out + done.err) == (0, "")
    return transaction


@pytest.fixture
def demo() -> Callable[..., Path]:
    """Return a function that builds a demonstration package."""
    def built(unit: str, number: int = 2, **options: Any) -> Path:
        return build.demo(PACKAGES, unit, number, **options)
    return built
