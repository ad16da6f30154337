"""Denials of a report, whatever program has printed them, have the kernel's own form."""

from foreman_selinux_helpers.doors import denials
from foreman_selinux_helpers.model import reportdenials

AVC = ('avc:  denied  { connectto } for  pid=9 comm="httpd" path="/run/foreman.sock" scontext=u:r:httpd_t:s0 '
       "tcontext=u:r:init_t:s0 tclass=unix_stream_socket permissive=0")
TAKEN = 1704100000.0  # 2024-01-01 09:06:40


def found(*lines, offset=0, taken=TAKEN):
    return denials.select(reportdenials.records(lines, offset, taken), "/run/foreman.sock", 0)


def test_the_kernels_own_form_is_kept():
    line = "type=AVC msg=audit(1700000000.123:4): " + AVC
    assert reportdenials.records(["----", "time->Tue Nov 14 22:13:20 2023", line, line, "type=SYSCALL"], None, None) == [line]
    assert found("Nov 14 22:13:20 host kernel: audit: type=1400 audit(1700000000.123:4): " + AVC)[0].time == 1700000000


def test_ausearch_with_dates():
    plain = AVC.replace('"', "")
    for date in ("11/14/23", "11/14/2023"):
        one = found("type=AVC msg=audit(%s 23:13:20.123:4) : %s " % (date, plain), offset=3600)[0]
        assert one == denials.Denial(1700000000, "httpd", "u:r:httpd_t:s0", "u:r:init_t:s0", "unix_stream_socket",
                                     "connectto", False)
    assert found("type=AVC msg=audit(31/14/23 23:13:20.123:4) : " + plain) == []
    assert found("type=AVC msg=audit(14.11.2023 23:13:20.123:4) : " + plain) == []


def test_the_journal_has_no_year():
    line = "%s 23:30:00 host audit[9]: AVC " + AVC
    assert [one.time for one in found(line % "Dec 31", line % "Jan  1")] == [1704065400, 1704151800]
    assert found(line % "Dec 31", taken=None) == []
    assert found(line % "Feb 30") == []
    assert found("Unit x: avc: something") == []
