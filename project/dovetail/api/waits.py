"""Refusals that time lifts: their answers say in `Retry-After` when to try again."""

import math
from datetime import timedelta
from http import HTTPStatus

from rest_framework.exceptions import APIException, Throttled


class TooMany(Throttled):
    """Someone has done something too often in a short time.

    Args:
        detail: for people.
        wait: until it is possible again.
    """

    def __init__(self, detail: str, wait: timedelta) -> None:
        super().__init__(detail=detail, code="flood")
        self.wait = math.ceil(wait.total_seconds())


class Busy(APIException):
    """The process has no room for such a request now."""

    status_code = HTTPStatus.SERVICE_UNAVAILABLE
    default_code = "busy"
    wait = 5  # seconds
