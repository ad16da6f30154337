"""Makes sos reports for the tests, as directories and as archives; the texts are written by hand.

The layout is that of sos on each system: which files there are, their names, and which of them are links.
"""

import io
import os
import tarfile
from pathlib import Path
from typing import Any, Dict, Mapping, Optional

TIME = 1700000000
FILES = "etc/selinux/targeted/contexts/files/"
HOST_FILES = "/" + FILES

_RULES = """/.*	system_u:object_r:default_t:s0
/var/run	-d	system_u:object_r:var_run_t:s0
/var/run/.*	system_u:object_r:var_run_t:s0
/var/run/foreman\\.sock	-s	system_u:object_r:foreman_var_run_t:s0
"""
_LSOF = """COMMAND     PID   TID TASKCMD   USER   FD      TYPE             DEVICE  SIZE/OFF       NODE NAME
systemd       1                     0  cwd       DIR              253,0       224        128 /
systemd       1                     0  txt       REG              253,0   1612152   12602091 /usr/lib/systemd/systemd
systemd       1                     0  DEL       REG              253,0            25232001 {0}file_contexts.local.bin
systemd       1                     0  DEL       REG              253,0            25232002 {0}file_contexts.homedirs.bin
systemd       1                     0  DEL       REG              253,0            25232003 {0}file_contexts.bin
systemd-u   642                     0  mem       REG              253,0    596012  25239903 {0}file_contexts.bin
systemd-u   642                     0  mem       REG              253,0     16794  25239902 {0}file_contexts.homedirs.bin
systemd-u   642                     0  mem       REG              253,0        16  25239901 {0}file_contexts.local.bin
setfiles    780                     0  mem       REG              253,0       900        77 /srv/image{0}file_contexts.bin
(ostnamed   790                     0  DEL       REG              253,0            25232003 {0}file_contexts.bin
dbus-daem   801                    81  mem       REG              253,0    596012  25239903 {0}file_contexts.bin
conmon\\x20x  900                    0  mem       REG               0,52            7340033 {0}file_contexts.bin (path dev=253,0, inode=25239903)
"""
_SESTATUS = """SELinux status:                 enabled
SELinuxfs mount:                /sys/fs/selinux
SELinux root directory:         /etc/selinux
Loaded policy name:             targeted
Current mode:                   enforcing
Mode from config file:          enforcing
Policy MLS status:              enabled
Policy deny_unknown status:     allowed
Memory protection checking:     actual (secure)
Max kernel policy version:      31
"""
_DUMP = """Manager: systemd {0}
Timestamp userspace: Tue 2023-11-14 20:00:00 UTC
-> Unit foreman.service:
	Description: Foreman
	Unit Load State: loaded
	Unit Active State: active
	Fragment Path: /usr/lib/systemd/system/foreman.service
	Requires: foreman.socket (origin-file)
	Requires: system.slice (origin-file)
	Service State: running
	Main PID: 1204
	-> ExecStartPre:
		Command Line: /bin/true
	-> ExecStart:
		Command Line: /usr/share/foreman/bin/rails server --environment production
-> Unit foreman.socket:
	Description: Foreman HTTP Server Accept Sockets
	Unit Load State: loaded
	Unit Active State: active
	Fragment Path: /usr/lib/systemd/system/foreman.socket
	DropIn Path: /etc/systemd/system/foreman.socket.d/installer.conf
	Triggers: foreman.service (origin-implicit)
	Socket State: running
	SocketMode: 0600
	SocketUser: apache
	SocketGroup: n/a
	ListenStream: /run/foreman.sock
	-> ExecStartPost:
		Command Line: /bin/true
-> Unit chatty.socket:
	Unit Load State: loaded
	Unit Active State: inactive
	SocketMode: 0666
	Accepted: 0
	ListenDatagram: /run/chatty.dgram
	ListenFIFO: /run/chatty.fifo
-> Job 7:
	Action: foreman.socket -> start
"""
_AVC = ('avc:  denied  { write } for  pid=1544 comm="httpd" name="foreman.sock" dev="tmpfs" ino=33012 '
        "scontext=system_u:system_r:httpd_t:s0 tcontext=system_u:object_r:var_run_t:s0 tclass=sock_file permissive=0")
