from typing import Any, cast
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.views.generic import DetailView, ListView, TemplateView, UpdateView, View

from apps.articles.discussion import Comment, Notification
from apps.articles.forms import CommentForm
from apps.articles.models import Article
from apps.core.turbo import streams
from apps.core.turbo.request import turbo_of
from apps.core.turbo.streams import TurboStreamResponse, dom_id
from apps.users.models import User

PAGE_SIZE = 20
AT_ONCE = 200  # comments that a page shows


def visible_article(request: HttpRequest, slug: str) -> Article:
    articles = Article.objects.visible_to(request.user).select_related("author")
    return get_object_or_404(articles, slug=slug)


class CommentsView(TemplateView):
    """The comments of an article (in the frame of its page), and a place to post one to.

    The latest, or with `?before=` those before that comment.
    """

    template_name = "articles/comments.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        article = kwargs.pop("article", None) or visible_article(self.request, self.kwargs["slug"])
        comments = Comment.objects.filter(article=article).select_related("author", "article")
        if before := self.request.GET.get("before"):
            comments = comments.filter(pk__lt=_uuid_or_404(before))
        latest = list(comments.order_by("-id")[: AT_ONCE + 1])
        kwargs.setdefault("form", CommentForm())
        return super().get_context_data(
            article=article,
            comments=latest[:AT_ONCE][::-1],
            has_older=len(latest) > AT_ONCE,
            is_latest=not before,
            **kwargs,
        )

    def post(self, request: HttpRequest, slug: str) -> HttpResponse:
        article = visible_article(request, slug)
        if not request.user.is_authenticated:
            return redirect(f"{reverse('account_login')}?next={article.get_absolute_url()}")
        form = CommentForm(request.POST)
        form.instance.article, form.instance.author = article, request.user
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(article=article, form=form))
        comment = form.save()
        if turbo_of(request).accepts_stream:
            html = render_to_string("articles/_comment.html", {"comment": comment})
            return TurboStreamResponse(streams.append(dom_id(article, "comments"), html))
        return redirect(article)


def _uuid_or_404(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise Http404 from error


class CommentMixin:
    """Finds a comment of an article that this person may read."""

    request: HttpRequest
    kwargs: dict[str, Any]

    def get_queryset(self) -> QuerySet[Comment]:
        article = visible_article(self.request, self.kwargs["slug"])
        return Comment.objects.filter(article=article).select_related("author", "article")


class OwnCommentMixin(LoginRequiredMixin, CommentMixin):
    """Those of others do not exist here."""

    def get_queryset(self) -> QuerySet[Comment]:
        comments = super().get_queryset()
        if self.request.user.has_perm("articles.change_comment"):
            return comments
        return comments.filter(author=cast("User", self.request.user))


class CommentView(CommentMixin, DetailView[Comment]):
    template_name = "articles/comment.html"


class CommentUpdateView(OwnCommentMixin, UpdateView[Comment, CommentForm]):
    form_class = CommentForm
    template_name = "articles/comment_form.html"


class CommentDeletionView(OwnCommentMixin, View):
    def post(self, request: HttpRequest, slug: str, pk: str) -> HttpResponse:
        comment = get_object_or_404(self.get_queryset(), pk=pk)
        comment.delete()
        messages.success(request, "Your comment is deleted.")
        if turbo_of(request).accepts_stream:
            return TurboStreamResponse(streams.remove(comment))
        return redirect("articles:detail", slug)


class NotificationsView(LoginRequiredMixin, ListView[Notification]):
    template_name = "articles/notifications.html"
    paginate_by = PAGE_SIZE

    def get_queryset(self) -> QuerySet[Notification]:
        mine = Notification.objects.for_person(cast("User", self.request.user))
        return mine.select_related("comment__author", "comment__article")


class NotificationsReadingView(LoginRequiredMixin, View):
    def post(self, request: HttpRequest) -> HttpResponse:
        Notification.objects.mark_read(cast("User", request.user))
        return redirect("articles:notifications")
