from celery.signals import task_failure, worker_init, worker_ready
from django.apps import AppConfig

from dovetail.database import limits


class DovetailTasksConfig(AppConfig):
    name = "dovetail.tasks"
    label = "dovetail_tasks"
    verbose_name = "Background work"

    def ready(self) -> None:
        from dovetail.tasks import failures, outbox, queues  # noqa: PLC0415 - needs the models

        worker_init.connect(limit_statements)
        task_failure.connect(failures.record)
        worker_ready.connect(queues.declare_dead_letters)
        worker_ready.connect(outbox.wake)


def limit_statements(**_: object) -> None:
    limits.limit("worker")
