#!/bin/sh
# Gives back the rules with types of foreman-selinux's module, which would keep it from being removed.
# foreman-selinux-enable runs this as well: then those with types that the new module does not have.
/usr/libexec/foreman-selinux-helpers/removal --caller "$PPID" foreman </dev/null >/dev/null 2>&1 || :
