from config.settings.parts.paths import DATA_DIR

MEDIA_URL = "/media/"
MEDIA_ROOT = DATA_DIR / "media"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "dovetail.http.static.StaticFilesStorage"},
}
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
# Limits for forms; dovetail.http.bodies has those for whole requests.
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024  # bytes, not counting files
DATA_UPLOAD_MAX_NUMBER_FIELDS = 1000
DATA_UPLOAD_MAX_NUMBER_FILES = 10
