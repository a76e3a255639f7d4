from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from django.db import models, transaction

from dovetail.media.cleanup import (
    deleting_files,
    deleting_files_of,
    replacing_files,
    updating_files,
)
from dovetail.models.signals import rows_changed
from dovetail.models.uuid7 import uuid7

ModelT = TypeVar("ModelT", bound=models.Model)


class BaseQuerySet(models.QuerySet[ModelT]):
    """A QuerySet whose bulk operations send the `rows_changed` signal."""

    def _begin_to_write(self) -> None:
        """Make `db` the database to write to, as Django's own operations do.

        An operation of several queries needs it before the first one: those that read would
        otherwise be on a replica, and so would the transaction around all of them.
        """
        self._for_write = True

    def update(self, **values: Any) -> int:
        self._begin_to_write()
        with updating_files(self, values):
            if not rows_changed.has_listeners(self.model):
                return super().update(**values)  # saves the query for the primary keys
            with transaction.atomic(using=self.db, savepoint=False):
                pks = list(self.order_by().values_list("pk", flat=True))
                count = super().update(**values)
                send_rows_changed(self.model, pks, self.db, fields=frozenset(values))
            return count

    update.alters_data = True  # type: ignore[attr-defined]

    def delete(self) -> tuple[int, dict[str, int]]:
        self._begin_to_write()
        with deleting_files(self):
            return super().delete()

    delete.alters_data = True  # type: ignore[attr-defined]
    delete.queryset_only = True  # type: ignore[attr-defined]

    def bulk_create(self, objs: Iterable[ModelT], *args: Any, **kwargs: Any) -> list[ModelT]:
        self._begin_to_write()
        if kwargs.get("update_conflicts"):
            with self._upserting(objs := list(objs), kwargs):
                return super().bulk_create(objs, *args, **kwargs)
        rows = super().bulk_create(objs, *args, **kwargs)
        send_rows_changed(self.model, [row.pk for row in rows], self.db, is_created=True)
        return rows

    @contextmanager
    def _upserting(self, objs: list[ModelT], options: dict[str, Any]) -> Iterator[None]:
        """Create rows inside, or update those that exist, whose keys may differ from `objs`."""
        key = self.model._meta.pk.name
        names = [key if name == "pk" else name for name in options["unique_fields"]]
        same = models.Q(pk__in=[])
        for row in objs:
            same |= models.Q(**{name: getattr(row, name) for name in names})
        stored = self.model._base_manager.using(self.db).filter(same)
        with transaction.atomic(using=self.db):
            with updating_files(stored, options["update_fields"]):
                yield
            pks = list(stored.values_list("pk", flat=True))
            fields = frozenset(options["update_fields"])
            send_rows_changed(self.model, pks, self.db, fields=fields)


_BaseManager = models.Manager.from_queryset(BaseQuerySet)


class BaseManager(_BaseManager[ModelT]):
    """The manager that sends `rows_changed` after bulk operations.

    To use a custom QuerySet: `objects = BaseManager.from_queryset(ReceiptQuerySet)()`.
    """


def send_rows_changed(
    model: type[models.Model],
    pks: list[Any],
    using: str,
    *,
    fields: frozenset[str] = frozenset(),
    is_created: bool = False,
) -> None:
    if pks:
        rows_changed.send(model, pks=pks, using=using, fields=fields, is_created=is_created)


class BaseModel(models.Model):
    """A model with a UUIDv7 `id`, which sorts by creation time, and two timestamps."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        with replacing_files(self, kwargs.get("update_fields"), kwargs.get("using")):
            super().save(*args, **kwargs)

    def delete(
        self, using: str | None = None, keep_parents: bool = False
    ) -> tuple[int, dict[str, int]]:
        with deleting_files_of(self, using):
            return super().delete(using=using, keep_parents=keep_parents)

    delete.alters_data = True  # type: ignore[attr-defined]
