"""Full-text search on ParadeDB, or on plain PostgreSQL where the server has no pg_search.

Give a model a `SearchManager` and a `SearchIndex`, and run `makemigrations`:

    class Note(SoftDeleteModel):
        objects = SearchManager()

        class Meta:
            indexes = [SearchIndex(SearchConfig({"title": 3, "body": 1}), name="note_search")]

    Note.objects.search('"hand tools" -electric', snippet="body")  # a QuerySet, best matches first

Put `CreateSearchExtension()` before an app's first `SearchIndex` in its migrations. docs/search.md
describes every option, `manage.py search_index` and the `SEARCH_ENGINE` setting.
"""

from dovetail.search.config import SearchConfig
from dovetail.search.engine import engine_for
from dovetail.search.extension import CreateSearchExtension
from dovetail.search.index import SearchIndex
from dovetail.search.queryset import SearchManager, SearchQuerySet

__all__ = [
    "CreateSearchExtension",
    "SearchConfig",
    "SearchIndex",
    "SearchManager",
    "SearchQuerySet",
    "engine_for",
]
