import gc

from django.apps import AppConfig


class ProjectConfig(AppConfig):
    """The project as an app, which makes `@shared_task` use its Celery app."""

    name = "config"

    def ready(self) -> None:
        from config import celery  # noqa: F401, PLC0415

        # What is loaded stays, so that no later collection, nor the one at exit, looks through it.
        gc.freeze()
        gc.enable()
