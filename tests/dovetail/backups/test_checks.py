"""Settings with which no backup would be made, and what `check` says about them."""

from pathlib import Path

import pytest
from django.conf import settings as project
from django.core import checks
from pytest_django.fixtures import Settings

from dovetail.backups import encryption
from dovetail.backups.checks import check_folder, check_recipients


def ids(messages: list[checks.CheckMessage]) -> list[str | None]:
    return [message.id for message in messages]


def test_recipient_that_is_no_key(settings: Settings) -> None:
    settings.BACKUP_RECIPIENTS = ["age1foo"]

    assert "dovetail.E102" in ids(checks.run_checks())

    settings.BACKUP_RECIPIENTS = [encryption.new_identity()[1]]
    assert check_recipients() == []


@pytest.mark.django_db
def test_folder_that_is_missing_or_goes_with_the_application(
    settings: Settings, tmp_path: Path
) -> None:
    for path, found in (
        (tmp_path, []),
        (tmp_path / "none", ["dovetail.W125"]),
        (project.BASE_DIR / "backups", ["dovetail.W126"]),
    ):
        settings.BACKUP_PLACE = {"BACKEND": "", "OPTIONS": {"path": path}}
        assert ids(check_folder()) == found

    settings.BACKUP_PLACE = {"BACKEND": "", "OPTIONS": {"path": tmp_path / "none"}}
    assert "dovetail.W125" in ids(checks.run_checks(include_deployment_checks=True))


def test_no_place_or_a_bucket_is_no_folder(settings: Settings) -> None:
    for place in ({}, {"BACKEND": "", "OPTIONS": {"bucket_name": "backups"}}):
        settings.BACKUP_PLACE = place
        assert check_folder() == []
