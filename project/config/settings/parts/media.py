"""Where uploads are stored, and their limits."""

from importlib.util import find_spec
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from config import env, s3
from config.settings.parts.paths import DATA_DIR

MEDIA_URL = "/media/"
MEDIA_ROOT = DATA_DIR / "media"
STORAGES: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": "dovetail.media.disk.DiskStorage"},
    "staticfiles": {"BACKEND": "dovetail.http.static.StaticFilesStorage"},
}
# In a bucket, if one is set.
S3_BUCKET = env.str("S3_BUCKET", "")
S3_URL_LIFETIME = env.int("S3_URL_LIFETIME", 3600, least=1)  # seconds
_s3 = s3.Bucket(
    name=S3_BUCKET,
    endpoint_url=env.url("S3_ENDPOINT_URL", "http", "https", default=""),
    region=env.str("S3_REGION", ""),
    key=env.str("S3_ACCESS_KEY_ID", ""),
    secret=env.str("S3_SECRET_ACCESS_KEY", ""),
    addressing_style=env.str("S3_ADDRESSING_STYLE", ""),
    custom_domain=env.str("S3_CUSTOM_DOMAIN", ""),
    lifetime=S3_URL_LIFETIME,
)
# Whence browsers load uploads, and where they send them; for the Content Security Policy.
UPLOAD_ORIGINS: list[str] = []
UPLOAD_TARGETS: list[str] = []
if S3_BUCKET:
    if not find_spec("storages") or not find_spec("boto3"):
        raise ImproperlyConfigured(
            "S3_BUCKET is set, but the client for S3 is not installed: install the extra with "
            "`uv sync --extra s3`, or unset S3_BUCKET."
        )
    _s3.check()
    STORAGES["default"] = {"BACKEND": "dovetail.media.s3.S3Storage", "OPTIONS": _s3.options()}
    UPLOAD_TARGETS = [_s3.origin]
    UPLOAD_ORIGINS = [f"https://{_s3.custom_domain}" if _s3.custom_domain else _s3.origin]

FILE_UPLOAD_HANDLERS = [
    "dovetail.media.uploads.MemoryUploadHandler",
    "dovetail.media.uploads.TemporaryUploadHandler",
]
# Limits for uploaded images; dovetail.media.images enforces them.
IMAGE_MAX_BYTES = 5 * 1024 * 1024
IMAGE_MAX_PIXELS = 24_000_000
IMAGE_MAX_SIDE = 2000  # pixels; larger images are scaled down
IMAGE_DECODES = 1  # at once in a process; each takes up to four bytes for a pixel of the upload
IMAGE_UPLOADS_PER_MINUTE = 10  # by one person
UPLOADS_PER_MINUTE = 20  # that one person begins; dovetail.media.upload_views
# Limits for forms; dovetail.http.bodies has those for whole requests.
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024  # bytes, not counting files
DATA_UPLOAD_MAX_NUMBER_FIELDS = 1000
DATA_UPLOAD_MAX_NUMBER_FILES = 10
