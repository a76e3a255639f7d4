"""Soft deletion: deleting a row sets `deleted_at`, and restoring it undoes exactly that deletion.

Own code because a restore must bring back the cascade of that deletion and nothing else, which the
existing packages leave to their users.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar, cast

from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.utils import timezone

from dovetail.models.base import BaseModel, BaseQuerySet, send_rows_changed

ModelT = TypeVar("ModelT", bound=models.Model)


class SoftDeleteQuerySet(BaseQuerySet[ModelT]):
    """A QuerySet whose `delete()` is a soft deletion if its model is a `SoftDeleteModel`."""

    def undeleted(self) -> Self:
        return self.filter(deleted_at__isnull=True)

    def deleted(self) -> Self:
        return self.filter(deleted_at__isnull=False)

    def delete(self) -> tuple[int, dict[str, int]]:
        """Soft-delete the rows and their soft-deletable cascade, in one transaction.

        Returns:
            The number of deleted rows, in total and by model label, like Django's `delete()`.

        Raises:
            django.db.models.ProtectedError: an undeleted row references one of the rows by
                `PROTECT` or `RESTRICT`; nothing is deleted.
        """
        if not issubclass(self.model, SoftDeleteModel):
            return super().delete()
        with transaction.atomic(using=self.db):
            counts = _delete(self, timezone.now())
        return counts.total(), dict(counts)

    delete.alters_data = True  # type: ignore[attr-defined]
    delete.queryset_only = True  # type: ignore[attr-defined]

    def restore(self) -> int:
        """Restore all rows or none; see `SoftDeleteModel.restore`. Return the number of rows."""
        with transaction.atomic(using=self.db):
            return sum(cast("SoftDeleteModel", row).restore() for row in self.deleted())

    restore.alters_data = True  # type: ignore[attr-defined]

    def hard_delete(self) -> tuple[int, dict[str, int]]:
        """Permanently delete the rows and every row that references them by `CASCADE`."""
        return super().delete()

    hard_delete.alters_data = True  # type: ignore[attr-defined]
    hard_delete.queryset_only = True  # type: ignore[attr-defined]


class UndeletedManager(models.Manager[ModelT]):
    """Excludes deleted rows if the model is a `SoftDeleteModel`.

    Args:
        with_deleted: include deleted rows.
    """

    def __init__(self, *, with_deleted: bool = False) -> None:
        super().__init__()
        self.with_deleted = with_deleted

    def get_queryset(self) -> models.QuerySet[ModelT]:
        rows = super().get_queryset()
        if self.with_deleted or not issubclass(self.model, SoftDeleteModel):
            return rows
        return rows.filter(deleted_at__isnull=True)


_SoftDeleteManager = UndeletedManager.from_queryset(SoftDeleteQuerySet)


class SoftDeleteManager(_SoftDeleteManager[ModelT]):
    """The manager of soft-deletable rows.

    To use a custom QuerySet: `objects = SoftDeleteManager.from_queryset(InvoiceQuerySet)()`.
    """


if TYPE_CHECKING:

    class ManagerDescriptor(Protocol):
        """The type of the managers of `SoftDeleteModel`, so that they return rows of the subclass.

        If they were plain class variables, mypy would reject `objects = SearchManager()` in a
        subclass.
        """

        def __get__(self, instance: Any, owner: type[ModelT]) -> SoftDeleteManager[ModelT]: ...


class SoftDeleteModel(BaseModel):
    """A model whose `delete()` can be undone.

    `objects` excludes deleted rows, `all_objects` includes them. To let a new row reuse a unique
    value of a deleted one, make the constraint conditional:
    `UniqueConstraint(fields=["slug"], condition=Q(deleted_at__isnull=True), name=…)`.
    """

    deleted_at = models.DateTimeField(null=True, blank=True, editable=False, db_index=True)

    objects: "ManagerDescriptor" = cast("Any", SoftDeleteManager())
    all_objects: "ManagerDescriptor" = cast("Any", SoftDeleteManager(with_deleted=True))

    class Meta:
        abstract = True

    @property
    def is_deleted(self) -> bool:
        return self.deleted_at is not None

    def delete(
        self, using: str | None = None, keep_parents: bool = False
    ) -> tuple[int, dict[str, int]]:
        """Soft-delete this row and its cascade; see `SoftDeleteQuerySet.delete`.

        A row that is already deleted keeps its `deleted_at`.
        """
        del keep_parents  # for multi-table inheritance, which soft deletion doesn't affect
        rows = type(self).all_objects.using(using or self._state.db).filter(pk=self.pk)
        result = rows.delete()
        self.refresh_from_db(fields=["deleted_at"])
        return result

    delete.alters_data = True  # type: ignore[attr-defined]

    def restore(self) -> int:
        """Undo exactly the deletion that included this row, in one transaction.

        Rows that had been deleted separately stay deleted.

        Returns:
            The number of restored rows, including this one; 0 if it was not deleted.

        Raises:
            ValidationError: a parent of this row is still deleted, or an undeleted row has taken
                one of its unique values; nothing is restored.
        """
        if self.deleted_at is None:
            return 0
        at, self.deleted_at = self.deleted_at, None
        try:
            self._require_undeleted_parents()
            self.validate_constraints()
            with transaction.atomic(using=self._state.db):
                rows = type(self).all_objects.using(self._state.db).filter(pk=self.pk)
                return _restore(rows, at)
        except Exception:
            self.deleted_at = at
            raise

    restore.alters_data = True  # type: ignore[attr-defined]

    def hard_delete(self) -> tuple[int, dict[str, int]]:
        """Permanently delete this row and every row that references it by `CASCADE`."""
        return super().delete()

    hard_delete.alters_data = True  # type: ignore[attr-defined]

    def _require_undeleted_parents(self) -> None:
        for field in self._meta.concrete_fields:
            if (
                not isinstance(field, models.ForeignKey)
                or field.remote_field.on_delete is not models.CASCADE
            ):
                continue
            parent = getattr(self, field.name)
            if isinstance(parent, SoftDeleteModel) and parent.is_deleted:
                raise ValidationError(
                    f"Restore the {field.verbose_name} “{parent}” first; "
                    f"this {self._meta.verbose_name} belongs to it."
                )


def delete_dependents(row: models.Model, at: datetime) -> None:
    """Soft-delete the rows that reference a row by `CASCADE`, but not the row itself.

    Args:
        row: a row of any model.
        at: the value for `deleted_at`, by which `dependents_deleted` finds the rows again.

    Raises:
        django.db.models.ProtectedError: see `SoftDeleteQuerySet.delete`.
    """
    with transaction.atomic(using=row._state.db):
        for dependents in _dependents(
            type(row), [row.pk], row._state.db or "default", models.CASCADE
        ):
            _delete(dependents, at)


def dependents_deleted(row: models.Model, at: datetime) -> Iterator["SoftDeleteModel"]:
    """Yield the rows that `delete_dependents` soft-deleted for this row at that time."""
    for dependents in _dependents(type(row), [row.pk], row._state.db or "default", models.CASCADE):
        yield from dependents.filter(deleted_at=at)


def _delete(rows: SoftDeleteQuerySet[Any], at: datetime) -> "Counter[str]":
    # Marking rows before looking for their dependents ends the recursion for circular references.
    pks = list(rows.undeleted().select_for_update().order_by().values_list("pk", flat=True))
    if not pks:
        return Counter()
    _refuse_protected(rows.model, pks, rows.db)
    marked = rows.model.all_objects.using(rows.db).filter(pk__in=pks)
    counts = Counter({rows.model._meta.label: _mark(marked, pks, at)})
    for dependents in _dependents(rows.model, pks, rows.db, models.CASCADE):
        counts += _delete(dependents, at)
    return counts


def _mark(rows: SoftDeleteQuerySet[Any], pks: list[Any], at: datetime | None) -> int:
    """Set `deleted_at` and send `rows_changed`; unlike `update`, don't query the keys again."""
    count = models.QuerySet.update(rows, deleted_at=at)
    send_rows_changed(rows.model, pks, rows.db)
    return count


def _restore(rows: SoftDeleteQuerySet[Any], at: datetime) -> int:
    pks = list(rows.filter(deleted_at=at).select_for_update().values_list("pk", flat=True))
    if not pks:
        return 0
    marked = rows.model.all_objects.using(rows.db).filter(pk__in=pks)
    total = _mark(marked, pks, None)
    for dependents in _dependents(rows.model, pks, rows.db, models.CASCADE):
        total += _restore(dependents, at)
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
) -> Iterator[SoftDeleteQuerySet[Any]]:
    """Yield a QuerySet per relation of the soft-deletable rows that reference these rows."""
    for relation in model._meta.related_objects:
        related = relation.related_model
        if (
            isinstance(relation, models.ManyToOneRel)
            and relation.on_delete is on_delete
            and isinstance(related, type)
            and issubclass(related, SoftDeleteModel)
        ):
            referenced = model._base_manager.using(using).filter(pk__in=pks)
            yield related.all_objects.using(using).filter(
                **{f"{relation.field.name}__in": referenced}
            )
