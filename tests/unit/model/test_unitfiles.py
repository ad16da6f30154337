import pytest

from foreman_selinux_helpers.model.unitfiles import listen_paths


@pytest.mark.parametrize(("text", "paths"), [
    ("[Socket]\nListenStream=/run/foreman.sock\n", ["/run/foreman.sock"]),
    ("[Socket]\nListenStream = /run/a\nListenDatagram=/run/b\nListenSequentialPacket=/run/c\n", ["/run/a", "/run/b", "/run/c"]),
    ("[Socket]\nListenStream=8443\nListenStream=@abstract\nListenStream=[::1]:80\nListenFIFO=/run/pipe\n", []),
    ("[Unit]\nListenStream=/run/a\n[Socket]\n[Service]\nListenStream=/run/b\n", []),
    ("[Socket]\nListenStream=/run/a\nListenStream=\nListenStream=/run/b\n", ["/run/b"]),
    ("[Socket]\nListenStream=/run/a\nListenDatagram=\nListenFIFO=/run/b\n", []),  # one list for all of them
    ("[Socket]\nListenStream=/run/a\nListenFIFO=\n", []),
    ("[Socket]\nListenStream=/run/a\nAccept=\n", ["/run/a"]),
    ("[Socket]\n# ListenStream=/run/a\n; ListenStream=/run/b\n  ListenStream=/run/c  \n", ["/run/c"]),
    ("[Socket]\nListenStream=\\\n  /run/a\n", ["/run/a"]),
    ("[Socket]\nListenStream=/run/a\nListenStream=/run//a\n", ["/run/a"]),
    ("[Socket]\nnonsense\n\n=\nListenStream\n", []),
    ("", []),
])
def test_one_file(text, paths):
    assert listen_paths("a.socket", [text]) == paths


@pytest.mark.parametrize(("unit", "value", "path"), [
    ("foo-bar.socket", "%t/a", "/run/a"), ("foo-bar.socket", "%S/%C", "/var/lib//var/cache"),
    ("foo-bar.socket", "/run/%n", "/run/foo-bar.socket"), ("foo-bar.socket", "/run/%N-%p-%j", "/run/foo-bar-foo-bar-bar"),
    ("foo@1.socket", "/run/%p.%i", "/run/foo.1"), ("foo@.socket", "/run/%p", "/run/foo"), ("foo@.socket", "/run/%i", None),
    ("foo@.socket", "/run/%N", None), ("a.socket", "/run/100%%", "/run/100%"), ("a.socket", "%h/a", None),
    ("a.socket", "/run/%", "/run/%"), ("a.socket", "/run/%Z", None)])
def test_specifiers(unit, value, path):
    found = listen_paths(unit, ["[Socket]\nListenStream=%s\n" % value])
    assert found == ([path.replace("//", "/")] if path else [])


def test_drop_ins_add_and_reset():
    unit = "[Socket]\nListenStream=/run/a\n"
    assert listen_paths("a.socket", [unit, "[Socket]\nListenStream=/run/b\n"]) == ["/run/a", "/run/b"]
    assert listen_paths("a.socket", [unit, "ListenStream=/run/no-section\n", "[Socket]\nListenStream=\nListenStream=/run/b\n"]) \
        == ["/run/b"]
