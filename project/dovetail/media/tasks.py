import logging
from itertools import islice
from typing import Any

from celery import shared_task
from django.apps import apps
from django.db import models, transaction

from dovetail.media import generation, orphans
from dovetail.media.cleanup import files_changed
from dovetail.media.models import Upload
from dovetail.media.variants import VariantsField, variants_of

logger = logging.getLogger(__name__)

AT_ONCE = 1000  # images whose missing variants a night makes


@shared_task(
    autoretry_for=(Exception,),  # the storage is unavailable
    retry_backoff=10,
    retry_backoff_max=600,
    max_retries=6,
    soft_time_limit=60,
    time_limit=90,
)
def make_variants(model: str, variants: str, pk: str, name: str) -> None:
    """Make the variants of a row's image, if it still has it.

    Args:
        model: the label of its model.
        variants: the name of the field that declares them.
        pk: its primary key.
        name: of the image.
    """
    field: Any = apps.get_model(model)._meta.get_field(variants)
    generation.make_variants(field, pk, name)


@shared_task
def make_missing_variants() -> None:
    """Queue the variants that are missing because a task was lost, or since they are declared."""
    for variants in generation.variants_fields():
        missing = islice(generation.originals(variants), AT_ONCE)
        for pk, name in missing:
            make_variants.delay(variants.model._meta.label, variants.name, str(pk), name)


@shared_task
def delete_orphaned_files() -> None:
    """Delete stored files that no row refers to, because a process was killed, for example."""
    for orphan in orphans.find():
        if orphans.delete(orphan):
            logger.info("Deleted the orphaned file %s (%s bytes)", orphan.name, orphan.size)


@shared_task(ignore_result=True)
def delete_unused_uploads() -> None:
    """Delete the uploads that no form has taken in a day, and their files."""
    Upload.objects.expired().delete()


def connect() -> None:
    """Make variants whenever a row gets another image. Called once, when the apps are ready."""
    files_changed.connect(_on_files_changed)


def _on_files_changed(
    sender: type[models.Model], instance: models.Model, fields: list[str], using: str, **_: Any
) -> None:
    for field in fields:
        variants = variants_of(sender._meta.get_field(field))
        if variants is not None and (name := getattr(instance, field).name):
            _queue(variants, instance.pk, name, using)


def _queue(variants: VariantsField, pk: Any, name: str, using: str) -> None:
    label = variants.model._meta.label
    transaction.on_commit(
        lambda: make_variants.delay(label, variants.name, str(pk), name), using=using, robust=True
    )
