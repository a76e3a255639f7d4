"""The class of the Celery app, which `config/celery.py` creates."""

from functools import cached_property
from typing import Any

from celery import Celery


class KitCelery(Celery):
    """A Celery app whose worker and beat log as `LOGGING` says, and whose questions end."""

    control_cls = "dovetail.tasks.control:Control"
    log_cls = "dovetail.tasks.programs:Logging"

    @cached_property
    def Worker(self) -> Any:  # noqa: N802 - Celery's name
        return self.subclass_with_self("dovetail.tasks.programs:Worker")  # type: ignore[arg-type]

    @cached_property
    def Beat(self) -> Any:  # noqa: N802 - Celery's name
        return self.subclass_with_self("dovetail.tasks.programs:Beat")  # type: ignore[arg-type]
