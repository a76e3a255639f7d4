"""What api.py compares: the API, viewsets of Django REST framework, and bare SQL."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from itertools import count
from typing import Any

import orjson
import psycopg
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection
from django.db.models import QuerySet
from django.test import Client, RequestFactory
from django.urls import path
from django.utils.crypto import get_random_string
from rest_framework import (
    authentication,
    filters,
    pagination,
    parsers,
    permissions,
    renderers,
    serializers,
    viewsets,
)

import config.urls
from apps.articles.models import Article, Comment
from apps.users.models import User
from dovetail.api.fields import ImageVariantsField

Answer = Callable[[], bytes]
SEARCH = "chisels"
NUMBERS = count()


class PersonSerializer(serializers.ModelSerializer[User]):
    name = serializers.CharField(source="get_full_name")
    avatar = serializers.ImageField(source="list_avatar")

    class Meta:
        model = User
        fields = ["id", "name", "avatar"]


class SummarySerializer(serializers.ModelSerializer[Article]):
    author: Any = PersonSerializer(read_only=True)
    cover_variants = ImageVariantsField("cover")
    comment_count = serializers.IntegerField(source="comments.count", read_only=True)
    page = serializers.CharField(source="get_absolute_url", read_only=True)

    class Meta:
        model = Article
        fields = [
            *("id", "title", "slug", "summary", "category", "status", "cover"),
            *("cover_variants", "author", "comment_count", "page"),
            *("published_at", "created_at", "updated_at"),
        ]
        read_only_fields = ["slug", "status", "cover", "published_at"]


class ArticleSerializer(SummarySerializer):
    author: Any = serializers.PrimaryKeyRelatedField(read_only=True)

    class Meta(SummarySerializer.Meta):
        fields = [*SummarySerializer.Meta.fields, "body"]


class Pages(pagination.PageNumberPagination):
    page_size = 20


class PlainViewSet(viewsets.ModelViewSet[Article]):
    """A viewset as a tutorial writes it, which has REST framework's default settings again."""

    queryset = Article.objects.filter(status="published").order_by("-id")
    pagination_class = Pages
    filter_backends = (filters.SearchFilter,)
    search_fields = ("title", "summary", "body")
    permission_classes = (permissions.IsAuthenticatedOrReadOnly,)
    authentication_classes = (
        authentication.SessionAuthentication,
        authentication.BasicAuthentication,
    )
    parser_classes = (parsers.JSONParser, parsers.FormParser, parsers.MultiPartParser)
    renderer_classes = (renderers.JSONRenderer, renderers.BrowsableAPIRenderer)
    throttle_classes = ()

    def get_serializer_class(self) -> Any:
        return SummarySerializer if self.action == "list" else ArticleSerializer

    def perform_create(self, serializer: Any) -> None:
        serializer.save(author=self.request.user)


class TunedSummarySerializer(SummarySerializer):
    comment_count = serializers.IntegerField(read_only=True)


class TunedSerializer(ArticleSerializer):
    comment_count = serializers.IntegerField(read_only=True, default=0)


class TunedViewSet(PlainViewSet):
    def get_queryset(self) -> QuerySet[Article]:
        counted = Comment.objects.count_for_each_article()
        articles = super().get_queryset().annotate(comment_count=counted)
        if self.action == "list":
            return articles.select_related("author").defer("body")
        return articles

    def get_serializer_class(self) -> Any:
        return TunedSummarySerializer if self.action == "list" else TunedSerializer


VIEWSETS = {"plain": PlainViewSet, "tuned": TunedViewSet}


def _urls() -> Iterator[Any]:
    for name, viewset in VIEWSETS.items():
        yield path(f"{name}/", viewset.as_view({"get": "list", "post": "create"}))
        yield path(f"{name}/<uuid:pk>/", viewset.as_view({"get": "retrieve"}))


