import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from dovetail.devtools.embedded.testing import throwaway_valkey
from tests.config.test_settings import PRODUCTION

SITE = "tests.dovetail.telemetry.site"
HEADERS = {"Host": "site.example", "X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}

Probe = Callable[..., list[str]]


@pytest.fixture
def site_environment(tmp_path: Path) -> dict[str, str]:
    """Return the environment of the site's processes, on this test's database."""
    (tmp_path / "vite.json").write_text("{}")
    (tmp_path / "staticfiles.json").write_text('{"version": "1.1", "paths": {"a.css": "a.css"}}')
    server = connection.settings_dict
    python = os.pathsep.join([str(settings.BASE_DIR), str(settings.PROJECT_DIR)])
    return PRODUCTION | {
        "DJANGO_SETTINGS_MODULE": f"{SITE}.settings",
        "SITE_FOLDER": str(tmp_path),
        "PYTHONPATH": python,
        "PYTHONPYCACHEPREFIX": os.environ.get("PYTHONPYCACHEPREFIX", ""),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "ENV_FILE": os.devnull,
        "TRUSTED_PROXY_COUNT": "1",
        "DATABASE_URL": f"postgres://{server['HOST']}:{server['PORT']}/{server['NAME']}"
        f"?user={server['USER']}&password={server['PASSWORD']}",
        "VALKEY_URL": str(settings.CACHES["default"]["LOCATION"]),
        "C_FORCE_ROOT": "1",
    }


@pytest.fixture
def probe(site_environment: dict[str, str], transactional_db: None) -> Probe:  # noqa: ARG001
    """Return a function that runs the site with some settings, and returns what it prints."""

    def run(
        *requests: dict[str, Any],
        tasks: Sequence[str] = (),
        secrets: Sequence[str] = (),
        **changes: str,
    ) -> list[str]:
        calls = {"requests": requests, "tasks": tasks, "secrets": secrets}
        with throwaway_valkey() as broker:
            done = subprocess.run(
                [sys.executable, "-m", f"{SITE}.probe", json.dumps(calls)],
                env=site_environment | {"CELERY_BROKER_URL": f"{broker}/0"} | changes,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.split()

    return run


def request(method: str, path: str, body: str = "", **headers: str) -> dict[str, Any]:
    """Return a request for the probe; in names of headers, `_` stands for `-`."""
    more = {name.replace("_", "-"): text for name, text in headers.items()}
    if body:
        more |= {
            "Content-Type": "application/x-www-form-urlencoded",
            "Content-Length": str(len(body)),
        }
    return {"method": method, "path": path, "headers": HEADERS | more, "body": body}
