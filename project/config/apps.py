from django.apps import AppConfig


class ProjectConfig(AppConfig):
    """The project itself, as an application: shared tasks are sent through its Celery."""

    name = "config"
    verbose_name = "Dovetail"

    def ready(self) -> None:
        from config import celery  # noqa: F401, PLC0415
