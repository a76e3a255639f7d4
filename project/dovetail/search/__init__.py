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
