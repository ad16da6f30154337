"""The only door to the audit system: changes of the policy store are recorded as semanage(8) records them."""

import os

from ..model.filecontexts import ALL_FILES, SOCKET
from ..model.rules import Change
from ..model.typed import Sequence

_OPERATIONS = {"add": "add", "modify": "modify", "remove": "delete"}
_FILE_TYPES = {ALL_FILES: "any", SOCKET: "socket"}
# This file exists if the kernel has an audit system.
_LOGIN = "/proc/self/loginuid"


def record(changes: "Sequence[Change]", success: bool) -> None:
    """Record changes to this host's rules.  Does nothing without an audit system.

    Writes a record of type USER_MAC_CONFIG_CHANGE for each rule, with the fields of semanage
    (policycoreutils ``seobject.py``, class fcontextRecords).  Needs python3-audit.
    """
    if not os.path.exists(_LOGIN):
        return
    try:
        import audit
    except ImportError:
        return
    descriptor = -1
    try:
        descriptor = audit.audit_open()
        for change in changes:
            message = "resrc=fcontext op=%s %s ftype=%s" % (
                _OPERATIONS[change.action], audit.audit_encode_nv_string("tglob", change.rule.regex, 0),
                _FILE_TYPES[change.rule.file_type])
            if change.action != "remove":
                message += " tcontext=" + change.rule.context
            audit.audit_log_user_comm_message(descriptor, audit.AUDIT_USER_MAC_CONFIG_CHANGE, message,
                                              "foreman-selinux-helpers", "", "", "", int(success))
    except OSError:
        pass  # no permission or no audit system: semanage continues as well
    finally:
        if descriptor >= 0:
            audit.audit_close(descriptor)
