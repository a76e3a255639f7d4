class SetupError(Exception):
    """A problem that stops `up`; its message is one sentence with the problem and the remedy."""


class NotReadyError(Exception):
    """A reason why a program does not answer yet; it is asked again, and the last reason shown."""
