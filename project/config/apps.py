from django.apps import AppConfig


class ProjectConfig(AppConfig):
    """The project itself as an app, so that shared tasks go through its Celery application."""

    name = "config"

    def ready(self) -> None:
        from config import celery  # noqa: F401, PLC0415
