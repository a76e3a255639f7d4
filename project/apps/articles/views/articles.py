from http import HTTPStatus
from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.contrib.messages.views import SuccessMessageMixin
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.cache import add_never_cache_headers
from django.utils.decorators import method_decorator
from django.utils.functional import SimpleLazyObject
from django.views.generic import CreateView, DetailView, ListView, TemplateView, View

from apps.articles.dashboard import Dashboard
from apps.articles.forms import ArticleForm
from apps.articles.models import Article, Category
from apps.articles.search import SearchPage
from apps.users.models import User
from dovetail.cache.pages import for_visitors
from dovetail.http.bodies import takes_files
from dovetail.http.limits import refusal
from dovetail.media.direct import UploadsMixin
from dovetail.models.versions import VersionedUpdateView

PAGE_SIZE = 12


@method_decorator(
    for_visitors(Article.refreshes, query={"category": Category.values}), name="dispatch"
)
class ArticleListView(ListView[Article]):
    template_name = "articles/article_list.html"
    paginate_by = PAGE_SIZE

    def get_queryset(self) -> QuerySet[Article]:
        self.search = SearchPage(self.request.GET)
        return self.search.results()

    def get_paginator(self, *args: Any, **kwargs: Any) -> Paginator[Any]:
        paginator = super().get_paginator(*args, **kwargs)
        paginator.count = self.search.count()
        return paginator

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.GET.get("q") and (refused := refusal(request, "search")):
            return refused
        search = SearchPage(request.GET)
        if search.is_first_page:
            # The page is made if it is not kept, see the template.
            self.search = search
            page = SimpleLazyObject(lambda: self.paginate_queryset(search.results(), PAGE_SIZE)[1])
            return render(request, self.template_name, {"search": search, "page_obj": page})
        return super().get(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(search=self.search, **kwargs)


class DashboardView(TemplateView):
    template_name = "articles/dashboard.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(dashboard=Dashboard(), **kwargs)


class MyArticlesView(LoginRequiredMixin, ListView[Article]):
    template_name = "articles/article_mine.html"
    paginate_by = PAGE_SIZE

    def get_queryset(self) -> QuerySet[Article]:
        return Article.objects.filter(author=self.request.user.pk).for_cards().newest_first()


class TrashView(LoginRequiredMixin, ListView[Article]):
    template_name = "articles/article_trash.html"
    paginate_by = PAGE_SIZE

    def get_queryset(self) -> QuerySet[Article]:
        rows = Article.all_objects.in_trash_of(self.request.user)
        return rows.for_cards().order_by("-deleted_at")


@method_decorator(for_visitors(Article.refreshes), name="dispatch")
class ArticleDetailView(DetailView[Article]):
    template_name = "articles/article_detail.html"

    def get_object(self, queryset: QuerySet[Article] | None = None) -> Article:
        del queryset  # a query of its own is compiled once
        article = Article.with_slug(self.kwargs["slug"])
        if article is None or not article.can_be_seen_by(self.request.user):
            raise Http404
        return article

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Show the article, or tell its author that a moderator removed it."""
        try:
            response = super().get(request, *args, **kwargs)
        except Http404:
            if not request.user.is_authenticated:
                raise
            own = Article.all_objects.deleted().filter(author=request.user.pk)
            article = own.filter(slug=self.kwargs["slug"]).order_by("-deleted_at").first()
            if article is None or not article.is_removed_by_others:
                raise
            page = {"article": article}
            status = HTTPStatus.NOT_FOUND
            response = render(request, "articles/article_removed.html", page, status=status)
            add_never_cache_headers(response)
            return response
        if not self.object.is_published:
            add_never_cache_headers(response)
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user = self.request.user
        return super().get_context_data(
            can_edit=self.object.can_be_edited_by(user),
            can_delete=self.object.can_be_deleted_by(user),
            **kwargs,
        )


@method_decorator(takes_files, name="dispatch")
class ArticleCreateView(
    LoginRequiredMixin,
    UploadsMixin,
    SuccessMessageMixin[ArticleForm],
    CreateView[Article, ArticleForm],
):
    form_class = ArticleForm
    template_name = "articles/article_form.html"
    success_message = "Draft saved. Only you can see it until you publish it."

    def form_valid(self, form: ArticleForm) -> HttpResponse:
        form.instance.author = cast("User", self.request.user)
        return super().form_valid(form)


class EditableArticleMixin(LoginRequiredMixin):
    """Limits the views to articles that the user may edit; others return 404."""

    request: HttpRequest
    kwargs: dict[str, Any]

    def get_queryset(self) -> QuerySet[Article]:
        return Article.objects.editable_by(self.request.user).select_related("author")

    def get_article(self) -> Article:
        return get_object_or_404(self.get_queryset(), slug=self.kwargs["slug"])


@method_decorator(takes_files, name="dispatch")
class ArticleUpdateView(
    EditableArticleMixin,
    UploadsMixin,
    SuccessMessageMixin[ArticleForm],
    VersionedUpdateView[Article, ArticleForm],
):
    form_class = ArticleForm
    template_name = "articles/article_form.html"
    success_message = "Changes saved."


class PublicationView(EditableArticleMixin, View):
    def post(self, request: HttpRequest, slug: str) -> HttpResponse:
        del slug
        article = self.get_article()
        article.publish()
        messages.success(request, "Published. Anyone can read it now.")
        return redirect(article)


class UnpublicationView(EditableArticleMixin, View):
    def post(self, request: HttpRequest, slug: str) -> HttpResponse:
        del slug
        article = self.get_article()
        article.unpublish()
        messages.info(request, "The article is a draft again. Only you can see it.")
        return redirect(article)


class DeletionView(LoginRequiredMixin, DetailView[Article]):
    template_name = "articles/article_deletion.html"

    def get_queryset(self) -> QuerySet[Article]:
        return Article.objects.deletable_by(self.request.user).select_related("author")

    def post(self, request: HttpRequest, slug: str) -> HttpResponse:
        get_object_or_404(self.get_queryset(), slug=slug).delete(by=request.user)
        messages.success(request, "Article deleted. You can restore it from your trash.")
        return redirect("articles:trash")


class RestorationView(LoginRequiredMixin, View):
    def post(self, request: HttpRequest, pk: str) -> HttpResponse:
        article = get_object_or_404(Article.all_objects.deleted(), pk=pk)
        try:
            article.restore(by=request.user)
        except PermissionDenied as error:
            if article.author_id != request.user.pk:
                raise Http404 from error
            messages.error(request, "A moderator removed this article, so you can't restore it.")
            return redirect("articles:trash")
        messages.success(request, "Article restored.")
        return redirect(article if article.can_be_seen_by(request.user) else "articles:trash")
