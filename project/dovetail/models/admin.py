from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from django.contrib import admin, messages
from django.contrib.admin.utils import model_ngettext
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest

from dovetail.models import SoftDeleteModel, SoftDeleteQuerySet

ModelT = TypeVar("ModelT", bound=SoftDeleteModel)


class DeletedFilter(admin.SimpleListFilter):
    title = "deletion"
    parameter_name = "deleted"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        del request, model_admin
        return [("yes", "Deleted"), ("all", "All")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        del request
        match self.value():
            case "yes":
                return queryset.filter(deleted_at__isnull=False)
            case "all":
                return queryset
            case _:
                return queryset.filter(deleted_at__isnull=True)

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        default, *others = super().choices(changelist)
        yield {**default, "display": "Not deleted"}
        yield from others


class SoftDeleteAdmin(admin.ModelAdmin[ModelT]):
    """Soft-deletes rows, and shows and restores deleted ones."""

    actions = ["restore_selected"]

    def get_queryset(self, request: HttpRequest) -> SoftDeleteQuerySet[ModelT]:
        rows = self.model.all_objects.all()
        return rows.order_by(*self.get_ordering(request))

    def get_list_filter(self, request: HttpRequest) -> Any:
        return [DeletedFilter, *super().get_list_filter(request)]

    @admin.action(description="Restore selected %(verbose_name_plural)s", permissions=["change"])
    def restore_selected(self, request: HttpRequest, rows: SoftDeleteQuerySet[ModelT]) -> None:
        restored = 0
        for row in rows.deleted():
            try:
                restored += bool(row.restore())
            except ValidationError as error:
                self.message_user(
                    request, f"Couldn't restore “{row}”: {' '.join(error.messages)}", messages.ERROR
                )
        if restored:
            what = model_ngettext(self.opts, restored)
            self.message_user(request, f"Restored {restored} {what}.", messages.SUCCESS)