_PS = """LABEL                           USER         PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND
system_u:system_r:init_t:s0     root           1  0.1  0.1 176512  9000 ?        Ss   10:00   0:03 /usr/lib/systemd/systemd
system_u:system_r:foreman_rails_t:s0 foreman 1204  3.1  8.1 976512 90000 ?       Ssl  10:00   0:43 puma 5.3
unconfined_u:unconfined_r:unconfined_t:s0-s0:c0.c1023 root 2000 0.0 0.0 12 9 pts/0 R+ 10:09 0:00 ps auxZww
"""
_CLOCK = """               Local time: Tue 2023-11-14 23:13:20 CET
           Universal time: Tue 2023-11-14 22:13:20 UTC
                 RTC time: Tue 2023-11-14 22:13:20
                Time zone: Europe/Berlin (CET, +0100)
"""
_SOCKET = "[Socket]\nListenStream=127.0.0.1:3000\n[Install]\nWantedBy=sockets.target\n"
_OVERRIDE = "[Socket]\nListenStream=\nListenStream=/run/foreman.sock\nSocketUser=apache\nSocketMode=0600\n"


class Link(str):
    """A symbolic link to this."""


Files = Dict[str, Any]


def _any(version: str) -> Files:
    """Return what every report has; ``version``: what the manager says of itself."""
    return {
        "hostname": Link("sos_commands/host/hostname"),
        "sos_commands/host/hostname": "foreman.example.com\n",
        "proc/stat": "cpu  1 2 3\nbtime 1699992000\nprocesses 7\n",
        "sos_logs/sos.log": "INFO: [plugin:process] collecting output of 'lsof +M -n -l -c '''\n",
        "sos_commands/systemd/systemd-analyze_dump": _DUMP.format(version),
        "sos_commands/systemd/systemctl_show_--all": "Version=%s\nFeatures=+PAM +SELINUX\n" % version,
        "sos_commands/systemd/timedatectl": _CLOCK,
        "etc/systemd/system/foreman.socket.d/installer.conf": _OVERRIDE,
        "etc/systemd/system/sockets.target.wants/foreman.socket": Link("/usr/lib/systemd/system/foreman.socket"),
        "etc/systemd/system/masked.socket": Link("../../../dev/null"),
        "usr/lib/systemd/system/foreman.socket": _SOCKET,
        "usr/lib/systemd/system/masked.socket": _SOCKET,
        "lib": Link("usr/lib"),
    }


def _policy() -> Files:
    return {
        "etc/selinux/config": "# SELINUX= can be one of these\nSELINUX=enforcing\nSELINUXTYPE=targeted\n",
        FILES + "file_contexts": _RULES,
        FILES + "file_contexts.bin": b"\x8a\xff\x7c\xf9",
        FILES + "file_contexts.homedirs": "/root	-d	system_u:object_r:admin_home_t:s0\n",
        FILES + "file_contexts.subs_dist": "/run /var/run\n/run/lock /var/lock\n",
        "etc/selinux/targeted/policy/policy.31": b"\x8c\xff\x7c\xf9",
        "sos_commands/selinux/sestatus": _SESTATUS,
        "sos_commands/selinux/sestatus_-b": _SESTATUS + "\nPolicy booleans:\n%-44son\n%-44soff\n" % (
            "daemons_enable_cluster_mode", "httpd_can_network_connect"),
        "sos_commands/selinux/ps_auxZww": _PS,
    }


def el8() -> Files:
    """Return a report of sos 4.0 on EL 8: the rules are right, and PID 1 has not seen them."""
    rpms = "sos_commands/rpm/sh_-c_rpm_--nodigest_-qa_--qf_NAME_-_VERSION_-_RELEASE_._ARCH_INSTALLTIME_date_awk"
    return dict(_any("239 (239-41.el8_3)"), **_policy(), **{
        "lsof": Link("sos_commands/process/lsof_-b_M_-n_-l_-c"),
        "sos_commands/process/lsof_-b_M_-n_-l_-c": "lsof: avoiding stat(/): -b was specified.\n"
                                                   "lsof: WARNING: can't stat() ext4 file system /\n"
                                                   "      Output information may be incomplete.\n" + _LSOF.format(HOST_FILES),
        "installed-rpms": Link(rpms),
        rpms: "libselinux-2.9-5.el8.x86_64                        Tue Nov 14 20:00:00 2023\n"
              "selinux-policy-targeted-3.14.3-54.el8.noarch       Tue Nov 14 20:00:00 2023\n"
              "systemd-239-41.el8_3.x86_64                        Tue Nov 14 20:00:00 2023\n"
              "systemd-libs-239-41.el8_3.x86_64                   Tue Nov 14 20:00:00 2023\n",
        "var/log/audit/audit.log": "type=AVC msg=audit(1699999990.123:456): %s\ntype=SYSCALL msg=audit(1): x\n" % _AVC,
        "etc/os-release": Link("../usr/lib/os-release"),
        "usr/lib/os-release": 'NAME="Rocky Linux"\nID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="8.3"\n',
        "sos_commands/foreman/foreman-selinux-relabel_-nv":
            "Would relabel /run/foreman.sock from system_u:object_r:var_run_t:s0 to "
            "system_u:object_r:foreman_var_run_t:s0\n",
    })


