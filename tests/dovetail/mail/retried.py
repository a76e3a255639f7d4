from typing import Any

from celery.exceptions import Retry


def retried(retry: Retry) -> tuple[Any, ...]:
    """Return the arguments that a task has asked to be called with again."""
    signature: Any = vars(retry)["sig"]
    return tuple(signature.args)
