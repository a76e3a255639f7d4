from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.views.generic import DetailView, TemplateView, View

from apps.articles.forms import CommentForm
from apps.articles.models import Article, Comment, CommentQuerySet
from dovetail.models.versions import VersionedUpdateView
from dovetail.turbo import streams
from dovetail.turbo.request import turbo_of
from dovetail.turbo.streams import TurboStreamResponse, dom_id

PAGE_SIZE = 200  # comments on one page


def visible_article(request: HttpRequest, slug: str) -> Article:
    articles = Article.objects.visible_to(request.user).select_related("author")
    return get_object_or_404(articles, slug=slug)


class CommentsView(TemplateView):
    """Lists an article's comments in a frame of its page, and accepts new ones.

    Shows the latest comments, or with `?before=<id>` those that precede that comment.
    """

    template_name = "articles/comments.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        article = kwargs.pop("article", None) or visible_article(self.request, self.kwargs["slug"])
        comments = Comment.all_objects.filter(article=article).shown_to(self.request.user)
        comments = comments.select_related("author", "article")
        if before := self.request.GET.get("before"):
            comments = comments.filter(pk__lt=_uuid_or_404(before))
        latest = list(comments.order_by("-id")[: PAGE_SIZE + 1])
        kwargs.setdefault("form", CommentForm())
        return super().get_context_data(
            article=article,
            comments=latest[:PAGE_SIZE][::-1],
            has_older=len(latest) > PAGE_SIZE,
            is_latest=not before,
            **kwargs,
        )

    def post(self, request: HttpRequest, slug: str) -> HttpResponse:
        article = visible_article(request, slug)
        if not request.user.is_authenticated:
            return redirect(f"{reverse('account_login')}?next={article.get_absolute_url()}")
        form = CommentForm(request.POST)
        form.instance.article, form.instance.author = article, request.user
        with transaction.atomic():
            comment = form.save() if form.is_valid() else None
        if comment is None:
            return self.render_to_response(self.get_context_data(article=article, form=form))
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
    """Limits the views to comments on an article that the user may read."""

    request: HttpRequest
    kwargs: dict[str, Any]

    def get_queryset(self) -> CommentQuerySet:
        article = visible_article(self.request, self.kwargs["slug"])
        comments: CommentQuerySet = Comment.objects.filter(article=article)
        return comments.select_related("author", "article")


class CommentView(CommentMixin, DetailView[Comment]):
    template_name = "articles/comment.html"


class CommentUpdateView(
    LoginRequiredMixin, CommentMixin, VersionedUpdateView[Comment, CommentForm]
):
    form_class = CommentForm
    template_name = "articles/comment_form.html"

    def get_queryset(self) -> CommentQuerySet:
        return super().get_queryset().editable_by(self.request.user)


class CommentDeletionView(LoginRequiredMixin, CommentMixin, View):
    def post(self, request: HttpRequest, slug: str, pk: str) -> HttpResponse:
        comment = get_object_or_404(self.get_queryset().deletable_by(request.user), pk=pk)
        comment.delete(by=request.user)
        messages.success(request, "Comment deleted.")
        if turbo_of(request).accepts_stream:
            return TurboStreamResponse(streams.remove(comment))
        return redirect("articles:detail", slug)
