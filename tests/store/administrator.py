"""Adds local file-context rules, or deletes them, as semanage(8) does: ROOT POLICY [REGEX CONTEXT | --delete REGEX]…"""

import sys

import semanage


def checked(answer):
    status, value = answer if isinstance(answer, list) else (answer, None)
    if status < 0:
        raise SystemExit(1)
    return value


handle = semanage.semanage_handle_create()
semanage.semanage_set_root(sys.argv[1])
semanage.semanage_select_store(handle, sys.argv[2], semanage.SEMANAGE_CON_DIRECT)
checked(semanage.semanage_connect(handle))
checked(semanage.semanage_begin_transaction(handle))
for regex, context in zip(sys.argv[3::2], sys.argv[4::2]):
    delete = regex == "--delete"
    key = checked(semanage.semanage_fcontext_key_create(
        handle, context if delete else regex, semanage.SEMANAGE_FCONTEXT_ALL))
    if delete:
        checked(semanage.semanage_fcontext_del_local(handle, key))
        continue
    rule = checked(semanage.semanage_fcontext_create(handle))
    checked(semanage.semanage_fcontext_set_expr(handle, rule, regex))
    semanage.semanage_fcontext_set_type(rule, semanage.SEMANAGE_FCONTEXT_ALL)
    checked(semanage.semanage_fcontext_set_con(handle, rule, checked(
        semanage.semanage_context_from_string(handle, context))))
    checked(semanage.semanage_fcontext_modify_local(handle, key, rule))
semanage.semanage_set_reload(handle, 0)
sys.exit(checked(semanage.semanage_commit(handle)))
