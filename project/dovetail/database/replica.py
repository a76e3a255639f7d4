"""Reads pages from a replica, and lets people see at once what they have written.

A replica is behind by milliseconds, or by more when it is busy. So a request reads from it only if

- it is a GET or HEAD, and `ReplicaMiddleware` has seen it: tasks, commands and sockets do not
- it is from a browser that has not written in the last `REPLICA_STICKY_SECONDS`, which a cookie
  tells; requests with an `Authorization` header come from programs, which keep no cookies
- nothing has been written, and no transaction is open
- the table is not of `REPLICA_EXCLUDED_APPS`: signing out and bans take effect at once

The cookie is not signed: whoever forges it only reads from the primary. Own code because the
packages for it know no request, or have had no release for years.
"""

from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, cast

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, models, transaction
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from dovetail.http.middleware import MaybeAwaitable, Middleware

REPLICA = "replica"
COOKIE = "wrote"
SAFE = {"GET", "HEAD"}


class Reads:
    """What a request may read from, and whether it has written."""

    __slots__ = ("from_replica", "wrote")

    def __init__(self, *, from_replica: bool) -> None:
        self.from_replica = from_replica
        self.wrote = False


_reads: ContextVar[Reads | None] = ContextVar("replica_reads", default=None)
_from_primary: ContextVar[bool] = ContextVar("replica_from_primary", default=False)


@contextmanager
def from_primary() -> Iterator[None]:
    """Read from the primary here: for what others will see, such as a value that is kept.

    A change tells them to look again before the replica has it, and what they find would count as
    new.
    """
    before = _from_primary.set(True)
    try:
        yield
    finally:
        _from_primary.reset(before)


class ReplicaRouter:
    """For the setting `DATABASE_ROUTERS`."""

    def db_for_read(self, model: type[models.Model], **hints: Any) -> str:
        del hints
        reads = _reads.get()
        if (
            reads is None
            or not reads.from_replica
            or reads.wrote
            or _from_primary.get()
            or model._meta.app_label in settings.REPLICA_EXCLUDED_APPS
            or transaction.get_connection(DEFAULT_DB_ALIAS).in_atomic_block
        ):
            return DEFAULT_DB_ALIAS
        return REPLICA

    def db_for_write(self, model: type[models.Model], **hints: Any) -> str:
        """Return the primary; also asked for `select_for_update()` and `get_or_create()`."""
        del model, hints
        if reads := _reads.get():
            reads.wrote = True
        return DEFAULT_DB_ALIAS

    def allow_relation(self, one: models.Model, other: models.Model, **hints: Any) -> bool:
        """Allow them all: both have the same rows."""
        del one, other, hints
        return True

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        del app_label, hints
        return db != REPLICA


class ReplicaMiddleware(Middleware):
    """Decides where a request reads, and remembers for its browser that it has written.

    Put it before whatever asks the database.
    """

    def __call__(self, request: HttpRequest) -> MaybeAwaitable:
        if self.is_async:
            return self._respond(request)
        reads = _begin(request)
        before = _reads.set(reads)
        try:
            response = cast("HttpResponseBase", self.get_response(request))
        finally:
            _reads.reset(before)
        _remember(request, response, reads)
        return response

    async def _respond(self, request: HttpRequest) -> HttpResponseBase:
        reads = _begin(request)
        before = _reads.set(reads)
        try:
            response = await cast("Awaitable[HttpResponseBase]", self.get_response(request))
        finally:
            _reads.reset(before)
        _remember(request, response, reads)
        return response


def _begin(request: HttpRequest) -> Reads:
    has_written = _cookie_name() in request.COOKIES or "Authorization" in request.headers
    return Reads(from_replica=request.method in SAFE and not has_written)


def _remember(request: HttpRequest, response: HttpResponseBase, reads: Reads) -> None:
    if reads.wrote or request.method not in SAFE:
        response.set_cookie(
            _cookie_name(),
            "1",
            max_age=settings.REPLICA_STICKY_SECONDS,
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Lax",
        )


def _cookie_name() -> str:
    return f"__Host-{COOKIE}" if settings.SESSION_COOKIE_SECURE else COOKIE
