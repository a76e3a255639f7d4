from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from dovetail.backups import pieces, places, restoring
from dovetail.backups.command import sentences


class Command(BaseCommand):
    help = (
        "Restores a backup into an empty database and storage of uploads, compares it with the "
        "backup, applies newer migrations and builds the search indexes. Stop the site first."
    )
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", nargs="?", default="", help="the newest by default")
        parser.add_argument(
            "--from", type=Path, metavar="FOLDER", dest="source", help="instead of BACKUP_DIR"
        )
        parser.add_argument("--identity", type=Path, metavar="FILE", help="of the private key")
        parser.add_argument(
            "--check-only", action="store_true", help="read and check everything, write nothing"
        )
        parser.add_argument(
            "--replace", action="store_true", help="delete what is in the database first"
        )
        parser.add_argument("--without-uploads", action="store_true", help="only the database")
        parser.add_argument(
            "--keep-outbox",
            action="store_true",
            help="send what waited in the outbox, if the site was stopped before the backup",
        )
        parser.add_argument("--end-sessions", action="store_true", help="sign everyone out")

    def handle(self, **options: Any) -> None:
        wanted = restoring.Options(
            identity=options["identity"],
            replace=options["replace"],
            with_uploads=not options["without_uploads"],
            keep_outbox=options["keep_outbox"],
            end_sessions=options["end_sessions"],
        )
        do = restoring.check if options["check_only"] else restoring.restore
        done = "can be restored here" if options["check_only"] else "is restored"
        with sentences():
            source = options["source"]
            place = places.Folder(source) if source else places.configured()
            name = options["name"] or pieces.newest_of_the_only_site(place)
            made = do(place, name, wanted, self.stdout.write)
        self.stdout.write(self.style.SUCCESS(f"The backup {made.name} of {made.site} {done}."))
