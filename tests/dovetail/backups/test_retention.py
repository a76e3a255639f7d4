"""Which backups are kept."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from dovetail.backups import pieces, places, retention
from dovetail.backups.errors import BackupError
from dovetail.backups.manifest import Manifest

NOW = datetime(2026, 11, 29, 2, 15, tzinfo=UTC)  # a Sunday


def backup(
    at: datetime, site: str = "https://site.example", *, has_uploads: bool = False
) -> Manifest:
    return Manifest(
        name=f"{at:%Y%m%dT%H%M%SZ}-0000",
        made_at=at.isoformat(),
        site=site,
        release="",
        django="",
        server=170000,
        pg_dump=17,
        migrations=[],
        rows={},
        search_indexes=[],
        extensions={},
        has_uploads=has_uploads,
        uploads=0,
        encrypted=False,
        files={"size": 0, "sha256": ""},
    )


def kept(backups: list[Manifest], **keep: int) -> list[str]:
    surplus = retention.surplus(backups, {"daily": 0, "weekly": 0, "monthly": 0} | keep)
    return [each.name[:8] for each in backups if each not in surplus]


def test_newest_of_each_day_week_and_month() -> None:
    year = [backup(NOW - timedelta(days=days)) for days in range(365)][::-1]

    assert kept(year, daily=3) == ["20261127", "20261128", "20261129"]
    assert kept(year, weekly=3) == ["20261115", "20261122", "20261129"]
    assert kept(year, monthly=3) == ["20260930", "20261031", "20261129"]
    assert kept(year, daily=1, weekly=2, monthly=2) == ["20261031", "20261122", "20261129"]


def test_of_one_day_the_newest_stays() -> None:
    day = [backup(NOW + timedelta(hours=hours)) for hours in range(3)]

    assert retention.surplus(day, {"daily": 7, "weekly": 4, "monthly": 6}) == day[:2]


def test_days_without_a_backup_are_not_counted() -> None:
    """Kind: a site that made none for a month, as while its disk was full, loses all it has."""
    old = [backup(NOW - timedelta(days=days)) for days in (90, 60, 30)]

    assert len(kept(old, daily=3)) == 3


@pytest.mark.parametrize("number", [0, 1, 5])
def test_last_one_is_never_deleted(number: int) -> None:
    only = [backup(NOW)]

    assert retention.surplus(only, {"daily": 0, "weekly": 0, "monthly": number}) == []


def test_zeros_keep_all() -> None:
    assert len(kept([backup(NOW - timedelta(days=days)) for days in range(9)])) == 9


def test_only_complete_backups_of_this_site_are_deleted(settings: Settings, tmp_path: Path) -> None:
    settings.SITE_URL = "https://site.example"
    settings.BACKUP_KEEP = {"daily": 1, "weekly": 0, "monthly": 0}
    place = places.Folder(tmp_path)
    warnings: list[str] = []
    day = timedelta(days=1)
    other = backup(NOW - 3 * day, "https://staging.example")
    for each in (backup(NOW), backup(NOW - day), backup(NOW - 2 * day), other):
        pieces.put_manifest(place, each)
    (tmp_path / "20261130T000000Z-0000").mkdir()  # the newest of all, but incomplete

    assert len(retention.prune(place, "", warnings.append)) == 2

    assert place.names() == [other.name, backup(NOW).name, "20261130T000000Z-0000"]
    assert warnings == []


def test_backup_with_uploads_gives_way_to_none_without(settings: Settings, tmp_path: Path) -> None:
    settings.SITE_URL = "https://site.example"
    settings.BACKUP_KEEP = {"daily": 1, "weekly": 0, "monthly": 0}
    place = places.Folder(tmp_path)
    whole = [backup(NOW - timedelta(hours=hours), has_uploads=True) for hours in (5, 4)]
    database = [backup(NOW - timedelta(hours=hours)) for hours in (3, 2)]
    for each in (*whole, *database):
        pieces.put_manifest(place, each)

    assert retention.prune(place, database[1].name, lambda _: None) == [
        whole[0].name,
        database[0].name,
    ]


def test_backup_of_the_future_takes_the_place_of_none(settings: Settings, tmp_path: Path) -> None:
    """Kind: a clock that was wrong once deletes, from then on, what was made just now."""
    settings.SITE_URL = "https://site.example"
    settings.BACKUP_KEEP = {"daily": 1, "weekly": 0, "monthly": 0}
    place = places.Folder(tmp_path)
    now = datetime.now(UTC)
    future, made, former = (backup(now + timedelta(days=days)) for days in (999, 0, -1))
    for each in (future, made, former):
        pieces.put_manifest(place, each)
    warnings: list[str] = []

    assert pieces.newest(place) == made.name
    assert retention.prune(place, made.name, warnings.append) == [former.name]
    assert place.names() == [made.name, future.name]
    (warning,) = warnings
    assert f"{future.name} is dated in the future, and is not deleted: check the clock" in warning

    place.remove(made.name)
    with pytest.raises(BackupError, match=r"dated in the future: check this machine's clock"):
        pieces.newest(place)


def test_backup_just_made_stays_if_the_clock_was_set_back(
    settings: Settings, tmp_path: Path
) -> None:
    settings.SITE_URL = "https://site.example"
    settings.BACKUP_KEEP = {"daily": 1, "weekly": 0, "monthly": 0}
    place = places.Folder(tmp_path)
    made, newest = backup(NOW - timedelta(days=99)), backup(NOW)
    pieces.put_manifest(place, made)
    pieces.put_manifest(place, newest)

    assert retention.prune(place, made.name, lambda _: None) == []


def test_backup_of_this_site_is_preferred(tmp_path: Path) -> None:
    place = places.Folder(tmp_path)
    own, other = backup(NOW - timedelta(days=1)), backup(NOW, "https://staging.example")
    pieces.put_manifest(place, own)
    pieces.put_manifest(place, other)

    assert pieces.newest(place, own.site) == own.name
    assert pieces.newest(place, "https://new.example") == other.name
