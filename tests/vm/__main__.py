"""Build the image of every guest, which takes some minutes, before the tests ask for them."""

from . import image, releases

for layout in image.LAYOUTS:
    image.build(layout)
for release in releases.RELEASES:
    releases.build(release)
