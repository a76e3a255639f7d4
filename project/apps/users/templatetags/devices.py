from django import template

from apps.users.devices import describe

register = template.Library()


@register.filter
def device(user_agent: str) -> str:
    """Return the name of a user agent's browser, such as "Firefox on Linux"."""
    return describe(user_agent)
