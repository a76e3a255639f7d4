"""Tells who may see an upload: those who may see a row that refers to it.

A file field with `upload_to=RandomName("covers")` owns the folder `covers`. If the QuerySet of its
model has a method `visible_to(user)`, a file in there belongs to those to whom it shows a row with
that file; the files of other models are public as long as a row refers to them. The rows are those
of the model's default manager, which for a `SoftDeleteModel` are the undeleted ones. A file that no
row refers to, or in a folder that no field owns, belongs to no one. A variant of an image belongs
to those to whom the image belongs.

Own code because the packages for private media ask for a view or a storage of its own for each
field, and a file would be public where that was forgotten.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any

from django.apps import apps
from django.contrib.auth.models import AnonymousUser
from django.core import checks
from django.core.files.storage import default_storage
from django.db import models

from dovetail.media.names import RandomName, original_of


def is_public(name: str) -> bool:
    """Return whether anyone may see the file with this name, with one query for each model."""
    return any(rows.exists() for rows in _rows(name, AnonymousUser()))


def is_visible(name: str, user: Any) -> bool:
    """Return whether this person, who is signed in, may see a file that is not public."""
    return any(rows.exists() for rows in _rows(name, user, is_limited=True))


def check_indexes(**_: Any) -> list[checks.CheckMessage]:
    """Report the file fields that each request for a file would search without an index."""
    return [
        checks.Warning(
            f"Each request for a file in the folder {folder!r} reads all rows of "
            f"{model._meta.label}.",
            hint=f'Add to its Meta.indexes: models.Index(fields=["{name}"], name="…").',
            obj=model,
            id="dovetail.W005",
        )
        for folder, models_ in owners().items()
        for model, names in models_.items()
        for name in names
        if not _is_indexed(model, name)
    ]


def _is_indexed(model: type[models.Model], name: str) -> bool:
    field: Any = model._meta.get_field(name)
    firsts = [index.fields[0] for index in model._meta.indexes if index.fields]
    return bool(field.db_index or field.unique or name in firsts)


def _rows(
    name: str, user: Any, *, is_limited: bool = False
) -> Iterator["models.QuerySet[models.Model]"]:
    """Yield the rows that this user may see with this file.

    Args:
        name: the name of the file.
        user: a person, or an `AnonymousUser`.
        is_limited: leave out the models that show all their rows to everyone.
    """
    names = [name, original] if (original := original_of(name)) else [name]
    for model, fields in owners().get(name.rpartition("/")[0], {}).items():
        rows: Any = model._default_manager.all()
        if hasattr(rows, "visible_to"):
            rows = rows.visible_to(user)
        elif is_limited:
            continue
        wanted = models.Q()
        for field in fields:
            wanted |= models.Q(**{f"{field}__in": names})
        yield rows.filter(wanted)


@cache
def owners() -> dict[str, dict[type[models.Model], list[str]]]:
    """Return the names of the file fields that own each folder of the storage, by their model."""
    found: dict[str, dict[type[models.Model], list[str]]] = {}
    for model in apps.get_models():
        for field in model._meta.local_concrete_fields:  # those of a parent are the parent's
            if (
                isinstance(field, models.FileField)
                and isinstance(field.upload_to, RandomName)
                and field.storage is default_storage
            ):
                fields = found.setdefault(field.upload_to.folder, {})
                fields.setdefault(model, []).append(field.name)
    return found
