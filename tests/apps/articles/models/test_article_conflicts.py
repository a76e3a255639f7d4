"""Check, then write: articles with equal titles, created and restored at once."""

from threading import Barrier
from typing import Any

import pytest

from apps.articles.models import Article
from tests.dovetail.models.test_conflicts import in_threads
from tests.factories import make_article, make_user

pytestmark = pytest.mark.django_db(transaction=True)

AT_ONCE = 6


def test_equal_titles_at_once_all_get_a_slug(monkeypatch: pytest.MonkeyPatch) -> None:
    start, author = Barrier(AT_ONCE), make_user()
    choose: Any = Article._free_slug  # noqa: SLF001 - where the race begins

    def choose_together(article: Article, wanted: str = "", *, attempt: int = 0) -> str:
        slug: str = choose(article, wanted, attempt=attempt)
        if not attempt:
            start.wait()  # all have chosen the same slug, and none is saved
        return slug

    monkeypatch.setattr(Article, "_free_slug", choose_together)
    results = in_threads(*[lambda: make_article(author, published=False)] * AT_ONCE)

    assert [type(result) for result in results] == [Article] * AT_ONCE
    assert len({article.slug for article in Article.objects.all()}) == AT_ONCE
    assert all(article.slug.startswith("on-joints") for article in Article.objects.all())


def test_equal_slugs_restored_at_once_all_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    author = make_user()
    articles = []
    for _ in range(AT_ONCE):
        articles.append(make_article(author, published=False))
        articles[-1].delete()
    assert {article.slug for article in articles} == {"on-joints"}
    start = Barrier(AT_ONCE)
    choose = Article.resolve_conflicts

    def choose_together(article: Article, attempt: int) -> list[str]:
        changed = choose(article, attempt)
        if not attempt:
            start.wait()
        return changed

    monkeypatch.setattr(Article, "resolve_conflicts", choose_together)
    results = in_threads(*[article.restore for article in articles])

    assert results == [1] * AT_ONCE
    assert len({article.slug for article in Article.objects.all()}) == AT_ONCE
