from django import template

from apps.users.models import User
from dovetail.mail.models import Suppression

register = template.Library()


@register.simple_tag
def mail_problem(user: User) -> Suppression | None:
    """Return why a person gets only the necessary mail, None if they get all of it."""
    return Suppression.objects.for_address(user.email).first()
