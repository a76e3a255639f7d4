"""SQL for PostgreSQL full-text search, which every server has; no extension is required.

Each row's tokens are stored in a generated tsvector column that is not a field of the model. Its
labels tell the fields apart: A, B and C hold stems, D holds the unstemmed words for prefix search.
The column is stored because ranking would otherwise tokenize every matching text again, which is
ten times slower.

`search_<language>` is PostgreSQL's text search configuration for that language without its stop
words, because ParadeDB's index keeps them too.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dovetail.search import analyzer
from dovetail.search.config import SearchConfig
from dovetail.search.query import Query, Term
from dovetail.search.significant_terms import significant_terms
from dovetail.search.sql import Columns, Sql, joined

COLUMN = "search_document"
FUNCTION = "search_words"
# Of each field. A tsvector holds up to 1 MB, and this many four-byte characters with their
# positions fit in.
MAX_CHARACTERS = 100_000
PREFIX_WEIGHT = 0.1  # of a prefix match; a match in the field with the largest weight has 1
INEXACT_WEIGHT = 0.1  # of inexact (fuzzy or prefix) matches, added to the exact ones
MAX_SIGNIFICANT_TERMS = 12  # each takes a lookup, and every row that contains one is ranked


def configuration(language: str) -> str:
    return f"search_{language}"


@dataclass(frozen=True)
class Postgres:
    """PostgreSQL full-text search.

    Attributes:
        stored: whether the stored column exists; without it, searches tokenize the texts
            themselves, with the same results but slowly.
    """

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
            inexact, more = self._rank(self._groups(query, config, columns), config, columns)
            score, params = f"({score} + {INEXACT_WEIGHT} * {inexact})", params + more
        return score, params

    def snippet(
        self, field: str, length: int, query: Query, config: SearchConfig, columns: Columns
    ) -> Sql:
        terms = (self._term(term, config, columns) for term in query.terms)
        wanted, params = joined(terms, "||")
        size = length // 7  # in words, with an average length of 7 characters
        options = (
            f"StartSel={analyzer.HIT_START},StopSel={analyzer.HIT_END},"
            f"MaxWords={size},MinWords={size // 2},ShortWord=0"
        )
        text = f"LEFT({columns.fields[field]}, {MAX_CHARACTERS})"
        name = configuration(config.language)
        sql = f"%s || ts_headline('{name}'::regconfig, {text}, ({wanted}), %s)"
        return sql, [analyzer.UNESCAPED, *params, options]

    def more_like_this(
        self, texts: Mapping[str, str], config: SearchConfig, columns: Columns
    ) -> Sql:
        wanted, params = _any_significant_term(texts, config)
        return f"{self._document(config, columns)} @@ {wanted}", params

    def more_like_this_score(
        self, texts: Mapping[str, str], config: SearchConfig, columns: Columns
    ) -> Sql:
        return self._rank(_any_significant_term(texts, config), config, columns)

    def _groups(self, query: Query, config: SearchConfig, columns: Columns) -> Sql:
        groups = [
            joined((self._term(term, config, columns) for term in group), "||")
            for group in query.groups
        ]
        return joined(groups, "&&")

    def _term(self, term: Term, config: SearchConfig, columns: Columns) -> Sql:
        tsqueries = [_exact(term, config)]
        if term.fuzzy:
            tsqueries.append(self._fuzzy(term, config, columns))
        if term.prefix and config.autocomplete:
            *before, last = map(_quoted, term.words)
            lexemes = " <-> ".join([*(f"{word}:D" for word in before), f"{last}:*D"])
            tsqueries.append(("%s::tsquery", [lexemes]))
        return joined(tsqueries, "||")

    def _fuzzy(self, term: Term, config: SearchConfig, columns: Columns) -> Sql:
        """Return a tsquery for the words within edit distance 1 that occur in the table.

        Words that don't occur are left out: hundreds of them would make the planner expect a large
        result, and ranking slow.
        """
        alternatives = analyzer.edits(term.words[0])
        if not self.stored:
            return _stemmed(_either(alternatives), config)
        stem = f"to_tsquery('{configuration(config.language)}'::regconfig, word)"
        sql = f"""(
            SELECT COALESCE(string_agg({stem}::text, ' | '), '')::tsquery
            FROM unnest(%s::text[]) AS word WHERE EXISTS (
                SELECT FROM {columns.table} AS known WHERE known.{COLUMN} @@ {stem}
            ))"""  # noqa: S608 - contains only identifiers from the code
        return sql, [alternatives]

    def _rank(self, wanted: Sql, config: SearchConfig, columns: Columns) -> Sql:
        largest = max(config.weights.values())
        shares = {
            label: config.weights[field] / largest for field, label in config.labels().items()
        }
        order = [PREFIX_WEIGHT, *(shares.get(label, 0) for label in "CBA")]
        weights = ",".join(f"{share:g}" for share in order)
        document = self._document(config, columns)
        # Normalization 1: a hit in a long text counts less than one in a short text.
        sql, params = wanted
        return f"ts_rank('{{{weights}}}'::float4[], {document}, ({sql}), 1)", params

    def _document(self, config: SearchConfig, columns: Columns) -> str:
        return f"{columns.alias}.{COLUMN}" if self.stored else document(config, columns)


def document(config: SearchConfig, columns: Columns) -> str:
    """Return the expression that generates the stored column."""
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
        # The text as typed is added for ts_headline, which sees accents that are not folded.
        typed = [term.text] if term.text.isalnum() else []
        return _stemmed(_either(dict.fromkeys([*term.words, *typed])), config)
    # All words in one field: the end of a title and the start of a summary are not a phrase.
    phrases = (
        f"({' <-> '.join(f'{_quoted(word)}:{label}' for word in term.words)})"
        for label in sorted(set(config.labels().values()))
    )
    return _stemmed(" | ".join(phrases), config)


def _any_significant_term(texts: Mapping[str, str], config: SearchConfig) -> Sql:
    return _stemmed(_either(significant_terms(texts, config, MAX_SIGNIFICANT_TERMS)), config)


def _stemmed(text: str, config: SearchConfig) -> Sql:
    return f"to_tsquery('{configuration(config.language)}'::regconfig, %s)", [text]


def _either(tokens: Iterable[str]) -> str:
    return " | ".join(map(_quoted, tokens))


def _quoted(word: str) -> str:
    """Return a word as a tsquery operand; `analyzer.tokenize` leaves no quotes or backslashes."""
    return f"'{word}'"
