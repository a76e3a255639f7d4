"""How the delivery of a message fails, which decides whether it is tried again."""


class MailUnavailableError(OSError):
    """The mail server or provider cannot take the message at the moment."""


class MailRefusedError(Exception):
    """The mail server or provider will never take the message as it is."""


class MailUnconfirmedError(Exception):
    """The message was sent, and no answer, or none that is clear, came: it may have arrived.

    No `OSError`, after each of which the task would send another copy.
    """

    def __init__(self, reason: object) -> None:
        super().__init__(
            f"It is unknown whether the message was taken, so it may have arrived ({reason})."
        )
