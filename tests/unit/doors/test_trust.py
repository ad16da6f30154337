"""Paths of images: what is inside, what leads out, and that this host is never asked."""

import itertools
import os
import random

import pytest

from foreman_selinux_helpers.doors import packages, selinuxlib, trust
from foreman_selinux_helpers.model.errors import OutsideImage
from foreman_selinux_helpers.sources import hostkind, pathfacts


@pytest.fixture
def image(tmp_path):
    """Return an image with something of the same name beside it."""
    root = tmp_path.resolve() / "image"
    for top in (root, tmp_path / "outside"):
        (top / "a/b").mkdir(parents=True)
        (top / "file").write_text(str(top))
    return root


LINKS = [
    # link, where it leads, a path, where that is, whether this host would look elsewhere
    ("l", "a", "/l/b", "/a/b", False),
    ("l", "a", "//l/./b/", "/a/b", False),
    ("a/l", "../file", "a/l", "/file", False),
    ("a/l", "b", "/a/l/../b", "/a/b", False),
    ("a/b/l", "..", "/a/b/l/../file", "/file", False),
    ("l", "none/at/all", "/l/x", "/none/at/all/x", False),
    ("l", "/a", "/l/b", "/a/b", True),
    ("l", "/", "/l/a", "/a", True),
    ("l", "..", "/l/file", "/file", True),
    ("a/b/l", "../../../file", "/a/b/l", "/file", True),
    ("a/b/l", "../../../../../../../../etc/passwd", "/a/b/l", "/etc/passwd", True),
    ("a/l", "../../image/file", "/a/l", "/image/file", True),
    ("l", "/etc", "/l/shadow", "/etc/shadow", True),
    ("a/l", "/none/../a/./b", "/a/l/c", "/a/b/c", True),
    ("l", "a", "/../../x", "/x", True),
    ("l", "a", "/l/../../x", "/x", True),
    ("l", "file", "/l/../..", "/", True),
]


@pytest.mark.parametrize(("link", "target", "path", "where", "out"), LINKS, ids=[" ".join(one[:3]) for one in LINKS])
def test_a_link_of_an_image(image, link, target, path, where, out):
    (image / link).symlink_to(target)
    assert trust.inside(str(image), path) == str(image) + ("" if where == "/" else where)
    if not out:
        trust.refuse_links_out(str(image), path)
        return
    with pytest.raises(OutsideImage) as raised:
        trust.refuse_links_out(str(image), path)
    message = str(raised.value)
    assert "leads out of the image %s" % image in message
    assert "\n" not in message
    if ".." not in path:
        assert message.startswith("%s/%s, a symbolic link to %s," % (image, link, target))


def test_links_in_a_circle(image):
    (image / "l").symlink_to("m")
    (image / "m").symlink_to("/l")
    for resolve in (trust.inside, trust.refuse_links_out):
        with pytest.raises(OutsideImage):
            resolve(str(image), "/l/x")
    (image / "m").unlink()
    (image / "m").symlink_to("l")
    with pytest.raises(OutsideImage, match="too many symbolic links"):
        trust.refuse_links_out(str(image), "l")


