"""Deletes stored files that no row refers to any more.

A file goes when its row is deleted for good, or when another file or none takes its place; a
soft-deleted row keeps its files. It goes after the commit, so that a transaction that is rolled
back loses nothing, and only if no row of any model still has its name. The variants of an image
(`dovetail.media.variants`) go with it. Own code because django-cleanup deletes by the name that was
loaded, which a parallel request may have replaced.
"""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

from django.apps import apps
from django.db import models, router, transaction
from django.db.models.signals import pre_delete
from django.dispatch import Signal

from dovetail.media.variants import VariantsField, variants_of

# Sent when a row was saved with another file than before, or without one, before the commit.
# Arguments: `sender` (the model), `instance`, `fields` (their names) and `using`.
files_changed = Signal()


@cache
def file_fields(model: type[models.Model]) -> tuple["models.FileField", ...]:
    return tuple(
        field for field in model._meta.concrete_fields if isinstance(field, models.FileField)
    )


@contextmanager
def replacing_files(
    row: models.Model, update_fields: Collection[str] | None, using: str | None
) -> Iterator[None]:
    """Save a row inside; the files that it replaces are deleted on commit."""
    fields = [
        field
        for field in file_fields(type(row))
        if field.attname in row.__dict__ and (update_fields is None or field.name in update_fields)
    ]
    if not fields:
        yield
        return
    using = using or router.db_for_write(type(row), instance=row)
    with transaction.atomic(using=using):
        # What is stored now, not what was loaded; and locked, so that no file is missed.
        rows = type(row)._base_manager.using(using).filter(pk=row.pk)
        records = [field for field in _records(type(row)) if field.attname in row.__dict__]
        names = [field.attname for field in fields]
        locked = rows.select_for_update(no_key=True).values(
            *names, *[record.attname for record in records]
        )
        stored = locked.first() or {}
        for record in records:
            if stored:  # Only tasks change it, maybe since this row was loaded.
                setattr(row, record.attname, stored[record.attname])
            record.measure(row)
        yield
        changed = []
        for field in fields:
            old = stored.get(field.attname) or ""
            if old == (getattr(row, field.attname).name or ""):
                continue
            changed.append(field.name)
            if old:
                delete_unused(field, [old], using)
        if changed:
            files_changed.send(type(row), instance=row, fields=changed, using=using)


@contextmanager
def updating_files(rows: models.QuerySet[Any], values: Collection[str]) -> Iterator[None]:
    """Update rows in bulk inside; the files that this replaces are deleted on commit.

    Args:
        rows: the rows.
        values: the names of the updated fields.
    """
    model: type[models.Model] = rows.model
    fields = [field for field in file_fields(model) if field.name in values]
    if not fields:
        yield
        return
    with transaction.atomic(using=rows.db):
        stored = list(_locked(rows).values_list(*[field.attname for field in fields]))
        for number, field in enumerate(fields):
            delete_unused(field, [row[number] for row in stored if row[number]], rows.db)
        yield


@contextmanager
def deleting_files(rows: models.QuerySet[Any]) -> Iterator[None]:
    """Delete rows for good inside; until then, no one gives them files that would be left over."""
    model: type[models.Model] = rows.model
    if not file_fields(model):
        yield
        return
    with transaction.atomic(using=rows.db):
        list(_locked(rows).values_list("pk"))
        yield


@contextmanager
def deleting_files_of(row: models.Model, using: str | None) -> Iterator[None]:
    """Delete a row for good inside; the files that it has by now are deleted on commit."""
    fields = [field.name for field in file_fields(type(row))]
    if not fields:
        yield
        return
    using = using or router.db_for_write(type(row), instance=row)
    with transaction.atomic(using=using):
        rows = type(row)._base_manager.using(using).select_for_update()
        # Otherwise it is gone already, and its files with it.
        with suppress(type(row).DoesNotExist):  # type: ignore[attr-defined]
            row.refresh_from_db(using=using, fields=fields, from_queryset=rows)
        yield


def _locked(rows: models.QuerySet[Any]) -> models.QuerySet[Any]:
    wanted = rows.order_by().values("pk")
    model: type[models.Model] = rows.model
    base = model._base_manager.using(rows.db)
    return base.filter(pk__in=wanted).select_for_update(of=("self",))


@cache
def _records(model: type[models.Model]) -> tuple[VariantsField, ...]:
    return tuple(field for field in model._meta.concrete_fields if isinstance(field, VariantsField))


def delete_unused(field: models.FileField, names: Iterable[str], using: str) -> None:
    """Delete those of a field's files that no row refers to, with their variants, on commit."""
    unique, variants = set(names), variants_of(field)

    def delete() -> None:
        for name in sorted(unique - used_names(unique, using)):
            for file in (*(variants.names(name) if variants else ()), name):
                field.storage.delete(file)

    if unique:
        transaction.on_commit(delete, using=using, robust=True)


def used_names(names: set[str], using: str) -> set[str]:
    """Return those of these names of files that a row of any model refers to."""
    used: set[str] = set()
    for model in apps.get_models():
        if model._meta.proxy or not model._meta.managed:
            continue
        for field in file_fields(model):
            rows = model._base_manager.using(using).filter(**{f"{field.name}__in": names})
            used |= set(rows.values_list(field.attname, flat=True))
    return used


def _on_delete(sender: type[models.Model], instance: models.Model, using: str, **_: Any) -> None:
    own = sender._meta.concrete_model or sender
    for field in own._meta.local_concrete_fields:  # those of a parent are sent for it
        if isinstance(field, models.FileField) and (name := getattr(instance, field.attname).name):
            delete_unused(field, [name], using)


def connect() -> None:
    """Delete the files of rows that are deleted. Called once, when the apps are ready."""
    for model in apps.get_models():
        if file_fields(model):
            uid = f"dovetail.media.cleanup.{model._meta.label}"
            pre_delete.connect(_on_delete, sender=model, dispatch_uid=uid)
