"""Limits of requests, by scope: how many a person, a token or a network may send in a minute.

    class SearchView(APIView):
        throttle_scope = "search"

A view has the scope `read` for requests that change nothing and `write` for others, unless it names
another of `API_RATES`. Each request with a token counts for the token and for its owner, so that no
one gets more by making more tokens. Requests of people who are not signed in count for their
network, and so do attempts to sign in that fail, in the scope `auth`.

Every answer that is counted says how much is left, by draft-ietf-httpapi-ratelimit-headers-10:

    RateLimit-Policy: "read-token";q=300;w=60, "read-person";q=600;w=60
    RateLimit: "read-token";r=299;t=60, "read-person";r=597;t=12

If the cache is unavailable, nothing is limited: the API is worth more than its limits.

Own code because REST framework's throttles read and write the cache in separate steps
(`dovetail.cache.windows`), keep a list of all requests there, and announce nothing.
"""

import logging
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from django.conf import settings
from rest_framework.exceptions import APIException, Throttled
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from dovetail.api.callers import caller_of
from dovetail.cache.valkey import DOWN
from dovetail.cache.windows import Count, count

if TYPE_CHECKING:  # REST framework's views import this module by the setting
    from rest_framework.views import APIView

    _Base = APIView
else:
    _Base = object

logger = logging.getLogger(__name__)

SECONDS = 60  # the period of all rates
LOG_INTERVAL = 60  # seconds between two warnings about an unavailable cache
QUOTA_EXCEEDED = "https://iana.org/assignments/http-problem-types#quota-exceeded"
ATTRIBUTE = "api_quotas"  # of Django's request


@dataclass(frozen=True)
class Quota:
    """A limit that a request counts for.

    Attributes:
        policy: its name, such as `read-person`.
        limit: how many requests it allows in `SECONDS`.
        key: who it is for.
        count: how far it has been used up; None if the cache is unavailable.
    """

    policy: str
    limit: int
    key: str
    count: Count | None = None

    @property
    def left(self) -> int:
        return max(0, self.limit - self.count.used) if self.count else self.limit


class QuotaExceeded(Throttled):
    """There were too many requests. The members are those that the draft defines."""

    default_detail = "There were too many requests."
    extra_detail_singular = "Try again in {wait} second."
    extra_detail_plural = "Try again in {wait} seconds."

    def __init__(self, violated: Iterable[Quota]) -> None:
        violated = list(violated)
        super().__init__(max(quota.count.seconds for quota in violated if quota.count))
        self.members = {
            "type": QUOTA_EXCEEDED,
            "violated-policies": [quota.policy for quota in violated],
        }


class Outage:
    """Logs that the cache is unavailable, but not for every request."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next = 0.0

    def log(self, error: Exception) -> None:
        with self._lock:
            now = time.monotonic()
            if now < self._next:
                return
            self._next = now + LOG_INTERVAL
        logger.warning("The cache is unavailable; the API's limits are not applied: %s", error)


outage = Outage()


class ScopedThrottle(BaseThrottle):
    """For the setting `DEFAULT_THROTTLE_CLASSES`."""

    def allow_request(self, request: Request, view: "APIView") -> bool:
        """Count a request.

        Raises:
            QuotaExceeded: it is one too many.
        """
        consume(request, scope_of(request, view))
        return True


class ThrottledMixin(_Base):
    """Counts requests before they are looked at: those without permission, and failed sign-ins.

    Attributes:
        throttle_scope: one of `API_RATES`; "" for `read` or `write`, by the method.
    """

    throttle_scope: str = ""

    def perform_authentication(self, request: Request) -> None:
        try:
            super().perform_authentication(request)
        except APIException:
            consume(request, "auth")
            raise
        super().check_throttles(request)

    def check_throttles(self, request: Request) -> None:
        """Do nothing: it would come after the permissions, and has been done."""


def scope_of(request: Request, view: "APIView") -> str:
    default = "read" if request.method in SAFE_METHODS else "write"
    return getattr(view, "throttle_scope", "") or default


def consume(request: Request, scope: str, amount: int = 1) -> None:
    """Count something that a request does.

    Args:
        request: whose sender it counts for.
        scope: one of `API_RATES`.
        amount: for what costs as much as several requests.

    Raises:
        QuotaExceeded: it is too much; nothing is counted.
    """
    quotas = list(_quotas(request, scope))
    http: Any = request._request  # noqa: SLF001 - Django's, which the middleware gets
    setattr(http, ATTRIBUTE, quotas)
    try:
        fits, counts = count(
            [(quota.key, quota.limit) for quota in quotas], amount, seconds=SECONDS
        )
    except DOWN as error:
        outage.log(error)
        return
    quotas = [replace(quota, count=counted) for quota, counted in zip(quotas, counts, strict=True)]
    setattr(http, ATTRIBUTE, quotas)
    if not fits:
        raise QuotaExceeded(quota for quota in quotas if quota.left < amount)


def _quotas(request: Request, scope: str) -> Iterator[Quota]:
    caller = caller_of(request)
    if not caller.person:
        yield _quota(scope, "address", caller.network)
        return
    if caller.token:
        yield _quota(scope, "token", caller.token)
    yield _quota(scope, "person", caller.person)


def _quota(scope: str, kind: str, who: str) -> Quota:
    policy = f"{scope}-{kind}"
    return Quota(policy, settings.API_RATES[scope][kind], f"api:{policy}:{who}")


def rate_headers(quotas: Iterable[Quota]) -> dict[str, str]:
    """Return the headers that tell what is left."""
    quotas = list(quotas)
    policies = [f'"{quota.policy}";q={quota.limit};w={SECONDS}' for quota in quotas]
    left = [
        f'"{quota.policy}";r={quota.left};t={quota.count.seconds}'
        for quota in quotas
        if quota.count
    ]
    headers = {"RateLimit-Policy": policies, "RateLimit": left}
    return {name: ", ".join(values) for name, values in headers.items() if values}
