from celery.signals import task_failure, worker_ready
from django.apps import AppConfig


class DovetailTasksConfig(AppConfig):
    name = "dovetail.tasks"
    label = "dovetail_tasks"
    verbose_name = "Background work"

    def ready(self) -> None:
        from dovetail.tasks import failures, outbox, queues  # noqa: PLC0415 - needs the models

        task_failure.connect(failures.record)
        worker_ready.connect(queues.declare_dead_letters)
        worker_ready.connect(outbox.wake)
