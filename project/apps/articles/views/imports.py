"""Articles from and to CSV files."""

import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any, cast

from asgiref.sync import sync_to_async
from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.db import connections
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.utils.decorators import method_decorator
from django.views.generic import CreateView, DetailView, View

from apps.articles import imports
from apps.articles.forms import ArticleImportForm
from apps.articles.importing import ADD, COLUMNS, READ
from apps.articles.models import Article, ArticleImport
from apps.users.models import User
from dovetail.csv_files import write
from dovetail.http.bodies import takes_files
from dovetail.http.environ import scope_of
from dovetail.http.limits import refusal

logger = logging.getLogger(__name__)

BATCH = 100  # articles that are loaded at once; the longest have 100,000 characters
PART = 1_000_000  # characters that are sent at once, and the rest of a line

UNREADABLE = "The file can't be read right now. Try again in a moment."


class ImportersOnlyMixin(LoginRequiredMixin):
    """Answers 404 to people who may not import articles."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated and not request.user.has_perm(ADD):
            raise Http404
        return super().dispatch(request, *args, **kwargs)


class OwnImportMixin(ImportersOnlyMixin):
    """Limits the views to imports of the person."""

    request: HttpRequest

    def get_queryset(self) -> QuerySet[ArticleImport]:
        return ArticleImport.objects.visible_to(self.request.user)

    def get_import(self, pk: str) -> ArticleImport:
        return get_object_or_404(self.get_queryset(), pk=pk)


@method_decorator(takes_files, name="dispatch")
class ImportCreateView(ImportersOnlyMixin, CreateView[ArticleImport, ArticleImportForm]):
    form_class = ArticleImportForm
    template_name = "articles/import_form.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        recent = ArticleImport.objects.visible_to(self.request.user)[:10]
        return super().get_context_data(recent=recent, columns=COLUMNS, **kwargs)

    def form_valid(self, form: ArticleImportForm) -> HttpResponse:
        form.instance.user = cast("User", self.request.user)
        return redirect(imports.begin(form.instance))


class ImportView(OwnImportMixin, DetailView[ArticleImport]):
    template_name = "articles/import_detail.html"
    context_object_name = "job"


class ImportStartView(OwnImportMixin, View):
    """Starts an import, or goes on with one that was canceled."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: str) -> HttpResponse:
        job = self.get_import(pk)
        if not imports.start(job):
            messages.info(request, "This import cannot be started now.")
        return redirect(job)


class ImportCancelView(OwnImportMixin, View):
    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: str) -> HttpResponse:
        job = self.get_import(pk)
        if not imports.cancel(job):
            messages.info(request, "This import has ended already.")
        return redirect(job)


class ImportErrorsView(OwnImportMixin, View):
    """Sends the rows with errors as a file that can be corrected and uploaded again."""

    def get(self, request: HttpRequest, pk: str) -> HttpResponseBase:
        if refused := refusal(request, "exports"):
            return refused
        job = self.get_import(pk)
        try:
            lines = imports.error_lines(job)
        except OSError as error:
            logger.error("The file of the import %s could not be read: %s", job.pk, error)  # noqa: TRY400 - it says what is wrong
            messages.error(request, UNREADABLE)
            return redirect(job)
        return csv_response(request, "errors.csv", write(READ, lines))


class ArticleExportView(LoginRequiredMixin, View):
    """Sends all articles that the person may edit, as many as there are."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        if refused := refusal(request, "exports"):
            return refused
        rows = rows_of(Article.objects.editable_by(request.user))
        return csv_response(request, "articles.csv", write(COLUMNS, rows))


def rows_of(articles: QuerySet[Article]) -> Iterator[tuple[Any, ...]]:
    """Yield the columns of articles, with a query for each batch.

    Not with one query: its cursor would keep a connection to the database for as long as the
    person's browser takes to read the file.
    """
    found = articles.order_by("id").values_list("id", *COLUMNS)
    last = None
    while True:
        batch = list((found if last is None else found.filter(id__gt=last))[:BATCH])
        for last, *row in batch:  # noqa: B007 - it is used by the next query
            yield tuple(row)
        if len(batch) < BATCH:
            return


def csv_response(request: HttpRequest, name: str, lines: Iterator[str]) -> StreamingHttpResponse:
    content = in_thread(lines) if scope_of(request) else lines
    response = StreamingHttpResponse(content, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def take_part(lines: Iterator[str]) -> str:
    """Return the next lines, until they are long enough for a part; nothing if there are none."""
    part: list[str] = []
    size = 0
    while size < PART and (line := next(lines, "")):
        part.append(line)
        size += len(line)
    return "".join(part)


async def in_thread(lines: Iterator[str]) -> AsyncIterator[str]:
    """Yield what an iterator yields, in parts of about a megabyte.

    A slow reader keeps neither a thread nor a connection to the database. Parts go by their size,
    so that long lines need no more memory than short ones.
    """

    @sync_to_async(thread_sensitive=False)
    def take() -> str:
        try:
            return take_part(lines)
        finally:
            connections.close_all()

    while part := await take():
        yield part
