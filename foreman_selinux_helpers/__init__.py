"""Give a systemd socket the SELinux label its policy wants, and prove it."""

__version__ = "0.1.0"

PROGRAM = "foreman-selinux-helpers"
