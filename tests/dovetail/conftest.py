from collections.abc import Iterator

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder


@pytest.fixture
def due_migration(transactional_db: None) -> Iterator[str]:
    """Make the database forget its last migration of the kit's users, as after a `git pull`."""
    del transactional_db
    recorder = MigrationRecorder(connection)
    app, name = max(key for key in recorder.applied_migrations() if key[0] == "users")
    recorder.record_unapplied(app, name)
    yield f"{app}.{name}"
    recorder.record_applied(app, name)
