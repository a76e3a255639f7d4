import logging
import warnings

from celery import shared_task
from django.contrib.auth import get_user_model

from dovetail.cable.broadcasting import broadcast

logger = logging.getLogger(__name__)


@shared_task
def announce(email: str, secret: str) -> None:
    get_user_model().objects.filter(email=email).exists()
    broadcast("scores", message={"secret": secret})


@shared_task
def fail(email: str, secret: str) -> None:
    raise LookupError(f"{email} is not known to {secret}")


@shared_task
def chat(secret: str) -> None:
    """Do what the tasks of others do: print, and warn."""
    print("printed")  # noqa: T201
    warnings.warn("warned", stacklevel=1)
    logger.info("logged")
    logging.getLogger("django.request").warning("Not Found: %s", f"/mail/unsubscribe/{secret}/")
