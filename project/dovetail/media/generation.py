"""Makes the variants of images, and tells which are missing.

A task calls this (`dovetail.media.tasks`). It may run twice, or when its row or its file is gone:
the files have names that follow from the original, and the row is updated only if it still has that
original. Otherwise what was made is deleted again, so that nothing is left behind.

An original is decoded once for all variants, and each of them is made from the next larger one.
"""

import io
import logging
from collections.abc import Iterator
from typing import Any

from celery.exceptions import SoftTimeLimitExceeded
from django.apps import apps
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.core.files.storage import Storage
from django.db import DEFAULT_DB_ALIAS, models, transaction
from imagekit.processors import ProcessorPipeline

from dovetail.media.cleanup import delete_unused
from dovetail.media.images import open_image
from dovetail.media.variants import VariantsField
from dovetail.models.base import send_rows_changed

logger = logging.getLogger(__name__)

BATCH = 500  # rows that are read at once
ATTEMPTS = 5  # to store a file that other runs store at the same time
MISSING, UNREADABLE, TOO_LARGE, TOO_SLOW = "missing", "unreadable", "too large", "too slow"


def variants_fields() -> list[VariantsField]:
    """Return all fields that declare variants."""
    return [
        field
        for model in apps.get_models()
        for field in model._meta.local_concrete_fields
        if isinstance(field, VariantsField) and model._meta.managed
    ]


def make_variants(
    variants: VariantsField,
    pk: Any,
    name: str,
    *,
    again: bool = False,
    using: str = DEFAULT_DB_ALIAS,
) -> str:
    """Make the variants of a row's image, record them on the row, and refresh open pages.

    Args:
        variants: declares them.
        pk: of the row.
        name: of the original. If the row has another one by now, nothing is made.
        again: make those that exist, too.
        using: the alias of the database.

    Returns:
        "made", "kept" if they existed, "gone" if the row or its file is, or the fault of the
        original, which is recorded so that it isn't tried again: "missing", "unreadable",
        "too large" or "too slow".
    """
    source: Any = variants.model._meta.get_field(variants.source)
    rows = variants.model._base_manager.using(using).filter(pk=pk, **{source.name: name})
    row = rows.only(source.name, variants.name).first()
    if row is None:
        delete_unused(source, [name], using)  # what an interrupted run may have left
        return "gone"
    if variants.is_done(getattr(row, variants.attname), name) and not again:
        return "kept"
    file = getattr(row, source.attname)
    record: dict[str, Any] = {"file": name}
    try:
        contents, size = _encode_all(variants, file)
        record["width"], record["height"] = size
        record["made"] = variants.plan(size[0])
        for variant, content in contents.items():
            _store(file.storage, variant, content)
    except FaultError as fault:
        logger.warning(
            "No variants of %s of %s %s: the original is %s",
            *(name, variants.model._meta.label, pk, fault),
        )
        record["fault"] = str(fault)
    except SoftTimeLimitExceeded:
        logger.exception("Making the variants of %s takes too long", name)
        record["fault"] = TOO_SLOW
    if not _update(rows, variants, pk, record):
        delete_unused(source, [name], using)
        return "gone"
    return str(record.get("fault", "made"))


class FaultError(Exception):
    """The original is missing, or cannot be decoded."""


def _encode_all(
    variants: VariantsField, file: Any
) -> tuple[dict[str, ContentFile[bytes]], tuple[int, int]]:
    """Return the content of all variants by their names, and the size of the original.

    Raises:
        FaultError: the original is missing, or cannot be decoded.
        ValidationError: the process is busy with other images.
    """
    try:
        with file.storage.open(file.name) as stored:
            limit = 2 * settings.IMAGE_MAX_BYTES  # encoded again, an upload may be larger than sent
            content = stored.read(limit + 1)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise FaultError(MISSING) from error
    if len(content) > limit:
        raise FaultError(TOO_LARGE)
    try:
        image, size = open_image(content, max(variants.widths.values()))
    except ValidationError as error:
        if error.code == "busy":
            raise  # this process, with other images
        raise FaultError(UNREADABLE) from error
    planned, contents = variants.plan(size[0]), {}
    for variant, spec in variants.specs(file):
        if variant not in planned:
            continue
        image = ProcessorPipeline(spec.processors).process(image)
        output = io.BytesIO()
        image.save(output, spec.format, **spec.options)
        encoded = ContentFile(output.getvalue())
        encoded.content_type = f"image/{spec.format.lower()}"  # type: ignore[attr-defined] # for S3
        contents[str(spec.cachefile_name)] = encoded
    return contents, size


def _store(storage: Storage, name: str, content: ContentFile[bytes]) -> None:
    """Store a file under this name, in place of what an earlier run has left there."""
    for attempt in range(1, ATTEMPTS + 1):
        storage.delete(name)
        try:
            stored = storage.save(name, content)
        except FileNotFoundError:  # another run has deleted it while it was stored
            if attempt == ATTEMPTS:
                raise
        else:
            if stored != name:  # another run has stored it just now
                storage.delete(stored)
            return


def _update(
    rows: "models.QuerySet[Any]", variants: VariantsField, pk: Any, record: dict[str, Any]
) -> bool:
    """Record what exists, without a change of `updated_at`; return whether the row is there."""
    with transaction.atomic(using=rows.db):
        # Not the update of the kit's QuerySets, whose query for the keys comes before the lock.
        changed = rows.update(**{variants.name: record})
        if changed:
            fields = frozenset({variants.name})
            send_rows_changed(variants.model, [pk], rows.db, fields=fields)
    return bool(changed)


def originals(
    variants: VariantsField,
    *,
    again: bool = False,
    after: Any = None,
    using: str = DEFAULT_DB_ALIAS,
) -> Iterator[tuple[Any, str]]:
    """Yield the primary key and the image of each row that lacks variants, in order of the keys.

    Soft-deleted rows are among them. A few hundred rows are in memory at a time.

    Args:
        variants: declares the variants.
        again: yield all rows with an image.
        after: begin after the row with this key.
        using: the alias of the database.
    """
    rows = variants.model._base_manager.using(using).exclude(**{variants.source: ""}).order_by("pk")
    while True:
        more = rows if after is None else rows.filter(pk__gt=after)
        batch = list(more.values_list("pk", variants.source, variants.name)[:BATCH])
        for pk, name, record in batch:
            if name and (again or not variants.is_done(record, name)):
                yield pk, name
        if len(batch) < BATCH:
            return
        after = batch[-1][0]
