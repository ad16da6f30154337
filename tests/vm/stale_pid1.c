/* Preloaded into PID 1, this makes a stock systemd behave as releases before 245: told that no
 * policy was ever loaded, it keeps the label database that it opened at its start.  An emulation,
 * for want of packages of such a systemd for these guests. */

int selinux_status_policyload(void) { return 0; }
int selinux_status_updated(void) { return 0; }
