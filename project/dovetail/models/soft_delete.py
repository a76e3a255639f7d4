"""Soft deletion: deleting a row sets `deleted_at`, and restoring it undoes exactly that deletion.

`deleted_by` records who deleted it, so that the author of a text cannot undo its removal by a
moderator:

    class Review(SoftDeleteModel):
        owner_field = "author"

    review.delete(by=request.user)
    review.restore(by=request.user)  # PermissionDenied for the author if a moderator deleted it

Own code because a restore must bring back the cascade of that deletion and nothing else, which the
existing packages leave to their users.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self, TypeVar, cast

from django.conf import settings
from django.contrib.auth import get_permission_codename
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.core import checks
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, models, router, transaction
from django.db.models import Q
from django.utils import timezone

from dovetail.models.base import BaseModel, BaseQuerySet
from dovetail.models.cascade import delete_rows, restore_rows, take_over_rows
from dovetail.models.checks import check_soft_delete
from dovetail.models.conflicts import violated_constraint

ModelT = TypeVar("ModelT", bound=models.Model)
Person = AbstractBaseUser | AnonymousUser

ATTEMPTS = 8  # at a restoration, while others take the unique values that it chooses


class SoftDeleteQuerySet(BaseQuerySet[ModelT]):
    """A QuerySet whose `delete()` is a soft deletion if its model is a `SoftDeleteModel`."""

    def undeleted(self) -> Self:
        return self.filter(deleted_at__isnull=True)

    def deleted(self) -> Self:
        return self.filter(deleted_at__isnull=False)

    def restorable_by(self, user: Person) -> Self:
        """Limit to the deleted rows that a person may restore.

        See `SoftDeleteModel.can_be_restored_by`.
        """
        allowed = Q(deleted_by=user.pk) if user.pk else Q(pk__in=[])
        if _may_delete(self.model, user):
            owner = cast("type[SoftDeleteModel]", self.model).owner_field
            allowed |= ~Q(**{owner: user.pk}) if owner else ~Q(pk__in=[])
        return self.deleted().filter(allowed)

    def delete(self, by: Person | None = None) -> tuple[int, dict[str, int]]:
        """Soft-delete the rows and their soft-deletable cascade, in one transaction.

        Args:
            by: who deletes them; None if it is not a person but a program, which leaves it to
                people with the permission to restore them.

        Returns:
            The number of deleted rows, in total and by model label, like Django's `delete()`.

        Raises:
            django.db.models.ProtectedError: an undeleted row references one of the rows by
                `PROTECT` or `RESTRICT`; nothing is deleted.
        """
        if not issubclass(self.model, SoftDeleteModel):
            return super().delete()
        self._begin_to_write()
        with transaction.atomic(using=self.db):
            counts = delete_rows(self, timezone.now(), by.pk if by else None)
        return counts.total(), dict(counts)

    delete.alters_data = True  # type: ignore[attr-defined]
    delete.queryset_only = True  # type: ignore[attr-defined]

    def restore(self, by: Person | None = None) -> int:
        """Restore all rows or none; see `SoftDeleteModel.restore`. Return the number of rows."""
        self._begin_to_write()
        with transaction.atomic(using=self.db):
            return sum(cast("SoftDeleteModel", row).restore(by) for row in self.deleted())

    restore.alters_data = True  # type: ignore[attr-defined]

    def take_over_deletion(self, by: Person) -> int:
        """Record a moderator as the one who deleted rows that are deleted already.

        A text that its author has deleted, or that went with their account, then stays deleted
        when they restore the rest. Rows of the moderator's own are left alone, or they could lift
        a removal by others.

        Returns:
            The number of rows that it applies to, with their cascades.
        """
        self._begin_to_write()
        rows = self.deleted()
        if owner := cast("type[SoftDeleteModel]", self.model).owner_field:
            rows = rows.exclude(**{owner: by.pk})
        with transaction.atomic(using=self.db):
            deletions = list(rows.order_by().values_list("deleted_at", "deleted_by").distinct())
            return sum(take_over_rows(rows, at, before, by.pk) for at, before in deletions)

    take_over_deletion.alters_data = True  # type: ignore[attr-defined]

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

    Attributes:
        owner_field: the foreign key to the person whose text this is, "" if it is no one's.
        deleted_by: who deleted the row, None if a program did. It names them even after their
            account has gone, since the removal stays one by someone else.
    """

    owner_field: ClassVar[str] = ""

    deleted_at = models.DateTimeField(null=True, blank=True, editable=False, db_index=True)
    deleted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
    )

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

    @property
    def is_removed_by_others(self) -> bool:
        """Whether someone other than its owner deleted the row, such as a moderator."""
        return self.is_deleted and self.deleted_by_id != self._owner_id

    @property
    def _owner_id(self) -> Any:
        return getattr(self, f"{self.owner_field}_id") if self.owner_field else None

    def can_be_restored_by(self, user: Person) -> bool:
        """Return whether a person may undo the deletion of this row.

        Whoever deleted it may, and everyone with the permission to delete such rows, except its
        owner: a moderator does not decide about their own text.
        """
        if not self.is_deleted or not user.pk:
            return False
        if self.deleted_by_id == user.pk:
            return True
        return self._owner_id != user.pk and _may_delete(type(self), user)

    def delete(
        self,
        using: str | None = None,
        keep_parents: bool = False,
        by: Person | None = None,
    ) -> tuple[int, dict[str, int]]:
        """Soft-delete this row and its cascade; see `SoftDeleteQuerySet.delete`.

        A row that is already deleted keeps its `deleted_at` and `deleted_by`.
        """
        del keep_parents  # for multi-table inheritance, which soft deletion doesn't affect
        using = using or router.db_for_write(type(self), instance=self)
        rows = type(self).all_objects.using(using).filter(pk=self.pk)
        result = rows.delete(by)
        self.refresh_from_db(using=using, fields=["deleted_at", "deleted_by"])
        return result

    delete.alters_data = True  # type: ignore[attr-defined]

    def restore(self, by: Person | None = None) -> int:
        """Undo exactly the deletion that included this row, in one transaction.

        Rows that had been deleted separately, or by someone else, stay deleted.

        Args:
            by: who asks for it; None for a program, which may restore every row.

        Returns:
            The number of restored rows, including this one; 0 if it was not deleted.

        Raises:
            PermissionDenied: that person may not restore it; see `can_be_restored_by`.
            ValidationError: a parent of this row is still deleted, or an undeleted row has taken
                one of its unique values; nothing is restored.
        """
        if self.deleted_at is None:
            return 0
        at, deleted_by = self.deleted_at, self.deleted_by_id
        if by is not None and not self.can_be_restored_by(by):
            raise self._refusal()
        self.deleted_at = self.deleted_by_id = None
        try:
            count = self._restore(at, deleted_by)
        except Exception:
            self.deleted_at, self.deleted_by_id = at, deleted_by
            raise
        if not count:  # restored by another request, or taken over by a moderator
            using = router.db_for_write(type(self), instance=self)
            self.refresh_from_db(using=using, fields=["deleted_at", "deleted_by"])
            if self.is_deleted and by is not None:
                raise self._refusal()
        return count

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

    def _refusal(self) -> PermissionDenied:
        return PermissionDenied(f"This {self._meta.verbose_name} was removed by a moderator.")

    def _restore(self, at: datetime, by: Any) -> int:
        using = router.db_for_write(type(self), instance=self)
        rows = type(self).all_objects.using(using).filter(pk=self.pk)
        conflict: ValidationError | None = None
        for attempt in range(ATTEMPTS):
            changed = self.resolve_conflicts(attempt)
            if conflict and not changed:
                raise conflict
            try:
                with transaction.atomic(using=using):
                    parents = self._lock_parents(using)
                    self.validate_constraints()
                    if changed:
                        values = {name: getattr(self, name) for name in changed}
                        models.QuerySet.update(rows, **values, updated_at=timezone.now())
                    count = restore_rows(rows, at, by)
                    self._require_undeleted(parents)
                    return count
            except IntegrityError as error:
                conflict = _conflict(error, self)
            except ValidationError as error:
                conflict = error
        raise conflict or AssertionError

    def _lock_parents(self, using: str) -> dict[str, "SoftDeleteModel"]:
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
            parents = model.all_objects.using(using).select_for_update(no_key=True)
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


def _may_delete(model: type[models.Model], user: Person) -> bool:
    codename = get_permission_codename("delete", model._meta)
    return bool(cast("Any", user).has_perm(f"{model._meta.app_label}.{codename}"))


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
