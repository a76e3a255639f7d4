import re
from difflib import get_close_matches
from typing import Any, Self, TypeVar

from django.db import models

from dovetail.models import SoftDeleteManager, SoftDeleteQuerySet
from dovetail.search import analyzer
from dovetail.search.expressions import Matches, MoreLikeThis, MoreLikeThisScore, Score, Snippet
from dovetail.search.facets import count_by
from dovetail.search.index import index_of
from dovetail.search.query import Match, parse

ModelT = TypeVar("ModelT", bound=models.Model)

SNIPPET_LENGTH = 160  # characters
SUGGESTION_ROWS = 10  # whose words are candidates
MIN_SIMILARITY = 0.7  # of a suggested word to the typed one, from 0 to 1


class SearchQuerySet(SoftDeleteQuerySet[ModelT]):
    """Search methods for models with a `SearchIndex`, whether soft-deletable or not."""

    def search(
        self,
        text: str,
        *,
        match: Match = "all",
        fuzzy: bool = False,
        prefix: bool = False,
        snippet: str = "",
        rank: bool = True,
    ) -> Self:
        """Return the rows that match a query, best matches first.

        Args:
            text: any string, in web search syntax: `word`, `"exact phrase"`, `-not`,
                `this OR that`. Without a word to search for, no rows match.
            match: whether `all` words must match, or `any`, or the whole text as a `phrase`.
            fuzzy: allow one wrong, missing, extra or swapped letter in words of four or more
                letters.
            prefix: treat the last word as a prefix, in the fields of `autocomplete`.
            snippet: the name of a field; annotates each row with a `snippet` of it, safe HTML with
                the hits in `<mark>`.
            rank: annotate each row with a `score` and order by it. Scores are comparable only
                within one result.
        """
        config = index_of(self.model).config
        query = parse(text, config, match=match, fuzzy=fuzzy, prefix=prefix)
        if query is None:
            return self._no_rows(snippet=snippet, rank=rank)
        found = self.filter(Matches(config, query))
        if snippet:
            found = found.annotate(snippet=Snippet(config, query, snippet, SNIPPET_LENGTH))
        if rank:
            found = found.annotate(score=Score(config, query)).order_by("-score", "-pk")
        return found

    def autocomplete(self, text: str, *, limit: int = 8) -> Self:
        """Return a few matches for search-as-you-type: all words, the last one as a prefix."""
        return self.search(text, prefix=True)[:limit]

    def similar_to(self, row: ModelT) -> Self:
        """Return other rows about the same subject, most similar first, each with a `score`."""
        config = index_of(self.model).config
        texts = {name: str(getattr(row, name)) for name in config.fields}
        texts = {
            name: text.replace("\0", "") for name, text in texts.items() if analyzer.tokenize(text)
        }
        if not texts:
            return self._no_rows(rank=True)
        found = self.filter(MoreLikeThis(config, texts)).exclude(pk=row.pk)
        return found.annotate(score=MoreLikeThisScore(config, texts)).order_by("-score", "-pk")

    def facets(self, field: str, *, limit: int = 10) -> dict[str, list[tuple[Any, int]]]:
        """Return the most frequent values of a field: `{"category": [("design", 12), …]}`."""
        return {field: count_by(self, field, top=limit)}

    def suggestion(self, text: str) -> str:
        """Return a corrected text ("did you mean") for a search without results, or "".

        Searching for the suggestion is certain to find something.
        """
        if self.search(text, rank=False).exists():
            return ""
        config = index_of(self.model).config
        names = config.autocomplete or tuple(config.fields)
        rows = self.search(text, fuzzy=True).values_list(*names)[:SUGGESTION_ROWS]
        known = dict.fromkeys(word for row in rows for word in analyzer.tokenize(" ".join(row)))

        def correct(found: "re.Match[str]") -> str:
            word = analyzer.fold(found[0])
            close = get_close_matches(word, known, n=1, cutoff=MIN_SIMILARITY)
            return close[0] if close and word not in known else found[0]

        typed = analyzer.clean(text)
        suggestion = re.sub(r"(?<![-\w])[^\W\d_]{4,}", correct, typed)
        if suggestion == typed or not self.search(suggestion, rank=False).exists():
            return ""
        return suggestion

    def _no_rows(self, *, snippet: str = "", rank: bool = False) -> Self:
        """Return an empty QuerySet with the annotations that further calls may refer to."""
        rows = self.none()
        if snippet:
            rows = rows.annotate(snippet=models.Value(""))
        return rows.annotate(score=models.Value(0.0)).order_by("-score", "-pk") if rank else rows


_SearchManager = SoftDeleteManager.from_queryset(SearchQuerySet)


class SearchManager(_SearchManager[ModelT]):
    """The manager for a model with a `SearchIndex`: `objects = SearchManager()`.

    To use a custom QuerySet: `objects = SearchManager.from_queryset(ArticleQuerySet)()`.
    """
