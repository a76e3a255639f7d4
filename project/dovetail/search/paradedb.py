"""SQL for ParadeDB's pg_search: BM25 ranking on a Tantivy index.

User input only ever becomes an operand of its operators; in its query language, a visitor could
name any column. The SQL stays within the common subset of pg_search 0.21 to 0.27; docs/search.md
lists the differences between those versions.
"""

import re
from collections.abc import Callable, Mapping

from dovetail.search import analyzer
from dovetail.search.config import SearchConfig
from dovetail.search.query import Query, Term
from dovetail.search.significant_terms import significant_terms
from dovetail.search.sql import Columns, Sql, all_of, any_of

UNSTEMMED_SUFFIX = "words"  # of the alias under which a column is indexed again without a stemmer
FUZZY = "::pdb.fuzzy(1, f, t)"  # edit distance 1, not a prefix, a transposition counts as one edit
MAX_SIGNIFICANT_TERMS = 25
MAX_PREFIX_EXPANSIONS = 1000  # of the last word of a phrase


class ParadeDB:
    name = "paradedb"

    def matches(self, query: Query, config: SearchConfig, columns: Columns) -> Sql:
        wanted = [any_of(_term(term, config, columns) for term in group) for group in query.groups]
        unwanted = [_in_any_field(term, columns, lambda _: "") for term in query.excluded]
        return all_of([*wanted, *((f"NOT {sql}", params) for sql, params in unwanted)])

    def score(self, query: Query, config: SearchConfig, columns: Columns) -> Sql:
        del query, config
        return f"pdb.score({columns.key})", []

    def snippet(
        self, field: str, length: int, query: Query, config: SearchConfig, columns: Columns
    ) -> Sql:
        del query, config
        column = columns.fields[field]
        excerpt = (
            f"pdb.snippet({column}, start_tag => %s, end_tag => %s, max_num_chars => {length})"
        )
        sql = f"COALESCE({excerpt}, %s || LEFT({column}, {length}))"
        return sql, [analyzer.HIT_START, analyzer.HIT_END, analyzer.UNESCAPED]

    def more_like_this(
        self, texts: Mapping[str, str], config: SearchConfig, columns: Columns
    ) -> Sql:
        text = " ".join(significant_terms(texts, config, MAX_SIGNIFICANT_TERMS))
        return any_of(
            (f"{column} ||| %s::pdb.boost({config.weights[field]:g})", [text])
            for field, column in columns.fields.items()
        )

    def more_like_this_score(
        self, texts: Mapping[str, str], config: SearchConfig, columns: Columns
    ) -> Sql:
        del texts, config
        return f"pdb.score({columns.key})", []


def _term(term: Term, config: SearchConfig, columns: Columns) -> Sql:
    conditions = [
        _in_any_field(term, columns, lambda field: f"::pdb.boost({config.weights[field]:g})")
    ]
    if term.fuzzy:
        # Stemmed and unstemmed: the typo may be in the ending, or may look like one.
        conditions.append(_in_any_field(term, columns, lambda _: FUZZY))
        word = term.words[0]
        conditions += [(f"{column} === %s{FUZZY}", [word]) for column in columns.fields.values()]
    if term.prefix:
        conditions += [_prefix(term, columns.fields[field], field) for field in config.autocomplete]
    return any_of(conditions)


def _in_any_field(term: Term, columns: Columns, modifier: Callable[[str], str]) -> Sql:
    """Return the condition that a field contains the term; ParadeDB analyzes it like the column."""
    operator = "###" if term.is_phrase else "&&&"
    return any_of(
        (f"{column} {operator} %s{modifier(field)}", [term.text])
        for field, column in columns.fields.items()
    )


def _prefix(term: Term, column: str, field: str) -> Sql:
    column = f"{column}::pdb.alias('{field}_{UNSTEMMED_SUFFIX}')"
    # ParadeDB's tokens may contain points, apostrophes and colons, as in node.js.
    parts = [analyzer.fold(part) for part in re.split(r"[^\w.'\u2019:]+", term.text) if part]
    if len(parts) > 1:
        return f"{column} @@@ pdb.phrase_prefix(%s, {MAX_PREFIX_EXPANSIONS})", [parts]
    return f"{column} === %s::pdb.fuzzy(0, t)", parts or [term.words[0]]
