class SetupError(Exception):
    """What `up` cannot do, as one sentence that names it and how to mend it."""
