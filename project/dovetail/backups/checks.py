"""System checks for backups: settings with which none would be made, or all would be lost.

| Id | What it reports |
|---|---|
| `dovetail.E102` | a text in BACKUP_RECIPIENTS is no public key; also without `--deploy` |
| `dovetail.W125` | the folder of BACKUP_DIR does not exist |
| `dovetail.W126` | it is in the folder of the application, which a deployment replaces |
"""

import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core import checks

from dovetail.backups import encryption
from dovetail.backups.errors import BackupError


def check_recipients(**_: Any) -> list[checks.CheckMessage]:
    try:
        encryption.recipients(settings.BACKUP_RECIPIENTS)
    except BackupError as error:
        return [checks.Error(str(error), id="dovetail.E102")]
    return []


def check_folder(**_: Any) -> list[checks.CheckMessage]:
    path = settings.BACKUP_PLACE.get("OPTIONS", {}).get("path")
    if path is None:  # a bucket, or none
        return []
    folder = Path(os.path.realpath(path))
    if folder.is_relative_to(os.path.realpath(settings.BASE_DIR)):
        return [
            checks.Warning(
                f"Backups are stored in {folder}, inside the application's own folder, and are "
                "lost when that is replaced, as containers are.",
                hint="Set BACKUP_DIR to the whole path of a folder on another machine's disk.",
                id="dovetail.W126",
            )
        ]
    if not folder.is_dir():
        return [
            checks.Warning(
                f"There is no folder {folder} for backups here, so that none could be made.",
                hint="Create or mount it where the workers run, or set BACKUP_DIR to another.",
                id="dovetail.W125",
            )
        ]
    return []
