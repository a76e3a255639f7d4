from django import template

from apps.users.devices import describe

register = template.Library()


@register.filter
def device(user_agent: str) -> str:
    return describe(user_agent)
