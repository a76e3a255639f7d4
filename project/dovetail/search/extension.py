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
    """Install ParadeDB's pg_search where the server has it; put it before the first SearchIndex.

    Where that is not possible the migration goes on, with PostgreSQL's own search. Django's
    CreateExtension would stop it.
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
        """Leave the extension: other tables may use it."""

    def describe(self) -> str:
        return "Creates the extension pg_search where the server has it"


def create_extension(connection: Any) -> bool:
    """Create pg_search unless SEARCH_ENGINE is postgres; tell whether it is there now."""
    with connection.cursor() as cursor:
        cursor.execute(AVAILABLE)
        row = cursor.fetchone()
        if row is None or row[0] or settings.SEARCH_ENGINE == "postgres":
            return bool(row and row[0])
        try:
            # From 0.25 on it needs pgvector, which CASCADE brings along.
            with transaction.atomic(using=connection.alias):
                cursor.execute("CREATE EXTENSION pg_search CASCADE")
        except DatabaseError as error:
            reason = str(error).splitlines()[0]
            logger.warning("pg_search is not used, PostgreSQL searches by itself: %s", reason)
            return False
    return True
