"""Parse the files of socket units, to find which paths they listen on.  Pure.

Implements systemd.socket(5) and systemd.unit(5) for the units of the system manager.
"""

import re

from .typed import List, Optional, Sequence

_LISTEN = ("ListenStream", "ListenDatagram", "ListenSequentialPacket")
# An empty assignment to any of these resets all of them (systemd src/core/load-fragment.c).
_RESETS = _LISTEN + ("ListenFIFO", "ListenNetlink", "ListenSpecial", "ListenMessageQueue", "ListenUSBFunction")
# parse_boolean() in systemd's src/basic/parse-util.c.
_TRUE = ("1", "yes", "y", "true", "t", "on")
# The specifiers whose meaning does not depend on the host.
_SPECIFIERS = dict(zip("tSCLETV%", "/run /var/lib /var/cache /var/log /etc /tmp /var/tmp %".split()))


def listen_paths(unit: str, texts: Sequence[str]) -> List[str]:
    """Return the socket paths that a unit listens on; ``texts``: its file and its drop-ins, in order."""
    paths: List[str] = []
    for text in texts:
        section = ""
        for line in _logical_lines(text):
            if line.startswith("["):
                section = line
            name, equals, value = (part.strip() for part in line.partition("="))
            if section != "[Socket]" or not equals or name not in _RESETS:
                continue
            if not value:
                paths = []
            path = _specified(value, unit) if name in _LISTEN else None
            if path and path.startswith("/"):
                paths.append(re.sub("/{2,}", "/", path))
    return list(dict.fromkeys(paths))


def boolean(text: str, section: str, name: str) -> bool:
    """Return a boolean setting from what ``systemctl cat`` prints for a unit (default: False)."""
    current, value = "", ""
    for line in _logical_lines(text):
        if line.startswith("["):
            current = line
        key, equals, given = (part.strip() for part in line.partition("="))
        if current == "[%s]" % section and equals and key == name:
            value = given
    return value.lower() in _TRUE


def _logical_lines(text: str) -> List[str]:
    """Return the lines without comments; join those that end with a backslash."""
    lines: List[str] = []
    more = False
    for raw in text.split("\n"):
        line = raw.strip()
        if line.startswith(("#", ";")):
            continue
        if more:
            lines[-1] += line
        else:
            lines.append(line)
        more = line.endswith("\\")
        if more:
            lines[-1] = lines[-1][:-1] + " "
    return lines


def _specified(value: str, unit: str) -> Optional[str]:
    """Expand the specifiers of a value; return None if one of them is known only at run time."""
    name = unit[:-len(".socket")]
    prefix, at, instance = name.partition("@")
    known = dict(_SPECIFIERS, n=unit, N=name, p=prefix, j=prefix.rpartition("-")[2])
    if not at or instance:
        known["i"] = instance
    elif re.search("%[nN]", value):
        return None
    parts = re.split("%(.)", value)
    if any(letter not in known for letter in parts[1::2]):
        return None
    return "".join(known[part] if number % 2 else part for number, part in enumerate(parts))
