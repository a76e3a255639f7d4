"""Which backups are kept: the newest of each of the last days, weeks and months that have one."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from django.conf import settings

from dovetail.backups import pieces
from dovetail.backups.manifest import Manifest
from dovetail.backups.places import Place

PERIODS = {"daily": "%Y-%m-%d", "weekly": "%G-%V", "monthly": "%Y-%m"}


def surplus(
    backups: Sequence[Manifest], keep: Mapping[str, int], just_made: str = ""
) -> list[Manifest]:
    """Return those of complete backups that are not kept, oldest first.

    The newest one is always kept. If all numbers are 0, all are.

    Args:
        backups: all of one site and of one kind, with or without uploads.
        keep: the number of days, weeks and months, by the names in `PERIODS`.
        just_made: the name of one that is kept, and the newest of those of the same second.
    """
    if not any(keep.values()):
        return []
    newest_first = sorted(
        backups, key=lambda each: (_time(each), each.name == just_made, each.name), reverse=True
    )
    kept = {just_made, *(backup.name for backup in newest_first[:1])}
    for period, pattern in PERIODS.items():
        last: dict[str, str] = {}
        for backup in newest_first:
            last.setdefault(_time(backup).strftime(pattern), backup.name)
        kept |= set(list(last.values())[: keep[period]])
    return [backup for backup in reversed(newest_first) if backup.name not in kept]


def _time(backup: Manifest) -> datetime:
    return datetime.fromisoformat(backup.made_at).astimezone(UTC)


def prune(place: Place, just_made: str, warn: Callable[[str], None]) -> list[str]:
    """Delete the complete backups of this site that are not kept, and return their names.

    Backups without uploads take the place of no backup that has them. Those that are dated in the
    future, as by a clock that was wrong, are neither counted nor deleted: their age is unknown.

    Args:
        place: where they are.
        just_made: the name of a backup that is kept, however the clock dated it.
        warn: called with a sentence about each backup of the future.
    """
    own = [found for found in pieces.complete(place) if found.site == settings.SITE_URL]
    dated = []
    for backup in own:
        if pieces.is_of_the_future(_time(backup)):
            warn(
                f"The backup {backup.name} is dated in the future, and is not deleted: check the "
                "clock, and delete it by hand if it is not needed."
            )
        else:
            dated.append(backup)
    groups = [[each for each in dated if each.has_uploads is has] for has in (True, False)]
    unwanted = [
        each for group in groups for each in surplus(group, settings.BACKUP_KEEP, just_made)
    ]
    names = sorted(backup.name for backup in unwanted)
    for name in names:
        place.remove(name)
    return names
