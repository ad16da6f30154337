"""Where facts come from: the host that this runs on, or an image of one."""
