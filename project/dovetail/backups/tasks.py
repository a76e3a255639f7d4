"""The backup that beat asks for, if BACKUP_AT is set."""

import logging

from celery import shared_task
from django.conf import settings

from dovetail.backups import places, retention
from dovetail.backups.creating import create

logger = logging.getLogger(__name__)

HOURS = 3600  # seconds


@shared_task(
    # Otherwise RabbitMQ takes a message back that is not acknowledged within half an hour, and
    # Valkey within one, and another worker begins again.
    acks_late=False,
    autoretry_for=(),  # the failure is recorded, and the next one comes tomorrow
    soft_time_limit=12 * HOURS,
    time_limit=12 * HOURS + 300,
    ignore_result=True,
)
def back_up() -> None:
    """Make a backup in the place of the settings, and delete those that are not kept."""
    place = places.configured()
    made = create(place, with_uploads=settings.BACKUP_UPLOADS, report=logger.info)
    logger.info("Made the backup %s in %s", made.name, place)
    for name in retention.prune(place, made.name, logger.warning):
        logger.info("Deleted the backup %s, as BACKUP_KEEP_… says", name)
