"""Tasks that end the process in which they run, and tell Valkey that they have started."""

import os
import signal
from typing import Any

import redis
from celery import Task, shared_task
from django.conf import settings


def tell(name: str) -> int:
    """Count how often something has started."""
    with redis.Redis.from_url(settings.CELERY_BROKER_URL) as client:
        return int(str(client.rpush(name, os.getpid())))


@shared_task(bind=True)
def kill(self: Task[Any, Any], how: str) -> None:
    tell(str(self.request.id))
    if how == "exit":
        raise SystemExit(1)
    if how == "interrupt":
        raise KeyboardInterrupt
    os.kill(os.getpid(), signal.SIGKILL)


@shared_task(bind=True)
def kill_some(self: Task[Any, Any], times: int) -> None:
    """Succeed after some deliveries."""
    if tell(str(self.request.id)) <= times:
        os.kill(os.getpid(), signal.SIGKILL)


@shared_task
def say(name: str) -> None:
    tell(name)
