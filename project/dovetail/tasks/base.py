"""The base class of all Celery tasks, which `config/celery.py` names."""

from typing import Any

from celery.contrib.django.task import DjangoTask
from django.db import transaction


class KitTask(DjangoTask):  # type: ignore[type-arg] # not generic at runtime
    """A task of which the loss is logged if the broker is unavailable at the commit.

    What the request saved stays, so it must not fail, and what else waits for the commit is done.
    """

    def delay_on_commit(self, *args: Any, **kwargs: Any) -> None:  # type: ignore[override]
        # Not a functools.partial: Django needs the function's name to log its error.
        transaction.on_commit(lambda: self.delay(*args, **kwargs), robust=True)

    def apply_async_on_commit(self, *args: Any, **kwargs: Any) -> None:  # type: ignore[override]
        transaction.on_commit(lambda: self.apply_async(*args, **kwargs), robust=True)
