"""Soft deletion: deleting a row sets `deleted_at`, and restoring it undoes exactly that deletion.

Own code because a restore must bring back the cascade of that deletion and nothing else, which the
existing packages leave to their users.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar, cast

from django.core import checks
from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction
from django.utils import timezone

from dovetail.models.base import BaseModel, BaseQuerySet
from dovetail.models.cascade import delete_rows, restore_rows
from dovetail.models.checks import check_soft_delete
from dovetail.models.conflicts import violated_constraint

ModelT = TypeVar("ModelT", bound=models.Model)

ATTEMPTS = 8  # at a restoration, while others take the unique values that it chooses


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
            counts = delete_rows(self, timezone.now())
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

    @classmethod
    def check(cls, **kwargs: Any) -> list[checks.CheckMessage]:
        return [*super().check(**kwargs), *check_soft_delete(cls)]

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
            return self._restore(at)
        except Exception:
            self.deleted_at = at
            raise

    restore.alters_data = True  # type: ignore[attr-defined]

    def hard_delete(self) -> tuple[int, dict[str, int]]:
        """Permanently delete this row and every row that references it by `CASCADE`."""
        return super().delete()

    hard_delete.alters_data = True  # type: ignore[attr-defined]

    def resolve_conflicts(self, attempt: int) -> list[str]:
        """Change the unique values of this row that others have taken since it was deleted.

        Called before a restoration, and again when another transaction was faster to take the
        values that were chosen. Override it to restore a row under another slug, say.

        Args:
            attempt: how many restorations have failed on taken values before, from 0.

        Returns:
            The names of the changed fields. They are saved together with the restoration.
        """
        del attempt
        return []

    def _restore(self, at: datetime) -> int:
        using = self._state.db or "default"
        rows = type(self).all_objects.using(using).filter(pk=self.pk)
        conflict: ValidationError | None = None
        for attempt in range(ATTEMPTS):
            changed = self.resolve_conflicts(attempt)
            if conflict and not changed:
                raise conflict
            try:
                with transaction.atomic(using=using):
                    parents = self._lock_parents()
                    self.validate_constraints()
                    if changed:
                        values = {name: getattr(self, name) for name in changed}
                        models.QuerySet.update(rows, **values, updated_at=timezone.now())
                    count = restore_rows(rows, at)
                    self._require_undeleted(parents)
                    return count
            except IntegrityError as error:
                conflict = _conflict(error, self)
            except ValidationError as error:
                conflict = error
        raise conflict or AssertionError

    def _lock_parents(self) -> dict[str, "SoftDeleteModel"]:
        """Return the deleted rows that this one belongs to, by the name of the foreign key.

        Locks all rows that this one belongs to, so that no other transaction deletes them.
        """
        deleted: dict[str, SoftDeleteModel] = {}
        for field in self._meta.concrete_fields:
            if (
                not isinstance(field, models.ForeignKey)
                or field.remote_field.on_delete is not models.CASCADE
            ):
                continue
            model = field.related_model
            if not isinstance(model, type) or not issubclass(model, SoftDeleteModel):
                continue
            parents = model.all_objects.using(self._state.db).select_for_update(no_key=True)
            key = {field.target_field.name: getattr(self, field.attname)}
            if (parent := parents.filter(**key).first()) and parent.is_deleted:
                deleted[str(field.verbose_name)] = parent
        return deleted

    def _require_undeleted(self, parents: dict[str, "SoftDeleteModel"]) -> None:
        for name, parent in parents.items():
            parent.refresh_from_db(fields=["deleted_at"])
            if parent.is_deleted:  # it does not depend on this row, which would have restored it
                raise ValidationError(
                    f"Restore the {name} “{parent}” first; "
                    f"this {self._meta.verbose_name} belongs to it."
                )


def _conflict(error: IntegrityError, row: SoftDeleteModel) -> ValidationError:
    """Return a unique violation as the error that a check before it would have raised."""
    name = violated_constraint(error)
    if name is None:
        raise error
    for constraint in row._meta.constraints:
        if constraint.name == name:
            return ValidationError(constraint.get_violation_error_message(), code="unique")
    return ValidationError(
        f"This {row._meta.verbose_name} cannot be restored: another row has taken a value that "
        f"must be unique, either its own or that of a row that belongs to it.",
        code="unique",
    )
