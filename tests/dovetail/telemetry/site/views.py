import logging
import os

import requests
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from dovetail.http import request_id
from dovetail.tasks import outbox
from tests.dovetail.telemetry.site import tasks

logger = logging.getLogger(__name__)


@csrf_exempt
def announce(request: HttpRequest, secret: str) -> HttpResponse:
    """Do a bit of everything that is traced."""
    email = request.POST["email"]
    with transaction.atomic():
        get_user_model().objects.filter(email=email).exists()
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT '{secret}', E'{secret}\\'{secret}', 918273645")
        outbox.delay(tasks.announce, email, secret=secret)
    cache.set(secret, email)
    cache.get(secret)
    cache.get(f"no-{secret}")
    if url := os.environ.get("ECHO_URL"):
        requests.post(f"{url}/echo?token={secret}", {"email": email}, timeout=30)
    return HttpResponse(status=204)


def failure(request: HttpRequest, secret: str) -> HttpResponse:
    email = request.GET["email"]
    request_id.current.set("request-7")
    logger.error("Could not greet %s of %s", email, secret)
    logger.error(f"No greeting for {email}")  # noqa: G004 - as packages do
    tasks.fail.delay(email, secret=secret)
    raise ValueError(f"{email} cannot be greeted with {secret}")


def hello(_request: HttpRequest, secret: str) -> HttpResponse:
    return HttpResponse(f"Hello, {secret}")


def missing(_request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer without a template, which would need a front end."""
    return HttpResponse(type(exception).__name__, status=404)


def failed(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(status=500)
