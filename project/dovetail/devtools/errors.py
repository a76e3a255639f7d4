class SetupError(Exception):
    """A problem that stops `up`; its message is one sentence with the problem and the remedy."""
