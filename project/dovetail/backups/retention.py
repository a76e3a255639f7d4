"""Which backups are kept: the newest of each of the last days, weeks and months that have one."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.conf import settings

from dovetail.backups import pieces
from dovetail.backups.manifest import Manifest
from dovetail.backups.places import Place

PERIODS = {"daily": "%Y-%m-%d", "weekly": "%G-%V", "monthly": "%Y-%m"}


def surplus(backups: Sequence[Manifest], keep: Mapping[str, int]) -> list[Manifest]:
    """Return those of complete backups that are not kept, oldest first.

    The newest one is always kept. If all numbers are 0, all are.

    Args:
        backups: all of one site.
        keep: the number of days, weeks and months, by the names in `PERIODS`.
    """
    if not any(keep.values()):
        return []
    newest_first = sorted(backups, key=lambda backup: backup.made_at, reverse=True)
    kept = {backup.name for backup in newest_first[:1]}
    for period, pattern in PERIODS.items():
        last: dict[str, str] = {}
        for backup in newest_first:
            last.setdefault(datetime.fromisoformat(backup.made_at).strftime(pattern), backup.name)
        kept |= set(list(last.values())[: keep[period]])
    return [backup for backup in reversed(newest_first) if backup.name not in kept]


def prune(place: Place) -> list[str]:
    """Delete the complete backups of this site that are not kept, and return their names."""
    own = [found for found in pieces.complete(place) if found.site == settings.SITE_URL]
    names = [backup.name for backup in surplus(own, settings.BACKUP_KEEP)]
    for name in names:
        place.remove(name)
    return names
