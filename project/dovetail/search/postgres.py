"""SQL for PostgreSQL's own full-text search, on every server; no extension is used.

The words of each row stand in a stored column that is no field of the model, labelled by field:
A, B and C with their stems, D as they are (for words that are typed by their beginning). Stored,
because ranking would otherwise read and split every text that matches, ten times slower.

`search_<language>` is PostgreSQL's configuration of that language without its stop words, which
ParadeDB has none of either.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dovetail.search import words
from dovetail.search.config import SearchConfig
from dovetail.search.likeness import telling_words
from dovetail.search.query import Query, Term
from dovetail.search.sql import Columns, Sql, joined

COLUMN = "search_document"
FUNCTION = "search_words"
# A tsvector holds 1 MB: so many characters of a field (four bytes each, and the positions) fit in.
MAX_CHARACTERS = 100_000
COMPLETION_WEIGHT = 0.1  # of a word that only begins as typed, where the best field's is 1
LOOSE_WEIGHT = 0.1  # of a hit that is spelt otherwise
MAX_SIMILAR_TERMS = 12  # each is looked up, and every row that has one is ranked


def configuration(language: str) -> str:
    return f"search_{language}"


@dataclass(frozen=True)
class Postgres:
    """Searches the stored column; where that is missing, the texts themselves: slow, but right."""

    stored: bool = True
    name = "postgres"

    def matches(self, query: Query, config: SearchConfig, columns: Columns) -> Sql:
        wanted, params = self._groups(query, config, columns)
        for term in query.excluded:
            unwanted, more = _exact(term, config)
            wanted, params = f"{wanted} && !!{unwanted}", params + more
        return f"{self._document(config, columns)} @@ ({wanted})", params

    def score(self, query: Query, config: SearchConfig, columns: Columns) -> Sql:
        exact = joined((_exact(term, config) for term in query.terms), "||")
        score, params = self._rank(exact, config, columns)
        if any(term.fuzzy or term.prefix for term in query.terms):
            loose, more = self._rank(self._groups(query, config, columns), config, columns)
            score, params = f"({score} + {LOOSE_WEIGHT} * {loose})", params + more
        return score, params

    def snippet(
        self, field: str, length: int, query: Query, config: SearchConfig, columns: Columns
    ) -> Sql:
        terms = (self._term(term, config, columns) for term in query.terms)
        wanted, params = joined(terms, "||")
        size = length // 7  # words, of so many letters
        options = (
            f"StartSel={words.HIT_START},StopSel={words.HIT_END},"
            f"MaxWords={size},MinWords={size // 2},ShortWord=0"
        )
        text = f"LEFT({columns.fields[field]}, {MAX_CHARACTERS})"
        name = configuration(config.language)
        sql = f"%s || ts_headline('{name}'::regconfig, {text}, ({wanted}), %s)"
        return sql, [words.UNESCAPED, *params, options]

    def resembles(self, texts: Mapping[str, str], config: SearchConfig, columns: Columns) -> Sql:
        wanted, params = _similar(texts, config)
        return f"{self._document(config, columns)} @@ {wanted}", params

    def resemblance(self, texts: Mapping[str, str], config: SearchConfig, columns: Columns) -> Sql:
        return self._rank(_similar(texts, config), config, columns)

    def _groups(self, query: Query, config: SearchConfig, columns: Columns) -> Sql:
        groups = [
            joined((self._term(term, config, columns) for term in group), "||")
            for group in query.groups
        ]
        return joined(groups, "&&")

    def _term(self, term: Term, config: SearchConfig, columns: Columns) -> Sql:
        ways = [_exact(term, config)]
        if term.fuzzy:
            ways.append(self._misspelt(term, config, columns))
        if term.prefix and config.autocomplete:
            *before, last = map(_quoted, term.words)
            lexemes = " <-> ".join([*(f"{word}:D" for word in before), f"{last}:*D"])
            ways.append(("%s::tsquery", [lexemes]))
        return joined(ways, "||")

    def _misspelt(self, term: Term, config: SearchConfig, columns: Columns) -> Sql:
        """Look for what a word may have been meant to be, among the words that are there.

        Hundreds of words that nobody wrote would make the planner expect a large result, and the
        ranking slow.
        """
        alternatives = words.misspellings(term.words[0])
        if not self.stored:
            return _stemmed(_either(alternatives), config)
        stem = f"to_tsquery('{configuration(config.language)}'::regconfig, word)"
        sql = f"""(
            SELECT COALESCE(string_agg({stem}::text, ' | '), '')::tsquery
            FROM unnest(%s::text[]) AS word WHERE EXISTS (
                SELECT FROM {columns.table} AS known WHERE known.{COLUMN} @@ {stem}
            ))"""  # noqa: S608 - names of ours
        return sql, [alternatives]

    def _rank(self, wanted: Sql, config: SearchConfig, columns: Columns) -> Sql:
        largest = max(config.weights.values())
        shares = {
            label: config.weights[field] / largest for field, label in config.labels().items()
        }
        order = [COMPLETION_WEIGHT, *(shares.get(label, 0) for label in "CBA")]
        weights = ",".join(f"{share:g}" for share in order)
        document = self._document(config, columns)
        # 1: a hit in a long text counts less than one in a short text.
        sql, params = wanted
        return f"ts_rank('{{{weights}}}'::float4[], {document}, ({sql}), 1)", params

    def _document(self, config: SearchConfig, columns: Columns) -> str:
        return f"{columns.alias}.{COLUMN}" if self.stored else document(config, columns)


def document(config: SearchConfig, columns: Columns) -> str:
    """Return the expression that the stored column is generated from."""
    labels, name = config.labels(), configuration(config.language)
    parts = [(column, name, labels[field]) for field, column in columns.fields.items()]
    parts += [(columns.fields[field], "simple", "D") for field in config.autocomplete]
    vectors = [
        f"setweight(to_tsvector('{name}'::regconfig, "
        f"{FUNCTION}(LEFT({column}, {MAX_CHARACTERS}))), '{label}')"
        for column, name, label in parts
    ]
    return f"({' || '.join(vectors)})"


def _exact(term: Term, config: SearchConfig) -> Sql:
    if not term.is_phrase:
        # A headline is made of the text as it is, where an accent is not folded.
        typed = [term.text] if term.text.isalnum() else []
        return _stemmed(_either(dict.fromkeys([*term.words, *typed])), config)
    # All in one field: what ends a title and begins a summary is no phrase.
    phrases = (
        f"({' <-> '.join(f'{_quoted(word)}:{label}' for word in term.words)})"
        for label in sorted(set(config.labels().values()))
    )
    return _stemmed(" | ".join(phrases), config)


def _similar(texts: Mapping[str, str], config: SearchConfig) -> Sql:
    return _stemmed(_either(telling_words(texts, config, MAX_SIMILAR_TERMS)), config)


def _stemmed(text: str, config: SearchConfig) -> Sql:
    return f"to_tsquery('{configuration(config.language)}'::regconfig, %s)", [text]


def _either(found: Iterable[str]) -> str:
    return " | ".join(map(_quoted, found))


def _quoted(word: str) -> str:
    """Write a word as an operand; it holds no quote and no backslash: see `words.split`."""
    return f"'{word}'"
