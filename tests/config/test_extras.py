"""The site starts with what `uv sync --no-dev` installs, without any extra."""

import json
import os
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from typing import Any

import pytest
from packaging.utils import canonicalize_name

from config import env
from tests.config.test_settings import PRODUCTION, PRODUCTION_MODULE
from tests.processes import bare_environment

START = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in MISSING:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
if WORKER:
    from config.celery import app
import django
django.setup()
from django.conf import settings
from django.urls import get_resolver
from kombu import Connection
get_resolver().url_patterns
if WORKER:
    app.loader.import_default_modules()
print(Connection(settings.CELERY_BROKER_URL).transport.driver_type)
"""


def installed_in_production() -> set[str]:
    """Return the names of the packages that no extra and no group has to bring."""
    lock = tomllib.loads((env.BASE_DIR / "uv.lock").read_text(encoding="utf-8"))
    packages = {one["name"]: one for one in lock["package"]}
    [project] = [name for name, one in packages.items() if "virtual" in one["source"]]
    found: set[str] = set()
    todo: list[dict[str, Any]] = list(packages[project]["dependencies"])
    while todo:
        one = todo.pop()
        package = packages[one["name"]]
        if one["name"] not in found:
            found.add(one["name"])
            todo += package.get("dependencies", [])
        for extra in one.get("extra", []):
            todo += package["optional-dependencies"][extra]
    return found


@pytest.mark.parametrize(
    ("worker", "broker", "driver"),
    [
        (False, "redis://:secret@valkey:6379/1", "redis"),
        (True, "amqp://site:secret@rabbitmq//", "amqp"),
    ],
    ids=["web", "worker"],
)
def test_site_starts_without_extras(worker: bool, broker: str, driver: str) -> None:
    """Kind: a package that is there in development and in the image, because others bring it."""
    installed = installed_in_production()
    modules = packages_distributions()
    missing = [
        module
        for module, packages in modules.items()
        if not {canonicalize_name(one) for one in packages} & installed
    ]
    assert {"pymemcache", "boto3", "pytest"} <= set(missing)

    result = subprocess.run(
        [sys.executable, "-c", f"WORKER = {worker}\nMISSING = set({json.dumps(missing)})\n{START}"],
        cwd=env.BASE_DIR,
        env=bare_environment()
        | PRODUCTION
        | {
            "DJANGO_SETTINGS_MODULE": PRODUCTION_MODULE,
            "CELERY_BROKER_URL": broker,
            "ENV_FILE": os.devnull,
            "PYTHONPATH": "project",
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == driver