class Site:
    """The whole site, as a WSGI server calls it."""

    def __init__(self) -> None:
        config.urls.urlpatterns += _urls()
        self.handler: Any = WSGIHandler()
        self.factory = RequestFactory()

    def send(self, request: Any, status: int, body: bytes = b"") -> Any:
        """Return the response to a request, of which each call has a copy."""
        environ = request.environ | {"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        response = self.handler(environ, lambda *_: None)
        content = b"".join(response)
        response.close()
        assert response.status_code == status, content  # noqa: S101
        return response

    def get(self, url: str, headers: dict[str, str] | None = None, status: int = 200) -> Answer:
        request = self.factory.get(url, headers={"host": "localhost", **(headers or {})})
        return lambda: bytes(self.send(request, status).content)

    def create(self, url: str, headers: dict[str, str]) -> Answer:
        request = self.factory.post(
            url, content_type="application/json", headers={"host": "localhost", **headers}
        )

        def answer() -> bytes:
            fields = {"title": f"New {next(NUMBERS):x} of {url}", "body": "Text", "summary": ""}
            return bytes(self.send(request, 201, json.dumps(fields).encode()).content)

        return answer


@contextmanager
def _recorded() -> Iterator[list[tuple[str, Any]]]:
    """Collect the statements that the site sends to the database."""
    statements: list[tuple[str, Any]] = []

    def record(execute: Any, sql: str, params: Any, many: Any, context: Any) -> Any:
        statements.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(record):
        yield statements


def _limit(answer: Answer, bare: psycopg.Connection[Any]) -> Answer:
    """Return what sends the same statements as an answer, and turns their rows into JSON."""
    answer()
    number = Article.objects.count()
    with _recorded() as statements:
        row = answer()
    if Article.objects.count() > number:  # it is going to be created again
        Article.objects.filter(pk=orjson.loads(row)["id"]).hard_delete()

    def again() -> bytes:
        rows: list[dict[str, Any]] = []
        with bare.cursor() as cursor:
            for statement, parameters in statements:
                cursor.execute(statement, parameters)
                if cursor.description:
                    names = [column.name for column in cursor.description]
                    rows += [dict(zip(names, row, strict=True)) for row in cursor]
        bare.rollback()
        return orjson.dumps(rows, default=str)

    return again


def _session(person: User) -> str:
    client, name = Client(), settings.SESSION_COOKIE_NAME
    client.force_login(person)
    return f"{name}={client.cookies[name].value}"


def rivals() -> dict[tuple[str, str], Answer]:
    """Return the requests, by what they ask for and by who answers."""
    site, api = Site(), "/api/v1/articles/"
    pk = Article.objects.published().values_list("pk", flat=True)[0]
    reader, writer = User.objects.all()[:2]
    signed_in = {"cookie": _session(reader)}
    secret = get_random_string(32)
    with_token = {
        "cookie": f"{_session(writer)}; {settings.CSRF_COOKIE_NAME}={secret}",
        "x-csrf-token": secret,
    }
    etag = site.send(site.factory.get(f"{api}{pk}/", headers={"host": "localhost"}), 200)["ETag"]
    unchanged = {"if-none-match": etag}

    def viewsets(rest: str, headers: dict[str, str] | None = None) -> dict[str, Answer]:
        return {who: site.get(f"/{who}/{rest}", headers) for who in VIEWSETS}

    found = f"/api/v1/search/articles/?q={SEARCH}"
    requests = {
        "list of 20": {"API": site.get(f"{api}?expand=author"), **viewsets("")},
        "list of 20, signed in": {
            "API": site.get(f"{api}?expand=author", signed_in),
            **viewsets("", signed_in),
        },
        "article": {"API": site.get(f"{api}{pk}/"), **viewsets(f"{pk}/")},
        "article, unchanged": {
            "API": site.get(f"{api}{pk}/", unchanged, 304),
            **viewsets(f"{pk}/", unchanged),
        },
        "search": {"API": site.get(found), **viewsets(f"?search={SEARCH}")},
        "new article": {
            "API": site.create(api, with_token),
            **{who: site.create(f"/{who}/", with_token) for who in VIEWSETS},
        },
    }
    _compare_members(requests)
    bare = psycopg.connect(os.environ["DATABASE_URL"])
    return {
        (request, who): answer
        for request, answers in requests.items()
        for who, answer in (answers | {"limit": _limit(answers["API"], bare)}).items()
    }


def _compare_members(requests: dict[str, dict[str, Answer]]) -> None:
    """Check that what is compared is the same."""
    for request in ("list of 20", "article"):
        answers = [orjson.loads(answer()) for answer in requests[request].values()]
        rows = [answer.get("results", [answer])[0] for answer in answers]
        assert all(row == rows[0] for row in rows), rows  # noqa: S101
