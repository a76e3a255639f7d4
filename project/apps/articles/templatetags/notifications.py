from django import template
from django.contrib.auth.models import AnonymousUser

from apps.articles.discussion import Notification
from apps.users.models import User

register = template.Library()


@register.simple_tag
def unread_notifications(user: User | AnonymousUser) -> int:
    """Return how many notes this person has not read."""
    return Notification.objects.for_person(user).unread().count()
