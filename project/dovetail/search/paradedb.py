"""SQL for ParadeDB's pg_search: BM25 ranking on a Tantivy index.

Only its operators take what people typed; its query language would let them name any column.
Written for the common subset of pg_search 0.21 to 0.27; what differs between them is in
docs/search.md.
"""

import re
from collections.abc import Callable, Mapping

from dovetail.search import words
from dovetail.search.config import SearchConfig
from dovetail.search.likeness import telling_words
from dovetail.search.query import Query, Term
from dovetail.search.sql import Columns, Sql, any_of, every

ALIAS = "words"  # ends the name under which a column is indexed a second time, without stems
TOLERANCE = "::pdb.fuzzy(1, f, t)"  # one letter; no prefix; two that are swapped count as one
MAX_SIMILAR_TERMS = 25
MAX_COMPLETIONS = 1000  # of the last word of a phrase


class ParadeDB:
    name = "paradedb"

    def matches(self, query: Query, config: SearchConfig, columns: Columns) -> Sql:
        wanted = [any_of(_term(term, config, columns) for term in group) for group in query.groups]
        unwanted = [_fields(term, columns, lambda _: "") for term in query.excluded]
        return every([*wanted, *((f"NOT {sql}", params) for sql, params in unwanted)])

    def score(self, query: Query, config: SearchConfig, columns: Columns) -> Sql:
        del query, config
        return f"pdb.score({columns.key})", []

    def snippet(
        self, field: str, length: int, query: Query, config: SearchConfig, columns: Columns
    ) -> Sql:
        del query, config
        column = columns.fields[field]
        found = f"pdb.snippet({column}, start_tag => %s, end_tag => %s, max_num_chars => {length})"
        sql = f"COALESCE({found}, %s || LEFT({column}, {length}))"
        return sql, [words.HIT_START, words.HIT_END, words.UNESCAPED]

    def resembles(self, texts: Mapping[str, str], config: SearchConfig, columns: Columns) -> Sql:
        text = " ".join(telling_words(texts, config, MAX_SIMILAR_TERMS))
        return any_of(
            (f"{column} ||| %s::pdb.boost({config.weights[field]:g})", [text])
            for field, column in columns.fields.items()
        )

    def resemblance(self, texts: Mapping[str, str], config: SearchConfig, columns: Columns) -> Sql:
        del texts, config
        return f"pdb.score({columns.key})", []


def _term(term: Term, config: SearchConfig, columns: Columns) -> Sql:
    ways = [_fields(term, columns, lambda field: f"::pdb.boost({config.weights[field]:g})")]
    if term.fuzzy:
        # With and without its own stem: an error may stand in the ending, or look like one.
        ways.append(_fields(term, columns, lambda _: TOLERANCE))
        word = term.words[0]
        ways += [(f"{column} === %s{TOLERANCE}", [word]) for column in columns.fields.values()]
    if term.prefix:
        ways += [_beginning(term, columns.fields[field], field) for field in config.autocomplete]
    return any_of(ways)


def _fields(term: Term, columns: Columns, modifier: Callable[[str], str]) -> Sql:
    """Look for a term in every field; the text is split and folded as its column was."""
    operator = "###" if term.is_phrase else "&&&"
    return any_of(
        (f"{column} {operator} %s{modifier(field)}", [term.text])
        for field, column in columns.fields.items()
    )


def _beginning(term: Term, column: str, field: str) -> Sql:
    column = f"{column}::pdb.alias('{field}_{ALIAS}')"
    # In the index a word may have a point or an apostrophe in it, as node.js has.
    parts = [words.fold(part) for part in re.split(r"[^\w.'\u2019:]+", term.text) if part]
    if len(parts) > 1:
        return f"{column} @@@ pdb.phrase_prefix(%s, {MAX_COMPLETIONS})", [parts]
    return f"{column} === %s::pdb.fuzzy(0, t)", parts or [term.words[0]]
