"""Who makes a request: what limits are counted for, and whose idempotency keys are whose."""

from dataclasses import dataclass
from typing import Any

from django.db import models
from rest_framework.request import Request

from dovetail.http.address import client_address, network_of


@dataclass(frozen=True)
class Caller:
    """The sender of a request.

    Attributes:
        person: the primary key of the signed-in person or the token's owner; "" for visitors.
        token: the primary key of the token, if it is a row; "" for sessions.
        network: the address, or the network if that is what people get.
    """

    person: str
    token: str
    network: str


def caller_of(request: Request) -> Caller:
    user: Any = request.user
    token = request.auth
    return Caller(
        person=str(user.pk) if user and user.is_authenticated else "",
        token=str(token.pk) if isinstance(token, models.Model) else "",
        network=network_of(client_address(request._request)),  # noqa: SLF001 - Django's request
    )
