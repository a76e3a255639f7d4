from collections.abc import Mapping, Sequence

from django.utils.deconstruct import deconstructible

MAX_WEIGHTS = 3  # PostgreSQL's labels A, B and C; D is for the words that are completed


@deconstructible(path="dovetail.search.SearchConfig")
class SearchConfig:
    """What a search looks at, and how much each part counts.

    Args:
        weights: the text fields and what a hit in each counts, relative to one another; at most
            three different numbers. The fields must not be null.
        language: of the stemmer; one that PostgreSQL has a Snowball stemmer for.
        autocomplete: the fields whose words are found by how they begin.

    Raises:
        ValueError: an argument is out of these bounds.
    """

    def __init__(
        self,
        weights: Mapping[str, float],
        *,
        language: str = "english",
        autocomplete: Sequence[str] = (),
    ) -> None:
        if not weights or min(weights.values()) <= 0:
            raise ValueError("A search needs fields, each with a weight above 0.")
        if len(set(weights.values())) > MAX_WEIGHTS:
            raise ValueError(f"A search takes at most {MAX_WEIGHTS} different weights.")
        if unknown := set(autocomplete) - set(weights):
            raise ValueError(f"Only fields with a weight are completed, not {min(unknown)}.")
        if not (language.isascii() and language.isalpha() and language.islower()):
            raise ValueError(f"{language!r} is no language: write it like 'english'.")
        self.weights = dict(weights)
        self.language = language
        self.autocomplete = tuple(autocomplete)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SearchConfig) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def _identity(self) -> tuple[object, ...]:
        return frozenset(self.weights.items()), self.language, self.autocomplete

    @property
    def fields(self) -> list[str]:
        return list(self.weights)

    def labels(self) -> dict[str, str]:
        """Return PostgreSQL's label of each field: A for the largest weight, then B and C."""
        ranks = sorted(set(self.weights.values()), reverse=True)
        return {field: "ABC"[ranks.index(weight)] for field, weight in self.weights.items()}

    def structure(self) -> "SearchConfig":
        """Return what an index depends on: the order of the weights, not their size.

        Migrations keep this, so that a weight can be tuned without building the index again.
        """
        order = {"A": 3, "B": 2, "C": 1}
        ranks = {field: order[label] for field, label in self.labels().items()}
        return SearchConfig(ranks, language=self.language, autocomplete=self.autocomplete)