def el9() -> Files:
    """Return a report of sos 4.12 on EL 9; the audit log was too large, and sos has kept its end."""
    return dict(_any("252-32.el9_4"), **_policy(), **{
        "sos_commands/process/lsof_M_-n_-l_-c": _LSOF.format(HOST_FILES).replace("DEL", "mem"),
        "sos_reports/manifest.json": '{"components": {"report": {"plugins": {"process": {"commands": [{"command": "lsof", '
                                     '"truncated": false, "return_code": 0}]}}}}}',
        "installed-rpms": "systemd-252-32.el9_4.7.x86_64     Tue 14 Nov 2023 08:00:00 PM UTC\n",
        "var/log/audit/audit.log": Link("../../../sos_strings/auditd/var.log.audit.audit.log.tailed"),
        "sos_strings/auditd/var.log.audit.audit.log.tailed":
            "comm=\"cut\"\ntype=AVC msg=audit(1699999991.123:457): %s\n" % _AVC,
    })


def debian() -> Files:
    """Return a report as sos makes it on Debian: there is no plugin for SELinux."""
    return dict(_any("252.39-1~deb12u2"), **{
        "sos_commands/process/lsof_M_-n_-l_-c": _LSOF.format("/etc/selinux/default/contexts/files/"),
        "installed-debs": Link("sos_commands/dpkg/dpkg_-l"),
        "sos_commands/dpkg/dpkg_-l": "||/ Name  Version  Architecture Description\n+++-==-==-==-==\n"
                                     "ii  libselinux1:amd64 3.4-1+b6 amd64 SELinux runtime\n"
                                     "rc  selinux-policy-default 2:2.1 all removed\n"
                                     "hi  systemd 252.39-1~deb12u2 amd64 system and service manager\n",
        "sos_commands/auditd/ausearch_-i_--input-logs_-m_avc_user_avc_fanotify_-ts_today":
            "----\ntype=AVC msg=audit(11/14/23 23:13:10.780:84) : %s \n" % _AVC.replace('"', ""),
    })


def without_selinux() -> Files:
    """Return a report of a host without SELinux."""
    return dict(_any("257"), **{"sos_commands/selinux/sestatus": "SELinux status:                 disabled\n"})


def directory(place: Path, files: Mapping[str, Any], top: str = "sosreport-foreman-2023-11-14-abcdefg") -> Path:
    """Write an unpacked report below a directory; return that, which holds it."""
    for name, content in files.items():
        path = place / top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Link):
            path.symlink_to(content)
            continue
        path.write_bytes(_bytes(content))
        os.utime(str(path), (TIME, TIME))
    return place


def archive(path: Path, files: Mapping[str, Any], mode: str = "xz", top: str = "sosreport-foreman-2023-11-14-abcdefg") -> Path:
    """Write an archive; ``mode`` is xz, gz, bz2 or empty."""
    with tarfile.open(str(path), "w:" + mode) as tar:
        if top:
            add(tar, top, kind=tarfile.DIRTYPE)
        for name, content in files.items():
            add(tar, os.path.join(top, name), content)
    return path


def add(tar: tarfile.TarFile, name: str, content: Any = b"", kind: Optional[bytes] = None, **attributes: Any) -> None:
    """Add a member; a link where the content is one."""
    member = tarfile.TarInfo(name)
    member.mtime = TIME
    if isinstance(content, Link):
        member.type, member.linkname, content = tarfile.SYMTYPE, str(content), b""
    member.type = kind or member.type
    content = _bytes(content)
    member.size = len(content)
    for attribute, value in attributes.items():
        setattr(member, attribute, value)
    tar.addfile(member, io.BytesIO(content))


def _bytes(content: Any) -> bytes:
    return content.encode("utf-8", "surrogateescape") if isinstance(content, str) else bytes(content)
