"""The kit's Celery tasks, in the module where Celery discovers them."""

from dovetail.mail.tasks import deliver_mail
from dovetail.tasks.dead_letters import collect_dead_letters
from dovetail.tasks.failures import remove_old_failures
from dovetail.tasks.once import remove_old_records
from dovetail.tasks.outbox import drain_outbox
from dovetail.turbo.tasks import render_broadcast

__all__ = [
    "collect_dead_letters",
    "deliver_mail",
    "drain_outbox",
    "remove_old_failures",
    "remove_old_records",
    "render_broadcast",
]
