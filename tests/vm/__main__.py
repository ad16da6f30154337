"""Build the image of every guest, which takes some minutes, before the tests ask for them."""

from pathlib import Path

from . import image, releases

DIRECTORY = Path(__file__).resolve().parent.parent.parent / "build/guests"

for layout in image.LAYOUTS:
    image.build(DIRECTORY, layout)
for release in releases.RELEASES:
    releases.build(DIRECTORY, release)
