from django import template
from django.contrib.auth.models import AnonymousUser
from django.db.models import Count

from apps.users.models import Notification, User
from dovetail.models.prepared import Prepared

register = template.Library()

UNREAD = Prepared(
    lambda pk: (
        Notification.objects.filter(recipient_id=pk)
        .unread()
        .order_by()
        .values("recipient_id")
        .annotate(number=Count("pk"))
        .values_list("number")
    )
)


@register.simple_tag
def unread_notifications(user: User | AnonymousUser) -> int:
    """Return how many unread notifications a person has."""
    rows = UNREAD.rows(user.pk) if user.pk else []
    return rows[0][0] if rows else 0
