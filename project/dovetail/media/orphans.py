"""Finds and deletes stored files that no row refers to any more.

`dovetail.media.cleanup` deletes a file together with its row, after the commit. What remains is
left by processes that were killed in between, by storages that were unavailable, by raw SQL, and by
variants that are no longer declared.

Only names that `RandomName` gives count, in the folders of fields that use it and in that of files
that were sent before their form, with their variants, and those that were never written to the end;
whatever else is in the storage stays. So do files of the last day, whose rows may not be committed
yet. A variant is in use if a row has its original, and lists it or has yet to get its variants.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from django.core.files.storage import default_storage
from django.db import DEFAULT_DB_ALIAS
from django.utils import timezone

from dovetail.media.access import owners
from dovetail.media.cleanup import used_names
from dovetail.media.names import INCOMING, RANDOM, original_of, variant_name, whole_name
from dovetail.media.variants import FORMATS, variants_of

GRACE = timedelta(days=1)
BATCH = 500  # files that are looked for in the database at once


@dataclass(frozen=True)
class Orphan:
    """A file that no row refers to.

    Attributes:
        name: in the storage.
        size: in bytes.
    """

    name: str
    size: int


def find(grace: timedelta = GRACE) -> Iterator[Orphan]:
    """Yield the orphans in the storage.

    The names of one folder are in memory, about 150 bytes each, since a storage lists them at once.

    Args:
        grace: how old a file has to be.
    """
    until = timezone.now() - grace
    for folder in {*owners(), INCOMING}:
        names = _names(folder)
        while batch := list(islice(names, BATCH)):
            used = _used(folder, batch)
            for name in batch:
                if name not in used and (orphan := _orphan(name, until)):
                    yield orphan


def delete(orphan: Orphan) -> bool:
    """Delete an orphan, unless a row refers to it by now. Return whether it is deleted."""
    folder = orphan.name.rpartition("/")[0]
    if _used(folder, [orphan.name]):
        return False
    default_storage.delete(orphan.name)
    return True


def _names(folder: str) -> Iterator[str]:
    try:
        _, files = default_storage.listdir(folder)
    except FileNotFoundError:  # nothing has been stored yet
        return
    for file in files:
        whole = whole_name(file)
        if RANDOM.fullmatch(original_of(whole) or whole):
            yield f"{folder}/{file}"


def _orphan(name: str, until: datetime) -> Orphan | None:
    try:
        if default_storage.get_modified_time(name) < until:
            return Orphan(name, default_storage.size(name))
    except FileNotFoundError:  # deleted just now
        pass
    return None


def _used(folder: str, names: list[str]) -> set[str]:
    """Return those of these files that are in use."""
    originals = {original for name in names if (original := original_of(name))}
    used = used_names({*names, *originals}, DEFAULT_DB_ALIAS)
    wanted = originals & used
    for model, fields in owners().get(folder, {}).items() if wanted else ():
        for field in fields:
            variants = variants_of(model._meta.get_field(field))
            if variants is None:
                continue
            rows = model._base_manager.filter(**{f"{field}__in": wanted})
            for name, record in rows.values_list(field, variants.name):
                if variants.is_done(record, name):
                    made = record.get("made", ())
                    used |= {variant_name(name, key, kind) for key in made for kind in FORMATS}
                else:  # a task may be making them at this moment
                    used |= {found for found in names if original_of(found) == name}
    return used & set(names)
