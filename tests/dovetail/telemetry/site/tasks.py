from celery import shared_task
from django.contrib.auth import get_user_model

from dovetail.cable.broadcasting import broadcast


@shared_task
def announce(email: str, secret: str) -> None:
    get_user_model().objects.filter(email=email).exists()
    broadcast("scores", message={"secret": secret})


@shared_task
def fail(email: str, secret: str) -> None:
    raise LookupError(f"{email} is not known to {secret}")
