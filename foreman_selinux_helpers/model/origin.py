"""Where facts come from, as the documents name it."""

HOST = "host"
IMAGE = "image"
SOS = "sos"
