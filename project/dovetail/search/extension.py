import logging
from typing import Any

from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.migrations.operations.base import Operation

logger = logging.getLogger(__name__)

AVAILABLE = """
SELECT installed_version IS NOT NULL FROM pg_available_extensions WHERE name = 'pg_search'
"""


class CreateSearchExtension(Operation):
    """Create ParadeDB's pg_search extension if possible; belongs before an app's first SearchIndex.

    If it can't be created, the migration continues and searches use PostgreSQL full-text search.
    Own code because Django's `CreateExtension` would fail the migration.
    """

    reversible = True
    reduces_to_sql = False

    def state_forwards(self, app_label: str, state: Any) -> None:
        pass

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        del app_label, from_state, to_state
        create_extension(schema_editor.connection)

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        """Keep the extension, because other tables may use it."""

    def describe(self) -> str:
        return "Create the pg_search extension if the server has it"


def create_extension(connection: Any) -> bool:
    """Create pg_search unless SEARCH_ENGINE is postgres; return whether it is installed."""
    with connection.cursor() as cursor:
        cursor.execute(AVAILABLE)
        row = cursor.fetchone()
        if row is None or row[0] or settings.SEARCH_ENGINE == "postgres":
            return bool(row and row[0])
        try:
            # From 0.25 on, pg_search requires pgvector, which CASCADE installs as well.
            with transaction.atomic(using=connection.alias):
                cursor.execute("CREATE EXTENSION pg_search CASCADE")
        except DatabaseError as error:
            logger.warning(
                "Could not create the pg_search extension (%s); using PostgreSQL full-text search",
                str(error).splitlines()[0],
            )
            return False
    return True
