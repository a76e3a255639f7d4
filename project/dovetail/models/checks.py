"""System checks for soft-deletable models: what would make a deletion incomplete or irreversible.

The idea is that of django-softdelete-model's checks.
"""

from typing import Any

from django.core import checks
from django.db import models

from dovetail.models.base import BaseModel

DECLARATION = "survives_soft_deletion"


def check_soft_delete(model: Any) -> list[checks.CheckMessage]:
    """Return what is wrong with a `SoftDeleteModel`."""
    return [
        *_unfiltered_manager(model),
        *_unconditional_uniqueness(model),
        *_surviving_children(model),
    ]


def _unfiltered_manager(model: Any) -> list[checks.CheckMessage]:
    if "deleted_at" in str(model.objects.all().query.where):
        return []
    return [
        checks.Error(
            f"`{model.__name__}.objects` includes deleted rows.",
            hint="Use SoftDeleteManager() or SearchManager(); `all_objects` has all rows.",
            obj=model,
            id="dovetail.E002",
        )
    ]


def _unconditional_uniqueness(model: Any) -> list[checks.CheckMessage]:
    names = [
        constraint.name
        for constraint in model._meta.constraints
        if isinstance(constraint, models.UniqueConstraint)
        and "deleted_at" not in str(constraint.condition)
    ]
    names += [
        field.name
        for field in model._meta.local_fields
        # A one-to-one row is deleted and restored with the row that it belongs to.
        if field.unique and not field.primary_key and not field.one_to_one
    ]
    names += [", ".join(together) for together in model._meta.unique_together]
    return [
        checks.Warning(
            f"A deleted row of {model.__name__} keeps others from taking its unique value "
            f"({name}).",
            hint="Use a UniqueConstraint with condition=Q(deleted_at__isnull=True).",
            obj=model,
            id="dovetail.W003",
        )
        for name in names
    ]


def _surviving_children(model: Any) -> list[checks.CheckMessage]:
    return [
        checks.Warning(
            f"{child.__name__} rows stay when the {model._meta.verbose_name} that they refer to by "
            f"CASCADE is soft-deleted.",
            hint=f"Make {child.__name__} a SoftDeleteModel, or declare it: "
            f'{DECLARATION} = ("{relation.field.name}",).',
            obj=child,
            id="dovetail.W004",
        )
        for relation in model._meta.related_objects
        if isinstance(relation, models.ManyToOneRel)
        and relation.on_delete is models.CASCADE
        and isinstance(child := relation.related_model, type)
        and issubclass(child, BaseModel)
        and not hasattr(child, "all_objects")  # of a SoftDeleteModel
        and relation.field.name not in getattr(child, DECLARATION, ())
    ]
