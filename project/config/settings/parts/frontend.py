"""Static files: built by Vite, served by Whitenoise."""

from pathlib import Path

from config import env
from config.settings.parts.paths import BASE_DIR

STATIC_URL = "/static/"
STATIC_ROOT: Path | None = BASE_DIR / "staticfiles"
FRONTEND_DIST = BASE_DIR / "frontend" / "dist"
# A missing folder is only a warning until the front end is built; the manifest check names it.
STATICFILES_DIRS = [FRONTEND_DIST] if FRONTEND_DIST.is_dir() else []

VITE_DEV_SERVER = env.bool("VITE_DEV_SERVER", default=False)
VITE_PORT = env.int("VITE_PORT", 8001, least=1)
VITE_ORIGIN = f"http://localhost:{VITE_PORT}"
DJANGO_VITE = {
    "default": {
        "dev_mode": VITE_DEV_SERVER,
        "dev_server_host": "localhost",
        "dev_server_port": VITE_PORT,
        "manifest_path": FRONTEND_DIST / ".vite" / "manifest.json",
    },
}

# What Vite (under assets/) and the manifest storage have named by content never changes.
WHITENOISE_IMMUTABLE_FILE_TEST = r"^/static/assets/|\.[0-9a-f]{12}\."
