from http import HTTPStatus
from uuid import UUID

from django.db import transaction
from django.shortcuts import get_object_or_404
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.mixins import ListModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.permissions import CommentPermission, person_of
from apps.api.serializers.comments import CommentSerializer
from apps.api.serializers.people import AUTHOR_SHOWN, AUTHOR_VERSION
from apps.articles.models import Article, Comment, CommentQuerySet
from apps.articles.models.comment import TOO_MANY
from dovetail.api.etags import VersionedMixin
from dovetail.api.idempotency import idempotent
from dovetail.api.serializers import chosen
from dovetail.api.viewsets import GenericViewSet
from dovetail.api.waits import TooMany

VERSION = ("updated_at", "article__slug", *AUTHOR_VERSION)


@extend_schema(tags=["comments"])
class ArticleCommentViewSet(VersionedMixin, ListModelMixin, GenericViewSet[Comment]):
    """The comments on an article, newest first."""

    scope = "comments"
    queryset = Comment.all_objects.none()
    permission_classes = (CommentPermission,)
    serializer_class = CommentSerializer
    ordering_fields = ("created_at",)
    version_fields = VERSION
    shown_fields = AUTHOR_SHOWN

    def article(self) -> Article:
        # The author is notified of a new comment.
        articles = Article.objects.visible_to(self.request.user).for_cards()
        return get_object_or_404(articles, pk=self.kwargs["article_id"])

    def get_queryset(self) -> CommentQuerySet:
        comments: CommentQuerySet = Comment.all_objects.filter(article=self.article())
        expanded = chosen(self.request, "expand", CommentSerializer.expandable())
        return _related(comments.shown_to(self.request.user), with_author="author" in expanded)

    def list(self, request: Request, article_id: UUID) -> Response:
        """List the comments on an article. The newest come first."""
        del article_id
        return super().list(request)

    @extend_schema(responses={HTTPStatus.CREATED: CommentSerializer})
    @idempotent
    def create(self, request: Request, article_id: UUID) -> Response:
        """Comment on an article. The comment appears at once on every open page of it."""
        del article_id
        article, author = self.article(), person_of(request)
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        with transaction.atomic():
            if wait := Comment.time_to_wait(author):
                raise TooMany(TOO_MANY, wait)
            comment = serializer.save(article=article, author=author)
        url = reverse("api:comment-detail", args=[comment.pk])
        headers = {"Location": request.build_absolute_uri(url), "ETag": self.etag_of(comment)}
        return Response(serializer.data, HTTPStatus.CREATED, headers=headers)


class CommentViewSet(VersionedMixin, GenericViewSet[Comment]):
    """A comment on an article that you see."""

    scope = "comments"
    queryset = Comment.objects.none()
    permission_classes = (CommentPermission,)
    serializer_class = CommentSerializer
    version_fields = VERSION
    shown_fields = AUTHOR_SHOWN

    def get_queryset(self) -> CommentQuerySet:
        comments: CommentQuerySet = Comment.objects.visible_to(self.request.user)
        return _related(comments, with_author=True)  # on whom the ETag depends

    @transaction.atomic
    def partial_update(self, request: Request, pk: UUID) -> Response:
        comment = self.get_locked_object(pk)
        serializer = self.get_serializer(comment, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        comment = serializer.save()
        return Response(serializer.data, headers={"ETag": self.etag_of(comment)})

    @extend_schema(responses={HTTPStatus.NO_CONTENT: None})
    @transaction.atomic
    def destroy(self, request: Request, pk: UUID) -> Response:
        self.get_locked_object(pk).delete(by=request.user)
        return Response(status=HTTPStatus.NO_CONTENT)


def _related(comments: CommentQuerySet, *, with_author: bool) -> CommentQuerySet:
    related = ["article", *(["author"] if with_author else [])]
    # Of an article, comments show only where it is.
    return comments.select_related(*related).defer("article__body")
