"""The only way to each outside thing: programs, libselinux, libsemanage, systemd, /proc, rpm, files, the journal."""
