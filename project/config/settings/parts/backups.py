"""Where backups are stored, when, and for how long."""

from importlib.util import find_spec
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from config import env, s3, schedules
from config.settings.parts.celery import CELERY_BEAT_SCHEDULE
from config.settings.parts.paths import DATA_DIR

# The folder of pg_dump and pg_restore; without it, they are on PATH.
PG_BIN = str(env.folder("PG_BIN", DATA_DIR)) if env.str("PG_BIN", "", lines=True) else ""
BACKUP_WORK_DIR = env.folder("BACKUP_WORK_DIR", DATA_DIR / "work")
BACKUP_UPLOADS = env.bool("BACKUP_UPLOADS", default=True)
BACKUP_JOBS = env.int("BACKUP_JOBS", 2, least=1, most=64)
# Public keys of age. dovetail.backups.encryption reads them, because it is an extra.
BACKUP_RECIPIENTS = env.list("BACKUP_RECIPIENTS", "")
BACKUP_KEEP = {
    "daily": env.int("BACKUP_KEEP_DAILY", 7),
    "weekly": env.int("BACKUP_KEEP_WEEKLY", 4),
    "monthly": env.int("BACKUP_KEEP_MONTHLY", 6),
}

BACKUP_PLACE: dict[str, Any] = {}
_folder = env.str("BACKUP_DIR", "", lines=True)
_bucket = s3.Bucket(
    name=env.str("BACKUP_S3_BUCKET", ""),
    endpoint_url=env.url("BACKUP_S3_ENDPOINT_URL", "http", "https", default=""),
    region=env.str("BACKUP_S3_REGION", ""),
    key=env.str("BACKUP_S3_ACCESS_KEY_ID", ""),
    secret=env.str("BACKUP_S3_SECRET_ACCESS_KEY", ""),
    addressing_style=env.str("BACKUP_S3_ADDRESSING_STYLE", ""),
    setting="BACKUP_S3_",
)
_prefix = s3.prefix("BACKUP_S3_PREFIX", env.str("BACKUP_S3_PREFIX", ""))
if _folder and _bucket.name:
    raise ImproperlyConfigured(
        "BACKUP_DIR and BACKUP_S3_BUCKET are both set: unset one, and copy backups elsewhere with "
        "`manage.py backup --to`."
    )
if _folder:
    BACKUP_PLACE = {
        "BACKEND": "dovetail.backups.places.Folder",
        "OPTIONS": {"path": env.folder("BACKUP_DIR", DATA_DIR)},
    }
elif _bucket.name:
    if not find_spec("storages") or not find_spec("boto3"):
        raise ImproperlyConfigured(
            "BACKUP_S3_BUCKET is set, but the client for S3 is not installed: install the extra "
            "with `uv sync --extra s3`, or unset BACKUP_S3_BUCKET."
        )
    _bucket.check()
    BACKUP_PLACE = {
        "BACKEND": "dovetail.backups.places.Bucket",
        "OPTIONS": _bucket.options() | {"prefix": _prefix},
    }
if BACKUP_RECIPIENTS and not find_spec("pyrage"):
    raise ImproperlyConfigured(
        "BACKUP_RECIPIENTS is set, but pyrage is not installed: install the extra with `uv sync "
        "--extra backup`, or unset BACKUP_RECIPIENTS."
    )

if _at := env.str("BACKUP_AT", ""):
    _schedule = schedules.daily("BACKUP_AT", _at)
    if not BACKUP_PLACE:
        raise ImproperlyConfigured(
            "BACKUP_AT is set, but no place for backups: set BACKUP_DIR or BACKUP_S3_BUCKET."
        )
    CELERY_BEAT_SCHEDULE["back-up"] = {
        "task": "dovetail.backups.tasks.back_up",
        "schedule": _schedule,
        # Not twice in a row, after a time without workers.
        "options": {"expires": 12 * 3600},
    }
