from collections.abc import Mapping, Sequence

from django.utils.deconstruct import deconstructible

MAX_WEIGHTS = 3  # PostgreSQL's labels A, B and C; D marks the unstemmed words for prefix search


@deconstructible(path="dovetail.search.SearchConfig")
class SearchConfig:
    """Which fields a search covers, and how much each one counts.

    Args:
        weights: the text fields and their relative weights, with at most three different values.
            The fields must not be null.
        language: the stemmer's language; PostgreSQL must have a Snowball stemmer for it.
        autocomplete: the fields whose words are also found by prefix.

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
            raise ValueError("SearchConfig needs at least one field, and weights above 0.")
        if len(set(weights.values())) > MAX_WEIGHTS:
            raise ValueError(f"SearchConfig takes at most {MAX_WEIGHTS} different weights.")
        if unknown := set(autocomplete) - set(weights):
            raise ValueError(f"SearchConfig needs a weight for autocomplete field {min(unknown)}.")
        if not (language.isascii() and language.isalpha() and language.islower()):
            raise ValueError(f"Invalid language {language!r}: use a name such as 'english'.")
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
        """Return PostgreSQL's label for each field: A for the largest weight, then B and C."""
        ranks = sorted(set(self.weights.values()), reverse=True)
        return {field: "ABC"[ranks.index(weight)] for field, weight in self.weights.items()}

    def structure(self) -> "SearchConfig":
        """Return the part that an index depends on: the order of the weights, not their values.

        Migrations store this, so tuning a weight does not rebuild the index.
        """
        order = {"A": 3, "B": 2, "C": 1}
        ranks = {field: order[label] for field, label in self.labels().items()}
        return SearchConfig(ranks, language=self.language, autocomplete=self.autocomplete)
