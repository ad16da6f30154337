"""What registering costs at least: one libsemanage transaction, and nothing else."""

import sys

import semanage

context, reload = sys.argv[1], int(sys.argv[2])
handle = semanage.semanage_handle_create()
semanage.semanage_select_store(handle, "default", semanage.SEMANAGE_CON_DIRECT)
semanage.semanage_connect(handle)
semanage.semanage_begin_transaction(handle)
for line in sys.stdin:
    regex = line.rstrip("\n")
    _, key = semanage.semanage_fcontext_key_create(handle, regex, semanage.SEMANAGE_FCONTEXT_ALL)
    _, rule = semanage.semanage_fcontext_create(handle)
    semanage.semanage_fcontext_set_expr(handle, rule, regex)
    semanage.semanage_fcontext_set_type(rule, semanage.SEMANAGE_FCONTEXT_ALL)
    _, value = semanage.semanage_context_from_string(handle, context)
    semanage.semanage_fcontext_set_con(handle, rule, value)
    semanage.semanage_fcontext_modify_local(handle, key, rule)
semanage.semanage_set_reload(handle, reload)
sys.exit(semanage.semanage_commit(handle) < 0)
