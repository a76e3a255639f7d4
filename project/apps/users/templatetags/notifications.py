from django import template
from django.contrib.auth.models import AnonymousUser

from apps.users.models import Notification, User

register = template.Library()


@register.simple_tag
def unread_notifications(user: User | AnonymousUser) -> int:
    """Return how many unread notifications a person has."""
    return Notification.objects.for_person(user).unread().count()
