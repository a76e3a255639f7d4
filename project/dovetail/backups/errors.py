"""What can go wrong, in sentences for the person who runs a command."""

import os


class BackupError(Exception):
    """A backup, its check or its restoration failed. The text is one sentence with a remedy."""


class Stopped(BaseException):
    """The process was told to stop. No handler of errors may take it for one."""


def explain(error: OSError, what: str) -> BackupError:
    """Return the error of a disk or of S3 as a sentence.

    Args:
        error: it.
        what: what failed, such as "The backup could not be written".
    """
    reason = os.strerror(error.errno) if error.errno else str(error)
    where = f" ({error.filename})" if error.errno and error.filename else ""
    return BackupError(f"{what}: {reason}{where}.")
