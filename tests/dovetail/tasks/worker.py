"""Runs a task as a worker does, which publishes what is to be tried again."""

from typing import Any

from celery import Task, current_app
from celery.app.trace import build_tracer


def work(task: Task[Any, Any], args: Any, task_id: str, *, retries: int = 0) -> None:
    delivery = {"exchange": "tasks", "routing_key": current_app.conf.task_default_queue}
    request = {"id": task_id, "retries": retries, "is_eager": False, "delivery_info": delivery}
    build_tracer(task.name, task, app=current_app)(task_id, args, {}, request)