def test_what_the_kernel_says_of_any_links(image):
    """As a process sees it that has the image for its root directory; what is not refused, this host finds there as well."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    chance = random.Random(5)
    names = ["a", "b", "c", "d"]
    targets = ["", "/", "..", "../..", "/..", "."]
    refused = served = 0
    for number in range(60):
        root = image.parent / ("image%d" % number)
        root.mkdir()
        for one in itertools.chain(names, *[[a + "/" + b for b in names] for a in names]):
            place = root / one
            if place.parent.is_symlink() or not place.parent.is_dir():
                continue
            if chance.random() < 0.5:
                place.mkdir()
            else:
                parts = [chance.choice(targets)] + [chance.choice([*names, ".."]) for _ in range(chance.randint(1, 3))]
                place.symlink_to("/".join(parts) if parts[0] else "/".join(parts[1:]))
        paths = ["/".join(chance.choice(names) for _ in range(chance.randint(1, 4))) for _ in range(20)]
        real = as_chroot(str(root), paths)
        for path, there in zip(paths, real):
            if there is None:
                continue  # nothing is there, or links go round in a circle
            assert trust.inside(str(root), path) == str(root) + there.rstrip("/")
            try:
                trust.refuse_links_out(str(root), path)
            except OutsideImage:
                refused += 1
            else:
                assert os.path.realpath(str(root / path)) == str(root) + there.rstrip("/")
                served += 1
    assert min(refused, served) > 100


def as_chroot(root, paths):
    """Return where the kernel finds the paths in a chroot, or None."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.chroot(root)
            os.chdir("/")
            found = [os.path.realpath(one) if os.path.exists(one) else "" for one in paths]
            os.write(writing, "\n".join(found).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as stream:
        answer = stream.read().split("\n")
    os.waitpid(child, 0)
    return [one or None for one in answer]


@pytest.mark.parametrize(("link", "target", "out"), [
    ("a/b/l", "/etc", True), ("a/b/l", "../../../outside", True), ("a/b/l", "../../file", False), ("a/b/l", "..", False),
    ("a/b/l", "gone", False), ("a/b/l", "../../c", False), ("c/l", "/file", False)])
def test_a_tree(image, link, target, out):
    (image / "c").mkdir()
    (image / link).symlink_to(target)
    if out:
        with pytest.raises(OutsideImage, match="a/b/l, a symbolic link to"):
            trust.refuse_links_out_of_tree(str(image), "/a")
    else:
        trust.refuse_links_out_of_tree(str(image), "a")
    for other in ("c" if link[0] == "a" else "a", "file", "none/at/all"):
        trust.refuse_links_out_of_tree(str(image), other)


def test_a_tree_is_followed_where_its_links_lead(image):
    (image / "c/d").mkdir(parents=True)
    (image / "a/l").symlink_to("../c")
    (image / "c/again").symlink_to("../a")
    trust.refuse_links_out_of_tree(str(image), "a")
    (image / "c/d/out").symlink_to("/etc")
    with pytest.raises(OutsideImage, match="c/d/out, a symbolic link to /etc, leads out"):
        trust.refuse_links_out_of_tree(str(image), "a")


def test_the_root_directory_pays_nothing(monkeypatch):
    for name in ("readlink", "scandir", "lstat", "stat"):
        monkeypatch.setattr(os, name, None)
    assert trust.inside("/", "etc/x") == trust.inside("/", "/etc/x") == "/etc/x"
    trust.refuse_links_out("/", "/etc/../../x")
    trust.refuse_links_out_of_tree("/", "/etc")


# -- who asks ------------------------------------------------------------------------------------


def test_the_distribution_of_an_image(image):
    (image / "etc").mkdir()
    (image / "usr/lib").mkdir(parents=True)
    (image / "usr/lib/os-release").write_text("ID=rocky\nID_LIKE=\"rhel fedora\"\n")
    for target in ("/usr/lib/os-release", "../usr/lib/os-release", "../../../../../../../../usr/lib/os-release"):
        (image / "etc/os-release").symlink_to(target)
        assert packages.family(str(image)) == "rhel"
        (image / "etc/os-release").unlink()


def test_the_configuration_of_an_image(image, monkeypatch):
    monkeypatch.delenv(hostkind.NO_REEXEC, raising=False)
    (image / "srv").mkdir()
    (image / "srv/foreman-selinux-helpers.conf").write_text("[daemon-reexec]\nallowed = no\n")
    (image / "etc").mkdir()
    (image / "etc/foreman-selinux-helpers").symlink_to("/srv")
    assert hostkind.reexec_switched_off(str(image)) == "%s/srv/foreman-selinux-helpers.conf says so" % image
    (image / "etc/foreman-selinux-helpers").unlink()
    (image / "etc/foreman-selinux-helpers").symlink_to("../../outside")
    (image.parent / "outside/foreman-selinux-helpers.conf").write_text("[daemon-reexec]\nallowed = no\n")
    assert hostkind.reexec_switched_off(str(image)) is None


def test_what_explain_looks_at(image):
    (image / "run").symlink_to("/a")
    (image / "a/f").write_text("")
    (image / "a/l").symlink_to("/etc/passwd")
    (image / "var").symlink_to("../outside")
    (image.parent / "outside/secret").write_text("")
    found = pathfacts.read_inode(str(image), "/run/f", False)
    assert (found.kind, found.target) == ("file", None)
    found = pathfacts.read_inode(str(image), "/run/l", False)
    assert (found.kind, found.target) == ("symlink", "/etc/passwd")
    assert pathfacts.read_inode(str(image), "/var/secret", False) is None
    assert pathfacts.read_inode(str(image), "/", False).kind == "directory"


@pytest.mark.parametrize("name", ["..", ".", "../x", "a\nb"])
def test_a_policy_type_that_is_no_name(image, name):
    for place in ("etc/selinux/contexts/files", "etc/contexts/files", "etc/x/contexts/files"):
        (image / place).mkdir(parents=True)
        (image / place / "file_contexts").write_text("")
    (image / "etc/selinux/config").write_text("SELINUXTYPE=%s\n" % name)
    assert selinuxlib.policy_type(str(image)) is None
