"""Times in settings, as schedules of Celery."""

import re

from celery.schedules import crontab
from django.core.exceptions import ImproperlyConfigured

TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")


def daily(name: str, text: str) -> crontab:
    """Return the schedule for a time of each day, in UTC.

    Raises:
        ImproperlyConfigured: it is no time.
    """
    match = TIME.fullmatch(text)
    if match is None:
        raise ImproperlyConfigured(f"{name} must be a time in UTC, such as 02:15.")
    return crontab(hour=match[1], minute=match[2])
