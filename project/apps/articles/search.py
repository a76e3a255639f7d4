"""Searches the published articles by words and filters, with a count for each filter."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import QueryDict

from apps.articles.forms import ORDERS, SearchForm
from apps.articles.models import Article, ArticleQuerySet, Category
from apps.users.models import User

FILTERS = ("category", "author")
AUTHORS = 6


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


class ArticleSearch:
    """The search that a query string such as `?q=joint&category=design&order=date` describes.

    Args:
        data: the query string; invalid values in it are ignored.
    """

    def __init__(self, data: QueryDict) -> None:
        self.data = data
        self.form = SearchForm(data)
        self.form.is_valid()
        chosen = self.form.cleaned_data
        self.words: str = chosen.get("q", "")
        self.order: str = chosen.get("order", "")
        self.filters: dict[str, Any] = {name: chosen[name] for name in FILTERS if chosen.get(name)}

    @property
    def hidden(self) -> dict[str, Any]:
        """The values that a search for other words keeps."""
        return self.filters | ({"order": self.order} if self.order else {})

    def results(self) -> QuerySet[Article]:
        """Return the matching articles, best match or newest first."""
        if not self.words:
            return self._matching().for_cards().newest_first()
        found = self._matching(snippet="body", rank=self.order != "date").defer("body")
        # Not select_related: with a join, ParadeDB reads all matches instead of one page.
        found = found.prefetch_related("author")
        return found.order_by("-published_at", "-pk") if self.order == "date" else found

    def facets(self) -> list[Facet]:
        """Return the filters; each choice counts what matches the words and the other filters."""
        categories = dict(self._counts("category", limit=len(Category)))
        authors = dict(self._counts("author", limit=AUTHORS))
        if (author := self.filters.get("author")) and author not in authors:
            authors[author] = 0
        names = {user.pk: str(user) for user in User.objects.filter(pk__in=authors)}
        facets = [
            self._facet("Category", "category", Category.choices, categories),
            self._facet("Author", "author", names.items(), authors),
        ]
        if self.words and categories:
            choices = [
                Choice(label, self._query(order=value), is_chosen=self.order == value)
                for value, label in ORDERS
            ]
            facets.append(Facet("Order", choices))
        return facets

    @cached_property
    def suggestion(self) -> str:
        """Words that the user may have meant, or an empty string."""
        return Article.objects.published().suggestion(self.words) if self.words else ""

    @property
    def suggestion_query(self) -> str:
        return self._query(q=self.suggestion)

    def _matching(
        self, *, without: str = "", snippet: str = "", rank: bool = False
    ) -> ArticleQuerySet:
        filters = {name: value for name, value in self.filters.items() if name != without}
        articles: ArticleQuerySet = Article.objects.published().filter(**filters)
        if not self.words:
            return articles
        return articles.search(self.words, prefix=True, snippet=snippet, rank=rank)

    def _counts(self, name: str, *, limit: int) -> list[tuple[Any, int]]:
        return self._matching(without=name).facets(name, limit=limit)[name]

    def _facet(
        self,
        label: str,
        name: str,
        labels: Iterable[tuple[str | UUID, str]],
        counts: dict[Any, int],
    ) -> Facet:
        chosen = self.filters.get(name)
        known = dict(labels)
        ordered = known if name == "category" else {value: known.get(value, "") for value in counts}
        choices = [
            Choice(
                text,
                self._query(**{name: "" if value == chosen else str(value)}),
                is_chosen=value == chosen,
                count=counts.get(value, 0),
            )
            for value, text in ordered.items()
            if value == chosen or counts.get(value)
        ]
        return Facet(label, choices)

    def _query(self, **changes: str) -> str:
        data = self.data.copy()
        data.pop("page", None)
        for name, value in changes.items():
            data[name] = value
        for name in [name for name, value in data.items() if not value]:
            del data[name]
        return f"?{data.urlencode()}"
