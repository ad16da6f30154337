"""Where facts come from, as the documents name it."""

HOST = "host"
IMAGE = "image"
SOS = "sos"


def of_root(root: str) -> str:
    """Return the source of facts for a root directory."""
    return IMAGE if root.strip("/") else HOST
