from collections.abc import Iterable, Iterator
from typing import Any, TypeVar, cast

from django.apps import apps
from django.contrib import admin, messages
from django.contrib.admin.utils import flatten_fieldsets, model_ngettext
from django.contrib.admin.views.main import ChangeList
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Model, ProtectedError, QuerySet
from django.http import HttpRequest, HttpResponse

from dovetail.media.fields import DecodesLastMixin
from dovetail.models import SoftDeleteModel, SoftDeleteQuerySet
from dovetail.models.kit_admin import KitAdmin, is_autocomplete
from dovetail.models.versions import FIELD, VersionedModelForm, with_conflict

RowT = TypeVar("RowT", bound=Model)
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


class VersionedAdmin(KitAdmin[RowT]):
    """Refuses to overwrite what someone else saved since the form was opened.

    The form comes back with both texts (`dovetail.models.versions`).
    """

    def get_form(
        self, request: HttpRequest, obj: RowT | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        base = VersionedModelForm if change else DecodesLastMixin
        # The admin of users has a form of its own to add one.
        own = self.form if change else getattr(self, "add_form", self.form)
        form = kwargs.get("form", own)
        kwargs["form"] = type(form.__name__, (base, form), {})
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: RowT | None = None) -> Any:
        """Add the version to the first of the fieldsets, if they are declared without it."""
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None or not fieldsets or FIELD in flatten_fieldsets(fieldsets):
            return fieldsets
        (name, options), *others = fieldsets
        return [(name, {**options, "fields": [*options["fields"], FIELD]}), *others]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        response = super().render_change_form(request, context, *args, **kwargs)
        with_conflict(response, context["adminform"].form)
        return response


class SoftDeleteAdmin(VersionedAdmin[ModelT]):
    """Soft-deletes rows, and shows and restores deleted ones."""

    actions = ["restore_selected"]

    def get_queryset(self, request: HttpRequest) -> SoftDeleteQuerySet[ModelT]:
        rows: SoftDeleteQuerySet[ModelT] = self.model.all_objects.all()
        if is_autocomplete(request):
            rows = rows.undeleted()
        # Without names, `order_by` would drop the order of the model.
        names = self.get_ordering(request)
        return rows.order_by(*names) if names else rows

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Return what a soft deletion deletes, found by a deletion that is rolled back.

        Django's own method lists what a permanent deletion would delete, with queries for each row.
        """
        rows = self.model.all_objects.filter(pk__in=[row.pk for row in objs])
        counts: dict[str, int] = {}
        protected: list[str] = []
        with transaction.atomic():
            try:
                with transaction.atomic():
                    counts = rows.delete()[1]
            except ProtectedError as error:
                protected = [str(row) for row in error.protected_objects]
            transaction.set_rollback(True)
        names = {apps.get_model(label)._meta.verbose_name_plural: n for label, n in counts.items()}
        is_allowed = self.has_delete_permission(request)
        refused = set() if is_allowed else {self.opts.verbose_name}
        return [str(row) for row in objs], names, refused, protected

    def get_readonly_fields(self, request: HttpRequest, obj: ModelT | None = None) -> Any:
        """Keep the owner of a deleted row: who gave it away could restore what others removed."""
        fields = super().get_readonly_fields(request, obj)
        is_kept = obj is not None and obj.is_deleted and self.model.owner_field
        return [*fields, self.model.owner_field] if is_kept else fields

    def get_list_filter(self, request: HttpRequest) -> Any:
        return [DeletedFilter, *super().get_list_filter(request)]

    def delete_model(self, request: HttpRequest, obj: ModelT) -> None:
        self.delete_queryset(request, self.model.all_objects.filter(pk=obj.pk))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[ModelT]) -> None:
        rows = cast("SoftDeleteQuerySet[ModelT]", queryset)
        person = cast("AbstractBaseUser", request.user)
        # Rows that their owner has deleted, or closed with their account, are removed for good.
        # Before the others, which are this person's from the start.
        rows.take_over_deletion(person)
        rows.delete(person)

    @admin.action(description="Restore selected %(verbose_name_plural)s", permissions=["delete"])
    def restore_selected(self, request: HttpRequest, rows: SoftDeleteQuerySet[ModelT]) -> None:
        """Restore rows for people who may delete them, except what others removed of their own."""
        restored = 0
        for row in rows.deleted():
            try:
                restored += bool(row.restore(cast("AbstractBaseUser", request.user)))
            except PermissionDenied:
                self.message_user(
                    request,
                    f"Couldn't restore “{row}”: someone else removed it, so another moderator has "
                    f"to decide.",
                    messages.ERROR,
                )
            except ValidationError as error:
                self.message_user(
                    request, f"Couldn't restore “{row}”: {' '.join(error.messages)}", messages.ERROR
                )
        if restored:
            what = model_ngettext(self.opts, restored)
            self.message_user(request, f"Restored {restored} {what}.", messages.SUCCESS)
