"""Middleware for development."""

from asgiref.sync import sync_to_async
from django.db import OperationalError, connection
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from dovetail.http.middleware import Middleware
from dovetail.http.migrations import due_migrations


class DueMigrationsMiddleware(Middleware):
    """Answers with the migrations to apply, where a page would fail for a missing column.

    A process that has found the database up to date does not look again: new migrations are code,
    and new code restarts the web server.
    """

    is_current = False

    def process_request(self, _request: HttpRequest) -> HttpResponse | None:
        if self.is_current:
            return None
        try:
            due = due_migrations()
        except OperationalError:  # the page says better what is wrong
            return None
        if not due:
            self.is_current = True
            return None
        text = render_to_string("devtools/due_migrations.html", {"due": due})
        return HttpResponse(text, status=503, headers={"Cache-Control": "no-store"})

    async def aprocess_request(self, request: HttpRequest) -> HttpResponse | None:
        if self.is_current:
            return None
        return await sync_to_async(self._in_thread, thread_sensitive=False)(request)

    def _in_thread(self, request: HttpRequest) -> HttpResponse | None:
        try:
            return self.process_request(request)
        finally:
            connection.close()  # this thread does not use it again
