"""Sources of facts: the host that this program runs on, an image of a host, or a sos report."""
