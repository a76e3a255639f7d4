"""Searches the published articles by words and filters, with a count for each filter.

The page of the list and the API share `ArticleSearch`. What a query string says is read leniently
by the page, which is for people who change it by hand, and strictly by the API.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import QuerySet
from django.http import QueryDict

from apps.articles.forms import ORDERS, SearchForm
from apps.articles.models import Article, ArticleQuerySet, Category
from apps.users.models import User
from dovetail.cache.computed import cached

T = TypeVar("T")

AUTHORS = 6
TTL = 300  # seconds for which counts are kept, if no article changes


@dataclass(frozen=True)
class Count:
    """How many of the matching articles have a value of a filter."""

    value: str | UUID
    label: str
    count: int
    is_chosen: bool


class ArticleSearch:
    """A search of the published articles.

    Args:
        words: in web search syntax; "" finds all.
        category: limits it to one category.
        author: limits it to the articles of one person.
        is_newest_first: order by time instead of by match, as is done without words.
    """

    def __init__(
        self,
        words: str = "",
        *,
        category: str = "",
        author: UUID | None = None,
        is_newest_first: bool = False,
    ) -> None:
        self.words = words
        self.is_newest_first = is_newest_first
        chosen = {"category": category, "author": author}
        self.filters: dict[str, Any] = {name: value for name, value in chosen.items() if value}

    def results(self) -> QuerySet[Article]:
        """Return the matching articles, best match or newest first."""
        if not self.words:
            return self._matching().for_cards().newest_first()
        found = self._matching(snippet="body", rank=not self.is_newest_first).defer("body")
        # Not select_related: with a join, ParadeDB reads all matches instead of one page.
        found = found.prefetch_related("author")
        return found.order_by("-published_at", "-pk") if self.is_newest_first else found

    def counts(self) -> dict[str, list[Count]]:
        """Return the values of each filter, counting what matches the words and other filters."""
        categories = dict(self._counts("category", limit=len(Category)))
        authors = dict(self._counts("author", limit=AUTHORS))
        if (author := self.filters.get("author")) and author not in authors:
            authors[author] = 0
        names = {user.pk: str(user) for user in User.objects.filter(pk__in=authors)}
        labels = ((pk, names.get(pk, "")) for pk in authors)
        return {
            "category": self._labelled("category", Category.choices, categories),
            "author": self._labelled("author", labels, authors),
        }

    def count(self) -> int:
        """Return the number of matching articles."""
        return self._kept("articles.count", lambda: self.results().count())

    @cached_property
    def suggestion(self) -> str:
        """Words that the user may have meant, or an empty string."""
        return Article.objects.published().suggestion(self.words) if self.words else ""

    def _matching(
        self, *, without: str = "", snippet: str = "", rank: bool = False
    ) -> ArticleQuerySet:
        filters = {name: value for name, value in self.filters.items() if name != without}
        articles: ArticleQuerySet = Article.objects.published().filter(**filters)
        if not self.words:
            return articles
        return articles.search(self.words, prefix=True, snippet=snippet, rank=rank)

    def _counts(self, name: str, *, limit: int) -> list[tuple[Any, int]]:
        def count() -> list[tuple[Any, int]]:
            return self._matching(without=name).facets(name, limit=limit)[name]

        return self._kept(f"articles.counts:{name}", count)

    def _kept(self, key: str, compute: Callable[[], T]) -> T:
        """Keep what is computed if it is one of the few searches that most visitors make."""
        if self.words or "author" in self.filters:
            return compute()
        key = f"{key}:{self.filters.get('category', '')}"
        return cached(key, compute, ttl=TTL, tags=[Article.refreshes])

    def _labelled(
        self, name: str, labels: Iterable[tuple[str | UUID, str]], counts: dict[Any, int]
    ) -> list[Count]:
        chosen = self.filters.get(name)
        return [
            Count(value, label, counts.get(value, 0), is_chosen=value == chosen)
            for value, label in labels
            if value == chosen or counts.get(value)
        ]


@dataclass(frozen=True)
class Choice:
    """A link that sets one filter or the order.

    Attributes:
        query: the query string that sets it, or that clears it if it is set.
        count: the number of matching articles; None for an order, which filters nothing.
    """

    label: str
    query: str
    is_chosen: bool
    count: int | None = None


@dataclass(frozen=True)
class Facet:
    label: str
    choices: list[Choice]


class SearchPage(ArticleSearch):
    """The search that a query string such as `?q=joint&category=design&order=date` describes.

    Args:
        data: the query string; invalid values in it are ignored.
    """

    def __init__(self, data: QueryDict) -> None:
        self.data = data
        chosen = self.form.cleaned_data if data else {}
        self.order: str = chosen.get("order", "")
        super().__init__(
            chosen.get("q", ""),
            category=chosen.get("category", ""),
            author=chosen.get("author"),
            is_newest_first=self.order == "date",
        )

    @cached_property
    def form(self) -> SearchForm:
        form = SearchForm(self.data)
        form.is_valid()
        return form

    @property
    def hidden(self) -> dict[str, Any]:
        """The values that a search for other words keeps."""
        return self.filters | ({"order": self.order} if self.order else {})

    @property
    def is_first_page(self) -> bool:
        """Whether it finds what most visitors see: the first page of all or of a category.

        With anything else in the query string, links that keep it differ.
        """
        if not self.data:
            return True
        given = {name: value for name, value in self.data.items() if value}
        return not self.words and given == self.filters and not self.form.errors

    def facets(self) -> list[Facet]:
        """Return the filters and the orders, as links."""
        counts = self.counts()
        facets = [
            Facet(label, [self._choice(name, count) for count in counts[name]])
            for label, name in (("Category", "category"), ("Author", "author"))
        ]
        if self.words and any(count.count for count in counts["category"]):
            choices = [
                Choice(label, self._query(order=value), is_chosen=self.order == value)
                for value, label in ORDERS
            ]
            facets.append(Facet("Order", choices))
        return facets

    @property
    def suggestion_query(self) -> str:
        return self._query(q=self.suggestion)

    def _choice(self, name: str, count: Count) -> Choice:
        value = "" if count.is_chosen else str(count.value)
        return Choice(count.label, self._query(**{name: value}), count.is_chosen, count.count)

    def _query(self, **changes: str) -> str:
        data = self.data.copy()
        data.pop("page", None)
        for name, value in changes.items():
            data[name] = value
        for name in [name for name, value in data.items() if not value]:
            del data[name]
        return f"?{data.urlencode()}"
