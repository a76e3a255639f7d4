from apps.core.search.config import SearchConfig
from apps.core.search.engine import engine_for
from apps.core.search.extension import CreateSearchExtension
from apps.core.search.index import SearchIndex
from apps.core.search.queryset import SearchQuerySet

__all__ = ["CreateSearchExtension", "SearchConfig", "SearchIndex", "SearchQuerySet", "engine_for"]
