import re
from difflib import get_close_matches
from typing import Any, Self, TypeVar

from django.db import models

from dovetail.models import SoftDeleteManager, SoftDeleteQuerySet
from dovetail.search import words
from dovetail.search.expressions import Matches, Resemblance, Resembles, Score, Snippet
from dovetail.search.facets import count_by
from dovetail.search.index import index_of
from dovetail.search.query import Match, parse

ModelT = TypeVar("ModelT", bound=models.Model)

SNIPPET_LENGTH = 160  # characters
ROWS_FOR_A_SUGGESTION = 10
MIN_LIKENESS = 0.7  # of a word to what was typed, from 0 to 1


class SearchQuerySet(SoftDeleteQuerySet[ModelT]):
    """Search for models with a `SearchIndex`, soft-deletable or not."""

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
        """Find rows by their words, best first.

        Args:
            text: any string, read as people write it: `word`, `"exact phrase"`, `-not`,
                `this OR that`. When nothing to look for is left of it, nothing is found.
            match: whether `all` words must match, or `any`, or the whole text as a `phrase`.
            fuzzy: forgive one wrong, missing, extra or swapped letter in a word of four or more.
            prefix: let the last word be the beginning of one, in the fields of `autocomplete`.
            snippet: a field; each row gets a `snippet` of it, HTML with the hits in `<mark>`.
            rank: give each row a `score` and order by it. Scores compare within one result only.
        """
        config = index_of(self.model).config
        query = parse(text, config, match=match, fuzzy=fuzzy, prefix=prefix)
        if query is None:
            return self._nothing(snippet=snippet, rank=rank)
        found = self.filter(Matches(config, query))
        if snippet:
            found = found.annotate(snippet=Snippet(config, query, snippet, SNIPPET_LENGTH))
        if rank:
            found = found.annotate(score=Score(config, query)).order_by("-score", "-pk")
        return found

    def autocomplete(self, text: str, *, limit: int = 8) -> Self:
        """Find a few rows while someone types: all words, the last one perhaps unfinished."""
        return self.search(text, prefix=True)[:limit]

    def similar_to(self, row: ModelT) -> Self:
        """Find other rows about the same, most alike first; each has a `score`."""
        config = index_of(self.model).config
        texts = {name: str(getattr(row, name)) for name in config.fields}
        texts = {name: text.replace("\0", "") for name, text in texts.items() if words.split(text)}
        if not texts:
            return self._nothing(rank=True)
        found = self.filter(Resembles(config, texts)).exclude(pk=row.pk)
        return found.annotate(score=Resemblance(config, texts)).order_by("-score", "-pk")

    def facets(self, field: str, *, limit: int = 10) -> dict[str, list[tuple[Any, int]]]:
        """Count the rows by the values of a field, most first: `{"category": [("x", 12), …]}`."""
        return {field: count_by(self, field, top=limit)}

    def suggestion(self, text: str) -> str:
        """Return what a search without results may have been meant to say, or "".

        It is made of words that are there, so searching for it finds something.
        """
        if self.search(text, rank=False).exists():
            return ""
        config = index_of(self.model).config
        names = config.autocomplete or tuple(config.fields)
        rows = self.search(text, fuzzy=True).values_list(*names)[:ROWS_FOR_A_SUGGESTION]
        there = dict.fromkeys(word for row in rows for word in words.split(" ".join(row)))

        def meant(found: "re.Match[str]") -> str:
            word = words.fold(found[0])
            near = get_close_matches(word, there, n=1, cutoff=MIN_LIKENESS)
            return near[0] if near and word not in there else found[0]

        typed = words.clean(text)
        suggestion = re.sub(r"(?<![-\w])[^\W\d_]{4,}", meant, typed)
        if suggestion == typed or not self.search(suggestion, rank=False).exists():
            return ""
        return suggestion

    def _nothing(self, *, snippet: str = "", rank: bool = False) -> Self:
        """Return no rows, with the annotations that others may refer to."""
        rows = self.none()
        if snippet:
            rows = rows.annotate(snippet=models.Value(""))
        return rows.annotate(score=models.Value(0.0)).order_by("-score", "-pk") if rank else rows


_SearchManager = SoftDeleteManager.from_queryset(SearchQuerySet)


class SearchManager(_SearchManager[ModelT]):
    """All that a model with a `SearchIndex` needs: `objects = SearchManager()`.

    For a QuerySet of your own, write `SearchManager.from_queryset(ArticleQuerySet)()`.
    """
