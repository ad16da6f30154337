"""What can go wrong, as the command's user sees it: one line, and an exit status."""


class HelperError(Exception):
    """Something is wrong and stays wrong: exit status 1."""

    exit_status = 1


class UsageError(HelperError):
    """A wrong command line or a broken profile: exit status 2."""

    exit_status = 2


class NeedsRoot(HelperError):
    """The verb changes the host, and the caller is not root: exit status 3."""

    exit_status = 3


class CommandFailed(HelperError):
    """A program could not be started, failed, or did not end in time."""


class TimedOut(CommandFailed):
    """A program did not end in time and was killed."""


class Refused(Exception):
    """A file or its text cannot be used: why, and in which line (0: none in particular)."""

    def __init__(self, reason: str, line: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line


class PolicyStoreError(HelperError):
    """The policy store refused a transaction; nothing was changed."""


class CommitFailed(PolicyStoreError):
    """A commit failed in the middle; what of it was done only the next run can tell."""


class RulesRefused(PolicyStoreError):
    """The policy store does not accept a rule, most often for a type it does not have."""


class RulesChanged(PolicyStoreError):
    """Somebody else has changed the local rules since they were looked at; nothing was changed."""


class DeadlineExceeded(HelperError):
    """The time given by ``--timeout`` (or the scriptlet's own limit) is used up."""


class OutsideImage(HelperError):
    """A symbolic link of an image (``--root``), or a path in one of its files, leads out of it."""
