from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.migrations.loader import MigrationLoader

from dovetail.devtools import migrations
from dovetail.devtools.errors import SetupError


class Command(BaseCommand):
    help = "Report what the migrations since the last release do to a site that is in use."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--release",
            action="store_true",
            help="write down that all migrations are released, instead",
        )

    def handle(self, *_arguments: Any, **options: Any) -> None:
        """Lint, or write released_migrations.txt.

        Raises:
            CommandError: a migration is unsafe, or the file cannot be read.
        """
        loader = MigrationLoader(None)
        if options["release"]:
            migrations.write_released(loader)
            return
        try:
            found = migrations.lint(loader, migrations.read_released())
        except SetupError as error:
            raise CommandError(str(error)) from error
        if found:
            report = "\n".join(map(str, found))
            raise CommandError(
                f"{report}\nWhere one does no harm, say so in the migration: "
                f"`{migrations.ACCEPTED}RULE: REASON`. See docs/release.md."
            )
