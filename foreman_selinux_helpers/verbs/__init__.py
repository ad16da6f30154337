"""What the verbs of the command say."""
