"""Articles on pages of other apps: `{% load articles %}`."""

from dataclasses import dataclass

from django import template
from django.core.paginator import InvalidPage, Page, Paginator
from django.db.models import QuerySet
from django.http import Http404
from django.template import Context

from apps.articles.models import Article
from apps.articles.search import TTL
from apps.users.models import User
from dovetail.cache.computed import cached

register = template.Library()

LATEST = 6
PAGE_SIZE = 12


@dataclass(frozen=True)
class Overview:
    articles: QuerySet[Article]
    article_count: int
    author_count: int


@register.simple_tag
def articles_overview() -> Overview:
    """Return the latest published articles, and the number of all articles and their authors."""
    published = Article.objects.published()

    def count() -> tuple[int, int]:
        return published.count(), published.values("author").distinct().count()

    article_count, author_count = cached(
        "articles.overview", count, ttl=TTL, tags=[Article.refreshes]
    )
    return Overview(
        articles=published.for_cards().newest_first()[:LATEST],
        article_count=article_count,
        author_count=author_count,
    )


@register.simple_tag(takes_context=True)
def articles_by(context: Context, author: User) -> "Page[Article]":
    """Return the page of an author's published articles that `?page=` selects.

    Raises:
        Http404: `?page=` names no page.
    """
    rows = Article.objects.published().filter(author=author).for_cards().newest_first()
    try:
        return Paginator(rows, PAGE_SIZE).page(context["request"].GET.get("page", 1))
    except InvalidPage as error:
        raise Http404 from error
