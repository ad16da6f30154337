"""The exceptions: each gives the user one line and an exit status."""


class HelperError(Exception):
    """The run failed: exit status 1."""

    exit_status = 1


class UsageError(HelperError):
    """A wrong command line or a broken profile: exit status 2."""

    exit_status = 2


class NeedsRoot(HelperError):
    """The verb requires root: exit status 3."""

    exit_status = 3


class CommandFailed(HelperError):
    """A program could not be started, failed, or timed out."""


class TimedOut(CommandFailed):
    """A program timed out and was killed."""


class Refused(Exception):
    """A file or its text cannot be used; ``line`` is 0 where no line can be named."""

    def __init__(self, reason: str, line: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line


class PolicyStoreError(HelperError):
    """The policy store refused a transaction; nothing was changed."""


class CommitFailed(PolicyStoreError):
    """A commit failed in the middle: how much of it was done is unknown until the next run."""


class RulesRefused(PolicyStoreError):
    """The policy store does not accept a rule, mostly because the policy does not have its type."""


class RulesChanged(PolicyStoreError):
    """Another program has changed the local rules since they were read; nothing was changed."""


class DeadlineExceeded(HelperError):
    """The time limit of ``--timeout``, or of the scriptlet, is exceeded."""


class OutsideImage(HelperError):
    """A symbolic link in an image (``--root``), or a path in one of its files, leads outside of the image."""
