"""Soft deletion: deleting a row sets `deleted_at`, and restoring it undoes exactly that deletion.

Own code because a restore has to bring back the cascade of one deletion and nothing else, which the
packages for soft deletion leave to their users.
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
    """Deletes softly, unless the model is not a `SoftDeleteModel`: then `delete()` is Django's."""

    def undeleted(self) -> Self:
        return self.filter(deleted_at__isnull=True)

    def deleted(self) -> Self:
        return self.filter(deleted_at__isnull=False)

    def delete(self) -> tuple[int, dict[str, int]]:
        """Soft-delete the rows and their soft-deletable cascade, in one transaction.

        Returns:
            The number of rows, in total and by model label, as Django's `delete()` does.

        Raises:
            django.db.models.ProtectedError: an undeleted row refers to one of these rows by
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
        """Restore all rows or none, as `SoftDeleteModel.restore` does; return how many."""
        with transaction.atomic(using=self.db):
            return sum(cast("SoftDeleteModel", row).restore() for row in self.deleted())

    restore.alters_data = True  # type: ignore[attr-defined]

    def hard_delete(self) -> tuple[int, dict[str, int]]:
        """Remove the rows for good, with every row that refers to them by `CASCADE`."""
        return super().delete()

    hard_delete.alters_data = True  # type: ignore[attr-defined]
    hard_delete.queryset_only = True  # type: ignore[attr-defined]


class UndeletedManager(models.Manager[ModelT]):
    """Leaves deleted rows out, where rows of the model can be soft-deleted.

    Args:
        with_deleted: keep them in.
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
    """For a QuerySet of your own, write `SoftDeleteManager.from_queryset(InvoiceQuerySet)()`."""


if TYPE_CHECKING:

    class ManagerDescriptor(Protocol):
        """Lets a type checker see the managers of `SoftDeleteModel` with the model they belong to.

        As plain class variables, mypy would refuse `objects = SearchManager()` in a subclass.
        """

        def __get__(self, instance: Any, owner: type[ModelT]) -> SoftDeleteManager[ModelT]: ...


class SoftDeleteModel(BaseModel):
    """A row whose `delete()` can be undone.

    `objects` leaves deleted rows out, `all_objects` includes them. To free a unique value when its
    row is deleted, make the constraint conditional:
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

        A row that is already deleted stays as it is.
        """
        del keep_parents  # multi-table inheritance has no part in this
        rows = type(self).all_objects.using(using or self._state.db).filter(pk=self.pk)
        result = rows.delete()
        self.refresh_from_db(fields=["deleted_at"])
        return result

    delete.alters_data = True  # type: ignore[attr-defined]

    def restore(self) -> int:
        """Undo exactly the deletion that took this row, in one transaction.

        What was deleted on its own before stays deleted.

        Returns:
            How many rows came back, this one included; 0 when it was not deleted.

        Raises:
            ValidationError: a row that this one belongs to is still deleted, or a live row has
                taken one of its unique values meanwhile; then nothing is restored.
        """
        if self.deleted_at is None:
            return 0
        at, self.deleted_at = self.deleted_at, None
        try:
            self._require_live_parents()
            self.validate_constraints()
            with transaction.atomic(using=self._state.db):
                rows = type(self).all_objects.using(self._state.db).filter(pk=self.pk)
                return _restore(rows, at)
        except Exception:
            self.deleted_at = at
            raise

    restore.alters_data = True  # type: ignore[attr-defined]

    def hard_delete(self) -> tuple[int, dict[str, int]]:
        """Remove this row for good, with all that refers to it by `CASCADE`."""
        return super().delete()

    hard_delete.alters_data = True  # type: ignore[attr-defined]

    def _require_live_parents(self) -> None:
        for field in self._meta.concrete_fields:
            if (
                not isinstance(field, models.ForeignKey)
                or field.remote_field.on_delete is not models.CASCADE
            ):
                continue
            parent = getattr(self, field.name)
            if isinstance(parent, SoftDeleteModel) and parent.is_deleted:
                raise ValidationError(
                    f"Restore the {field.verbose_name} “{parent}” first: "
                    f"this {self._meta.verbose_name} belongs to it."
                )


def delete_dependants(row: models.Model, at: datetime) -> None:
    """Soft-delete what refers to a row by `CASCADE`, for a row that is not soft-deletable itself.

    Args:
        row: the row, of any model; it stays.
        at: the time by which `dependants_deleted` finds them again.

    Raises:
        django.db.models.ProtectedError: as `SoftDeleteQuerySet.delete`.
    """
    with transaction.atomic(using=row._state.db):
        for dependants in _dependants(
            type(row), [row.pk], row._state.db or "default", models.CASCADE
        ):
            _delete(dependants, at)


def dependants_deleted(row: models.Model, at: datetime) -> Iterator["SoftDeleteModel"]:
    """Yield what `delete_dependants` soft-deleted for this row at that time."""
    for dependants in _dependants(type(row), [row.pk], row._state.db or "default", models.CASCADE):
        yield from dependants.filter(deleted_at=at)


def _delete(rows: SoftDeleteQuerySet[Any], at: datetime) -> "Counter[str]":
    # Rows are marked before their dependants are looked for, so a circle of references ends.
    pks = list(rows.undeleted().select_for_update().order_by().values_list("pk", flat=True))
    if not pks:
        return Counter()
    _refuse_protected(rows.model, pks, rows.db)
    marked = rows.model.all_objects.using(rows.db).filter(pk__in=pks)
    counts = Counter({rows.model._meta.label: _mark(marked, pks, at)})
    for dependants in _dependants(rows.model, pks, rows.db, models.CASCADE):
        counts += _delete(dependants, at)
    return counts


def _mark(rows: SoftDeleteQuerySet[Any], pks: list[Any], at: datetime | None) -> int:
    """Set `deleted_at`, and send `rows_changed` without asking for the keys again."""
    count = models.QuerySet.update(rows, deleted_at=at)
    send_rows_changed(rows.model, pks, rows.db)
    return count


def _restore(rows: SoftDeleteQuerySet[Any], at: datetime) -> int:
    pks = list(rows.filter(deleted_at=at).select_for_update().values_list("pk", flat=True))
    if not pks:
        return 0
    marked = rows.model.all_objects.using(rows.db).filter(pk__in=pks)
    total = _mark(marked, pks, None)
    for dependants in _dependants(rows.model, pks, rows.db, models.CASCADE):
        total += _restore(dependants, at)
    return total


def _refuse_protected(model: type[models.Model], pks: list[Any], using: str) -> None:
    for on_delete in (models.PROTECT, models.RESTRICT):
        for dependants in _dependants(model, pks, using, on_delete):
            if protected := set(dependants.undeleted()[:10]):
                raise models.ProtectedError(
                    f"Cannot delete: {model._meta.verbose_name} is referred to by "
                    f"{dependants.model._meta.verbose_name_plural}.",
                    protected,
                )


def _dependants(
    model: type[models.Model], pks: list[Any], using: str, on_delete: Any
) -> Iterator[SoftDeleteQuerySet[Any]]:
    """Yield, by relation, the soft-deletable rows that refer to these."""
    for relation in model._meta.related_objects:
        related = relation.related_model
        if (
            isinstance(relation, models.ManyToOneRel)
            and relation.on_delete is on_delete
            and isinstance(related, type)
            and issubclass(related, SoftDeleteModel)
        ):
            referred = model._base_manager.using(using).filter(pk__in=pks)
            yield related.all_objects.using(using).filter(
                **{f"{relation.field.name}__in": referred}
            )
