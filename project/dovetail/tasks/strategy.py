"""How a worker takes a message: one that is malformed is refused, and does not stop the worker.

Own code because Celery's strategy expects every message to come from Celery. Whoever writes one by
hand forgets an id, and a KeyError there ends the worker, which meets the message again after its
restart.
"""

from collections.abc import Callable
from typing import Any

from celery.exceptions import InvalidTaskError
from celery.worker.strategy import default

# What the content of a message causes. Others, such as the loss of a connection, are for Celery.
MALFORMED = (AttributeError, LookupError, TypeError, ValueError)


def careful(*args: Any, **options: Any) -> Callable[..., Any]:
    """Return Celery's handler of messages for a task, as `Task.Strategy` does.

    It raises InvalidTaskError for a malformed message, at which the worker logs and rejects it.
    """
    handle = default(*args, **options)

    def handle_carefully(*args: Any, **options: Any) -> Any:
        try:
            return handle(*args, **options)
        except MALFORMED as error:
            raise InvalidTaskError(f"{type(error).__name__}: {error}") from error

    return handle_carefully
