from collections.abc import Iterator

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from pytest_django.fixtures import Settings

from config.settings.parts.http import MIDDLEWARE


@pytest.fixture
def due_migration(transactional_db: None) -> Iterator[str]:
    """Make the database forget its last migration of the kit's users, as after a `git pull`."""
    del transactional_db
    recorder = MigrationRecorder(connection)
    app, name = max(key for key in recorder.applied_migrations() if key[0] == "users")
    recorder.record_unapplied(app, name)
    yield f"{app}.{name}"
    recorder.record_applied(app, name)


@pytest.fixture
def behind_proxy(settings: Settings) -> None:
    """Have the middleware and the rules of production, which also hold before Django."""
    settings.MIDDLEWARE = MIDDLEWARE
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.SECURE_HSTS_SECONDS = 3600
    settings.HOSTS_ON_ANY_PORT = ["testserver"]
