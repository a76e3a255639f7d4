"""Soft-deletes and restores rows together with the rows that belong to them."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db import models, router, transaction
from django.db.models import Q

from dovetail.models.base import send_rows_changed


def delete_dependents(row: models.Model, at: datetime, by: Any = None) -> None:
    """Soft-delete the rows that reference a row by `CASCADE`, but not the row itself.

    Args:
        row: a row of any model.
        at: the value for `deleted_at`, by which `dependents_deleted` finds the rows again.
        by: the key of the person who deletes them, for `deleted_by`; None for a program.

    Raises:
        django.db.models.ProtectedError: see `SoftDeleteQuerySet.delete`.
    """
    using = router.db_for_write(type(row), instance=row)
    with transaction.atomic(using=using):
        for dependents in _dependents(type(row), [row.pk], using, models.CASCADE):
            delete_rows(dependents, at, by)


def dependents_deleted(row: models.Model, at: datetime, by: Any = None) -> Iterator[Any]:
    """Yield the rows that `delete_dependents` soft-deleted for this row at that time.

    Leaves out rows whose deletion someone else has taken over since.
    """
    using = router.db_for_write(type(row), instance=row)
    for dependents in _dependents(type(row), [row.pk], using, models.CASCADE):
        yield from dependents.filter(_deleted(at, by))


def _deleted(at: datetime, by: Any) -> Q:
    """Match the rows of one deletion; not those that another person has removed since.

    Rows that were deleted before `deleted_by` was recorded have none.
    """
    return Q(deleted_at=at) & (Q(deleted_by=by) | Q(deleted_by=None))


def delete_rows(rows: Any, at: datetime, by: Any = None) -> "Counter[str]":
    # Marking rows before looking for their dependents ends the recursion for circular references.
    pks = list(rows.undeleted().select_for_update().order_by().values_list("pk", flat=True))
    if not pks:
        return Counter()
    _refuse_protected(rows.model, pks, rows.db)
    marked = rows.model.all_objects.using(rows.db).filter(pk__in=pks)
    counts = Counter({rows.model._meta.label: _mark(marked, pks, at, by)})
    for dependents in _dependents(rows.model, pks, rows.db, models.CASCADE):
        counts += delete_rows(dependents, at, by)
    return counts


def _mark(rows: Any, pks: list[Any], at: datetime | None, by: Any) -> int:
    """Set `deleted_at` and send `rows_changed`; unlike `update`, don't query the keys again."""
    count = models.QuerySet.update(rows, deleted_at=at, deleted_by=by)
    send_rows_changed(rows.model, pks, rows.db, fields=frozenset(["deleted_at", "deleted_by"]))
    return count


def restore_rows(rows: Any, at: datetime, by: Any = None) -> int:
    pks = list(rows.filter(_deleted(at, by)).select_for_update().values_list("pk", flat=True))
    if not pks:
        return 0
    marked = rows.model.all_objects.using(rows.db).filter(pk__in=pks)
    total = _mark(marked, pks, None, None)
    for dependents in _dependents(rows.model, pks, rows.db, models.CASCADE):
        total += restore_rows(dependents, at, by)
    return total


def take_over_rows(rows: Any, at: datetime, before: Any, by: Any) -> int:
    """Change who deleted these rows and what was deleted with them.

    Args:
        rows: deleted rows.
        at: the `deleted_at` of the deletion; rows of others are left alone.
        before: its `deleted_by` until now.
        by: the new one.
    """
    pks = list(rows.filter(_deleted(at, before)).select_for_update().values_list("pk", flat=True))
    if not pks:
        return 0
    total = _mark(rows.model.all_objects.using(rows.db).filter(pk__in=pks), pks, at, by)
    for dependents in _dependents(rows.model, pks, rows.db, models.CASCADE):
        total += take_over_rows(dependents, at, before, by)
    return total


def _refuse_protected(model: type[models.Model], pks: list[Any], using: str) -> None:
    for on_delete in (models.PROTECT, models.RESTRICT):
        for dependents in _dependents(model, pks, using, on_delete):
            if protected := set(dependents.undeleted()[:10]):
                raise models.ProtectedError(
                    f"Cannot delete this {model._meta.verbose_name}: it is still referenced by "
                    f"{dependents.model._meta.verbose_name_plural}.",
                    protected,
                )


def _dependents(
    model: type[models.Model], pks: list[Any], using: str, on_delete: Any
) -> Iterator[Any]:
    """Yield a QuerySet per relation of the soft-deletable rows that reference these rows."""
    for relation in model._meta.related_objects:
        related = relation.related_model
        if (
            isinstance(relation, models.ManyToOneRel)
            and relation.on_delete is on_delete
            and isinstance(related, type)
            and hasattr(related, "all_objects")  # a SoftDeleteModel
        ):
            referenced = model._base_manager.using(using).filter(pk__in=pks)
            yield related.all_objects.using(using).filter(
                **{f"{relation.field.name}__in": referenced}
            )
