from http import HTTPStatus
from typing import Any, cast
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from apps.api.examples import (
    ARTICLE,
    BULK,
    DRAFT,
    FAILED_BULK,
    NEW_ARTICLE,
    NEW_TITLE,
    RESULTS,
    answered,
    sent,
)
from apps.api.filters.articles import ArticleFilter
from apps.api.permissions import ArticlePermission
from apps.api.serializers.articles import ArticleSerializer, ArticleSummarySerializer
from apps.api.serializers.people import AUTHOR_SHOWN, AUTHOR_VERSION, SHOWN
from apps.articles.models import Article, ArticleQuerySet, Comment
from apps.users.models import User
from dovetail.api.bulk import BulkMixin
from dovetail.api.idempotency import idempotent
from dovetail.api.serializers import chosen
from dovetail.api.viewsets import GenericViewSet
from dovetail.models.prepared import Prepared

LISTS = {"list", "trash"}
NOT_SHOWN = [  # of the authors in a list
    f"author__{field.name}" for field in User._meta.concrete_fields if field.name not in SHOWN
]
VERSION = ("updated_at", "comment_count", *AUTHOR_VERSION)
ALSO_SHOWN = ("cover_variants", *AUTHOR_SHOWN)


class Articles:
    """What to load of articles: made once, because making a query takes longer than to send it.

    Call `all()` on them, so that none keeps its rows.
    """

    def __init__(self, rows: ArticleQuerySet) -> None:
        counted = rows.annotate(comment_count=Comment.objects.count_for_each_article())
        self.whole = counted.select_related("author")
        self.summaries = counted.defer("body")
        self.with_authors = self.summaries.select_related("author").defer(*NOT_SHOWN)


UNDELETED = Articles(Article.objects.all())
ALL = Articles(Article.all_objects.all())
# The versions of what visitors see, and so everyone.
SEEN_BY_ALL = Prepared(
    lambda pk: (
        UNDELETED.whole.visible_to(AnonymousUser()).filter(pk=pk).values_list(*VERSION, *ALSO_SHOWN)
    )
)


class ArticleViewSet(BulkMixin, ListModelMixin, GenericViewSet[Article]):
    """Articles that you see: published ones, and the drafts that you may edit."""

    scope = "articles"
    permission_classes = (ArticlePermission,)
    serializer_class = ArticleSerializer
    filterset_class: Any = ArticleFilter
    ordering_fields = ("created_at", "updated_at", "title")
    version_fields = VERSION
    shown_fields = ALSO_SHOWN
    bulk_leaves_out = frozenset({"body"})

    def get_serializer_class(self) -> type[BaseSerializer[Article]]:
        return ArticleSummarySerializer if self.action in LISTS else ArticleSerializer

    def get_queryset(self) -> QuerySet[Article]:
        person = self.request.user
        if self.action in {"trash", "restoration"}:
            return self._rows(ALL).in_trash_of(person)
        return self._rows(UNDELETED).visible_to(person)

    def _rows(self, articles: Articles) -> ArticleQuerySet:
        if self.action not in LISTS:
            return articles.whole.all()  # with the author, on whom the ETag depends
        expanded = chosen(self.request, "expand", ArticleSerializer.expandable())
        return (articles.with_authors if "author" in expanded else articles.summaries).all()

    def etag(self, pk: UUID) -> str:
        for version in SEEN_BY_ALL.rows(pk):
            return self.etag_from(version)
        return super().etag(pk)

    @extend_schema(examples=[sent("An article", NEW_ARTICLE), answered("A draft", DRAFT)])
    @idempotent
    def create(self, request: Request) -> Response:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        article = serializer.save(author=request.user)
        article.comment_count = 0
        url = reverse("api:article-detail", args=[article.pk])
        headers = {"Location": request.build_absolute_uri(url), "ETag": self.etag_of(article)}
        return Response(serializer.data, HTTPStatus.CREATED, headers=headers)

    @transaction.atomic
    def update(self, request: Request, pk: UUID, *, partial: bool = False) -> Response:
        article = self.get_locked_object(pk)
        serializer = self.get_serializer(article, data=request.data, partial=partial)
        serializer.is_valid(raise_exception=True)
        return self._current(serializer.save())

    @extend_schema(
        examples=[sent("Another title", NEW_TITLE), answered("An article", ARTICLE | NEW_TITLE)]
    )
    def partial_update(self, request: Request, pk: UUID) -> Response:
        return self.update(request, pk, partial=True)

    @extend_schema(responses={HTTPStatus.NO_CONTENT: None})
    @transaction.atomic
    def destroy(self, request: Request, pk: UUID) -> Response:
        self.get_locked_object(pk).delete(by=request.user)
        return Response(status=HTTPStatus.NO_CONTENT)

    @extend_schema(request=None, responses={HTTPStatus.OK: ArticleSerializer})
    @action(detail=True, methods=["put"])
    @transaction.atomic
    def publication(self, request: Request, pk: UUID) -> Response:
        """Publish an article. One that is published stays as it is."""
        del request
        article = cast("Article", self.get_locked_object(pk, required=False))
        article.publish()
        return self._current(article)

    @extend_schema(
        request=None,
        responses={HTTPStatus.OK: ArticleSerializer},
        examples=[answered("A draft", ARTICLE | {"status": "draft"})],
    )
    @publication.mapping.delete
    @transaction.atomic
    def unpublish(self, request: Request, pk: UUID) -> Response:
        """Turn an article back into a draft. One that is a draft stays as it is."""
        del request
        article = cast("Article", self.get_locked_object(pk, required=False))
        article.unpublish()
        return self._current(article)

    bulk = extend_schema(
        examples=[
            sent("Three changes", BULK),
            answered("Results", RESULTS),
            answered("Nothing was saved", FAILED_BULK, HTTPStatus.UNPROCESSABLE_ENTITY),
        ]
    )(BulkMixin.bulk)

    @extend_schema(responses=ArticleSummarySerializer(many=True))
    @action(detail=False, filterset_class=None, ordering_fields=())
    def trash(self, request: Request) -> Response:
        """List deleted articles. They are those that you wrote or deleted."""
        return self.list(request)

    @extend_schema(request=None, responses={HTTPStatus.OK: ArticleSerializer})
    @idempotent
    @action(detail=True, methods=["post"])
    def restoration(self, request: Request, pk: UUID) -> Response:
        """Restore a deleted article. Its author does not restore what a moderator deleted."""
        del pk
        article = self.get_object()
        article.restore(by=request.user)
        return self._current(article)

    def _current(self, article: Article) -> Response:
        """Return the article as it is now, with its new ETag."""
        headers = {"ETag": self.etag_of(article)}
        return Response(self.get_serializer(article).data, headers=headers)
