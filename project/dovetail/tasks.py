"""The kit's tasks, gathered in the module that Celery imports."""

from dovetail.mail.tasks import deliver_mail
from dovetail.turbo.tasks import render_broadcast

__all__ = ["deliver_mail", "render_broadcast"]
