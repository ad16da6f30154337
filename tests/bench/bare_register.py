"""What registering costs at least: one libsemanage transaction.

With a third argument libselinux is asked for every path before and after it, as whoever wants
to know whether a rule is needed, and whether it works, has to.
"""

import sys

import semanage

context, reload = sys.argv[1], int(sys.argv[2])
regexes = sys.stdin.read().split()


def look():
    """Ask libselinux for every path."""
    import selinux

    handle = selinux.selabel_open(selinux.SELABEL_CTX_FILE, None, 0)
    for one in regexes:
        try:
            selinux.selabel_lookup_raw(handle, one.replace("\\", ""), 0o140000)
        except OSError:
            pass
    selinux.selabel_close(handle)


if len(sys.argv) > 3:
    look()
handle = semanage.semanage_handle_create()
semanage.semanage_select_store(handle, "default", semanage.SEMANAGE_CON_DIRECT)
semanage.semanage_connect(handle)
semanage.semanage_begin_transaction(handle)
for regex in regexes:
    _, key = semanage.semanage_fcontext_key_create(handle, regex, semanage.SEMANAGE_FCONTEXT_ALL)
    _, rule = semanage.semanage_fcontext_create(handle)
    semanage.semanage_fcontext_set_expr(handle, rule, regex)
    semanage.semanage_fcontext_set_type(rule, semanage.SEMANAGE_FCONTEXT_ALL)
    _, value = semanage.semanage_context_from_string(handle, context)
    semanage.semanage_fcontext_set_con(handle, rule, value)
    semanage.semanage_fcontext_modify_local(handle, key, rule)
semanage.semanage_set_reload(handle, reload)
failed = semanage.semanage_commit(handle) < 0
if len(sys.argv) > 3:
    look()
sys.exit(failed)
