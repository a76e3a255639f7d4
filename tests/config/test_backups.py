"""The settings of backups."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from django.core.exceptions import ImproperlyConfigured

from tests.config.test_settings import load

__all__ = ["load"]

Load = Callable[..., ModuleType]
BUCKET = {"BACKUP_S3_BUCKET": "backups", "BACKUP_S3_REGION": "eu-central-1"}


def test_nothing_is_scheduled_by_default(load: Load) -> None:
    settings = load()

    assert settings.BACKUP_PLACE == {}
    assert "back-up" not in settings.CELERY_BEAT_SCHEDULE


def test_schedule(load: Load, tmp_path: Path) -> None:
    settings = load(BACKUP_AT="02:05", BACKUP_DIR=str(tmp_path))

    entry = settings.CELERY_BEAT_SCHEDULE["back-up"]
    assert (entry["schedule"].hour, entry["schedule"].minute) == ({2}, {5})
    assert settings.BACKUP_PLACE["OPTIONS"] == {"path": tmp_path}


@pytest.mark.parametrize(
    ("prefix", "expected"), [("", ""), ("site", "site/"), ("/a/b-1.x/", "a/b-1.x/")]
)
def test_bucket(load: Load, prefix: str, expected: str) -> None:
    settings = load(**BUCKET, BACKUP_S3_PREFIX=prefix)

    options = settings.BACKUP_PLACE["OPTIONS"]
    assert (options["bucket_name"], options["prefix"]) == ("backups", expected)
    assert options["endpoint_url"] == "https://s3.eu-central-1.amazonaws.com"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"BACKUP_AT": "2:15"}, "BACKUP_AT must be a time in UTC, such as 02:15."),
        ({"BACKUP_AT": "24:00"}, "BACKUP_AT must be a time in UTC"),
        ({"BACKUP_AT": "٠٢:15"}, "BACKUP_AT must be a time in UTC"),
        ({"BACKUP_AT": "02:15"}, "BACKUP_AT is set, but no place for backups"),
        (BUCKET | {"BACKUP_DIR": "/backups"}, "BACKUP_DIR and BACKUP_S3_BUCKET are both set"),
        ({"BACKUP_S3_BUCKET": "s3://x"}, "BACKUP_S3_BUCKET must be the name of a bucket"),
        ({"BACKUP_S3_BUCKET": "backups"}, "BACKUP_S3_REGION must be set to the region"),
        (BUCKET | {"BACKUP_S3_ACCESS_KEY_ID": "key"}, "BACKUP_S3_ACCESS_KEY_ID and BACKUP_S3_SEC"),
        (BUCKET | {"BACKUP_S3_PREFIX": "a//b"}, "BACKUP_S3_PREFIX must consist of letters"),
        (BUCKET | {"BACKUP_S3_PREFIX": "ä"}, "BACKUP_S3_PREFIX must consist of letters"),
        ({"BACKUP_KEEP_DAILY": "-1"}, "BACKUP_KEEP_DAILY must be a whole number of at least 0."),
        ({"BACKUP_JOBS": "0"}, "BACKUP_JOBS must be a whole number of at least 1."),
        ({"BACKUP_UPLOADS": "maybe"}, "BACKUP_UPLOADS must be true or false."),
    ],
)
def test_what_cannot_work_is_named(load: Load, changes: dict[str, str], text: str) -> None:
    with pytest.raises(ImproperlyConfigured) as error:
        load(**changes)

    assert str(error.value).startswith(text)
    assert str(error.value).endswith(".")


def test_missing_extra_is_named(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: None if name in {"pyrage", "boto3"} else name
    )

    with pytest.raises(ImproperlyConfigured, match=r"^BACKUP_RECIPIENTS is set, .* --extra backup"):
        load(BACKUP_RECIPIENTS="age1x")
    with pytest.raises(ImproperlyConfigured, match=r"^BACKUP_S3_BUCKET is set, .* --extra s3"):
        load(**BUCKET)
