from typing import TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpRequest

from dovetail.models.kit_admin import KitAdmin
from dovetail.search.queryset import SearchQuerySet

ModelT = TypeVar("ModelT", bound=Model)


class SearchAdmin(KitAdmin[ModelT]):
    """Makes the admin's search box and autocomplete use the model's `SearchIndex`.

    Set `search_fields` to show the box; the index decides which fields are searched.
    """

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[ModelT], search_term: str
    ) -> tuple[QuerySet[ModelT], bool]:
        del request
        if not search_term.strip():
            return queryset, False
        rows: SearchQuerySet[ModelT] = SearchQuerySet(self.model, using=queryset.db)
        found = rows.search(search_term, prefix=True, rank=False)
        return queryset.filter(pk__in=found.values("pk")), False
