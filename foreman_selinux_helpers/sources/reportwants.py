"""The files of a sos report that are read, and how much of each.

sos makes the names from its commands (3.9 and 4.0 to 4.12); files that it cut for their size are below sos_strings.
"""

import re

from ..model.reportfiles import Want
from ..model.typed import Optional

_MIB = 1 << 20
_DENIALS = Want(16 * _MIB, (b"avc:",))
_LIMIT = Want(8 * _MIB)
# The first pattern that matches counts.
_WANTED = (
    (r"sos_(?:commands|strings)/process/lsof_.*", Want(64 * _MIB, (b"/file_contexts", b"COMMAND "))),
    (r"sos_(?:commands|strings)/auditd/.*|var/log/audit/audit\.log", _DENIALS),
    (r"sos_(?:commands|strings)/logs/journalctl_.*", _DENIALS),
    (r"sos_logs/sos\.log", Want(_MIB, (b"timed out",))),
    (r"sos_reports/manifest\.json", Want(32 * _MIB)),
    (r"sos_commands/foreman_selinux_helpers/[^/]*", Want(16 * _MIB)),
    (r"sos_commands/systemd/(?:systemctl_show_.*|systemctl_status_--all|systemd-analyze_dump)", Want(64 * _MIB)),
    (r"sos_commands/(?:systemd|date)/timedatectl", _LIMIT),
    (r"sos_commands/selinux/(?:sestatus.*|ps_auxZww|semanage_boolean_-l)", _LIMIT),
    (r"sos_commands/(?:rpm/(?:sh_-c_rpm_.*|package-data)|dpkg/dpkg_-l)|installed-(?:rpms|debs)", _LIMIT),
    (r"(?:sos_commands/(?:host|general)/)?hostname", _LIMIT),
    (r"sos_commands/foreman/foreman-selinux-relabel_-nv", _LIMIT),
    # Only the time of the compiled files is needed: libselinux reads the texts (see ReportSource.root).
    (r"etc/selinux/[^/]+/contexts/files/file_contexts(?:\.homedirs|\.local)?\.bin", Want(0)),
    (r"etc/selinux/[^/]+/contexts/files/file_contexts(?:\.homedirs|\.local|\.subs|\.subs_dist)?", Want(32 * _MIB)),
    (r"etc/selinux/(?:config|semanage\.conf)|etc/selinux/[^/]+/contexts/customizable_types", _LIMIT),
    (r"etc/selinux/[^/]+/policy/policy\.\d+", Want(64 * _MIB)),
    (r"(?:etc|run|usr/lib|usr/local/lib|lib)/systemd/(?:system(?:\.control)?|transient|generator(?:\.\w+)?)/"
     r"(?:[^/]+|[^/]+\.d/[^/]+\.conf)", Want(_MIB)),
    (r"(?:etc|usr/lib)/os-release|proc/stat", _LIMIT),
    (r"(?:etc|usr/share|var/lib)/foreman-selinux-helpers/.*", _LIMIT),
)


def wanted(name: str) -> Optional[Want]:
    """Return how much of a file of a report is read, or None if it is not read."""
    return next((want for pattern, want in _WANTED if re.match(r"(?:%s)\Z" % pattern, name, re.S)), None)
