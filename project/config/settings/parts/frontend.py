"""Static files: built by Vite, served by WhiteNoise."""

from pathlib import Path

from whitenoise.compress import Compressor

from config import env
from config.settings.parts.paths import BASE_DIR
from config.url_parts import MAX_PORT

STATIC_URL = "/static/"
STATIC_ROOT: Path | None = BASE_DIR / "staticfiles"
FRONTEND_DIST = BASE_DIR / "frontend" / "dist"
# Left out until the front end is built: django-vite's check reports the missing manifest.
STATICFILES_DIRS = [FRONTEND_DIST] if FRONTEND_DIST.is_dir() else []

VITE_DEV_SERVER = env.bool("VITE_DEV_SERVER", default=False)
VITE_PORT = env.int("VITE_PORT", 8001, least=1, most=MAX_PORT)
VITE_ORIGIN = f"http://localhost:{VITE_PORT}"
DJANGO_VITE = {
    "default": {
        "dev_mode": VITE_DEV_SERVER,
        "dev_server_host": "localhost",
        "dev_server_port": VITE_PORT,
        "manifest_path": FRONTEND_DIST / ".vite" / "manifest.json",
    },
}

# Only developers ask for source maps, and those of ReDoc and Swagger UI take long to compress.
WHITENOISE_SKIP_COMPRESS_EXTENSIONS = (*Compressor.SKIP_COMPRESS_EXTENSIONS, "map")
WHITENOISE_KEEP_ONLY_HASHED_FILES = True  # half as much to compress; nothing asks for the others
# Vite (under assets/) and the manifest storage name files by a hash of their content.
WHITENOISE_IMMUTABLE_FILE_TEST = r"^/static/assets/|\.[0-9a-f]{12}\."
