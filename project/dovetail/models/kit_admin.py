"""The base of the kit's admin classes."""

from typing import Any, TypeVar

from django.contrib import admin
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db import IntegrityError
from django.db.models import FileField, ForeignKey, Model, QuerySet
from django.http import HttpRequest, HttpResponse

from dovetail.models.conflicts import violated_constraint

ModelT = TypeVar("ModelT", bound=Model)


class KitAdmin(admin.ModelAdmin[ModelT]):
    """What all admin classes of the kit share.

    A unique value that someone else takes while a form is being saved is an error of the form, and
    autocomplete offers no rows that have a `deleted_at`.
    """

    @property
    def takes_files(self) -> bool:
        """Whether the model, or that of an inline, has files (`dovetail.http.bodies`)."""
        models = [self.model, *(inline.model for inline in self.inlines)]
        return any(
            isinstance(field, FileField) for model in models for field in model._meta.get_fields()
        )

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().changeform_view(request, *args, **kwargs)
        except IntegrityError as error:
            if violated_constraint(error) is None:
                raise
        # Nothing has been saved, and this time the form finds the other row.
        for _, files in request.FILES.lists():
            for file in files:
                file.seek(0)
        return super().changeform_view(request, *args, **kwargs)

    def get_changeform_initial_data(self, request: HttpRequest) -> Any:
        """Return the values that the query string gives, without keys that cannot exist."""
        initial = super().get_changeform_initial_data(request)
        return {name: value for name, value in initial.items() if self._is_possible(name, value)}

    def _is_possible(self, name: str, value: Any) -> bool:
        try:
            field = self.opts.get_field(name)
            if isinstance(field, ForeignKey):
                field.target_field.to_python(value)
        except FieldDoesNotExist:
            return True  # a field of the form only
        except ValidationError:
            return False
        return True

    def get_queryset(self, request: HttpRequest) -> QuerySet[ModelT]:
        rows = super().get_queryset(request)
        return _undeleted(rows) if is_autocomplete(request) else rows


def is_autocomplete(request: HttpRequest) -> bool:
    """Return whether the admin asks for the choices of a foreign key."""
    return request.resolver_match is not None and request.resolver_match.url_name == "autocomplete"


def _undeleted(rows: QuerySet[ModelT]) -> QuerySet[ModelT]:
    try:
        rows.model._meta.get_field("deleted_at")
    except FieldDoesNotExist:
        return rows
    return rows.filter(deleted_at__isnull=True)
