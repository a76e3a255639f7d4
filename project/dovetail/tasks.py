"""The kit's Celery tasks, in the module where Celery discovers them."""

from dovetail.mail.tasks import deliver_mail
from dovetail.turbo.tasks import render_broadcast

__all__ = ["deliver_mail", "render_broadcast"]
