"""The kit's Celery tasks, in the module where Celery discovers them."""

from dovetail.backups.tasks import back_up
from dovetail.mail.tasks import deliver_mail
from dovetail.media.tasks import delete_orphaned_files, make_missing_variants, make_variants
from dovetail.tasks.dead_letters import collect_dead_letters
from dovetail.tasks.failures import remove_old_failures
from dovetail.tasks.once import remove_old_records
from dovetail.tasks.outbox import drain_outbox
from dovetail.turbo.tasks import render_broadcast

__all__ = [
    "back_up",
    "collect_dead_letters",
    "delete_orphaned_files",
    "deliver_mail",
    "drain_outbox",
    "make_missing_variants",
    "make_variants",
    "remove_old_failures",
    "remove_old_records",
    "render_broadcast",
]
