"""How the delivery of a message fails, which decides whether it is tried again."""

from collections.abc import Mapping


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


class MailPartlyRefusedError(Exception):
    """Some recipients were refused, and nothing is to be done for those that are not named.

    Attributes:
        for_good: the addresses that are never taken, without names of people, and why.
        for_now: those that may be taken later.
    """

    def __init__(
        self, for_good: Mapping[str, str], for_now: Mapping[str, str] | None = None
    ) -> None:
        self.for_good, self.for_now = dict(for_good), dict(for_now or {})
        super().__init__(said({**self.for_good, **self.for_now}))


def said(refused: Mapping[str, str]) -> str:
    """Return a sentence that names refused addresses, and why each of them was refused."""
    return f"Refused: {', '.join(f'{address} ({why})' for address, why in refused.items())}."
