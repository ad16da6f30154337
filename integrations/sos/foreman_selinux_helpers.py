"""Collects what foreman-selinux-helpers finds on this host, for ``foreman-selinux-helpers --sos REPORT``.

A plugin for sos 4.0 and later: it belongs into the directory ``report/plugins`` of sos's Python package.
"""

from sos.report.plugins import DebianPlugin, Plugin, RedHatPlugin, UbuntuPlugin


class ForemanSelinuxHelpers(Plugin):
    """Labels of systemd's sockets, and the processes that label by outdated rules.

    The labels of sockets, of the objects behind them, and of what a process holds in memory are in no other part
    of a report.  The commands only look.
    """

    short_desc = "SELinux labels of systemd sockets"
    plugin_name = "foreman_selinux_helpers"
    profiles = ("system", "security", "sysmgmt")
    packages = ("foreman-selinux-helpers",)
    commands = ("foreman-selinux-helpers",)

    def setup(self):
        """Name the commands to run and the files to copy."""
        for verb, command in (("status", "status --all"), ("stale", "stale"), ("detect", "detect")):
            # What it says beside the document is in the journal.
            self.add_cmd_output("foreman-selinux-helpers %s --json" % command, suggest_filename=verb + ".json",
                                stderr=False)
        self.add_copy_spec([
            "/etc/foreman-selinux-helpers",
            "/usr/share/foreman-selinux-helpers/profiles.d",
            "/var/lib/foreman-selinux-helpers",
        ])


class RedHatForemanSelinuxHelpers(ForemanSelinuxHelpers, RedHatPlugin):
    """On these, sos itself collects the policy."""


class DebianForemanSelinuxHelpers(ForemanSelinuxHelpers, DebianPlugin, UbuntuPlugin):
    """On these, sos has no plugin for SELinux, or has one since 4.6 (Ubuntu)."""

    def setup(self):
        """Add the policy and its state."""
        super().setup()
        self.add_copy_spec("/etc/selinux")
        self.add_cmd_output(["sestatus", "sestatus -b", "ps auxZww"])
