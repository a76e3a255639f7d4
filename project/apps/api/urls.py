"""The URLs of version 1 of the API. Give each new resource its line here."""

from typing import Any

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from apps.api.views import DocsView, ReferenceView
from apps.api.viewsets.analytics import ArticleAnalyticsViewSet
from apps.api.viewsets.app_sessions import AppSessionViewSet
from apps.api.viewsets.articles import ArticleViewSet
from apps.api.viewsets.categories import CategoryViewSet
from apps.api.viewsets.comments import ArticleCommentViewSet, CommentViewSet
from apps.api.viewsets.images import AvatarViewSet, CoverViewSet
from apps.api.viewsets.me import DataExportViewSet, EmailAddressViewSet, MeViewSet
from apps.api.viewsets.notifications import NotificationViewSet
from apps.api.viewsets.people import PersonViewSet
from apps.api.viewsets.search import ArticleSearchViewSet
from apps.api.viewsets.tokens import AccessTokenViewSet
from dovetail.api.schema_view import SchemaView

router = SimpleRouter(use_regex_path=False)
router.register("articles", ArticleViewSet, basename="article")
router.register("categories", CategoryViewSet, basename="category")
router.register("comments", CommentViewSet, basename="comment")
router.register("notifications", NotificationViewSet, basename="notification")
router.register("tokens", AccessTokenViewSet, basename="access-token")
router.register("users", PersonViewSet, basename="person")
router.register("users/me/email-addresses", EmailAddressViewSet, basename="email-address")
router.register("users/me/exports", DataExportViewSet, basename="export")

# Resources of which there is one, at an address without an id.
single = {"detail": True}
image: dict[str, Any] = {"put": "replace", "delete": "remove"}

app_name = "api"
urlpatterns = [
    path("", include(router.urls)),
    path(
        "articles/<uuid:article_id>/comments/",
        ArticleCommentViewSet.as_view(
            {"get": "list", "post": "create"}, basename="article-comment", detail=False
        ),
        name="article-comment-list",
    ),
    path(
        "articles/<uuid:pk>/cover/",
        CoverViewSet.as_view(image, basename="article-cover", **single),
        name="article-cover",
    ),
    path(
        "users/me/",
        MeViewSet.as_view({"get": "retrieve", "patch": "partial_update"}, basename="me", **single),
        name="me",
    ),
    path(
        "users/me/avatar/",
        AvatarViewSet.as_view(image, basename="avatar", **single),
        name="avatar",
    ),
    path(
        "search/articles/",
        ArticleSearchViewSet.as_view({"get": "retrieve"}, basename="article-search", **single),
        name="article-search",
    ),
    path(
        "analytics/articles/",
        ArticleAnalyticsViewSet.as_view(
            {"get": "retrieve"}, basename="article-analytics", **single
        ),
        name="article-analytics",
    ),
    path(
        "auth/session/",
        AppSessionViewSet.as_view({"post": "create", "delete": "destroy"}, basename="app-session"),
        name="app-session",
    ),
    path(
        "auth/second-factor/",
        AppSessionViewSet.as_view({"post": "second_factor"}, basename="app-session"),
        name="app-second-factor",
    ),
    path(
        "auth/tokens/",
        AppSessionViewSet.as_view(
            # Not a guess like a password, and hundreds of apps may share an address.
            {"post": "refresh"},
            basename="app-session",
            throttle_scope="read",
        ),
        name="app-tokens",
    ),
    path("schema/", SchemaView.as_view(), name="schema"),
    path("docs/", DocsView.as_view(), name="docs"),
    path("docs/reference/", ReferenceView.as_view(), name="reference"),
]
