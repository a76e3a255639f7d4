from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from dovetail.backups import encryption, pieces, places, retention, verifying, work
from dovetail.backups.command import sentences
from dovetail.backups.creating import create
from dovetail.backups.manifest import Manifest
from dovetail.backups.places import Place


class Command(BaseCommand):
    help = (
        "Backs up the database and the uploads, in the folder or the bucket of the settings or in "
        "that of --to."
    )
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--to", type=Path, metavar="FOLDER", help="instead of BACKUP_DIR")
        parser.add_argument("--without-uploads", action="store_true", help="only the database")
        parser.add_argument(
            "--prune",
            action="store_true",
            help="afterwards delete old backups, but those that BACKUP_KEEP_… says",
        )
        instead = parser.add_mutually_exclusive_group()
        instead.add_argument("--list", action="store_true", help="list the backups instead")
        instead.add_argument(
            "--verify",
            nargs="?",
            const="",
            metavar="NAME",
            help="read a backup instead, the newest by default, and compare its checksums",
        )
        parser.add_argument(
            "--identity",
            type=Path,
            metavar="FILE",
            help="of the private key, with which --verify also decrypts",
        )

    def handle(self, **options: Any) -> None:
        is_made = not options["list"] and options["verify"] is None
        if options["identity"] and options["verify"] is None:
            raise CommandError("--identity only belongs to --verify: give both, or none.")
        if not is_made and (options["prune"] or options["without_uploads"]):
            raise CommandError(
                "--prune and --without-uploads are for a new backup: leave out --list and --verify."
            )
        with sentences():
            place = places.Folder(options["to"]) if options["to"] else places.configured()
            if options["list"]:
                self.list(place)
            elif options["verify"] is not None:
                self.verify(place, options["verify"], options["identity"])
            else:
                self.create(place, options)

    def create(self, place: Place, options: dict[str, Any]) -> None:
        with_uploads = settings.BACKUP_UPLOADS and not options["without_uploads"]
        made = create(place, with_uploads=with_uploads, report=self.stdout.write)
        self.stdout.write(self.style.SUCCESS(f"Made the backup {made.name} in {place}."))
        for name in retention.prune(place, made.name, self.warn) if options["prune"] else ():
            self.stdout.write(f"Deleted the backup {name}.")

    def warn(self, text: str) -> None:
        self.stderr.write(self.style.WARNING(text))

    def list(self, place: Place) -> None:
        complete = {made.name: made for made in pieces.complete(place)}
        for name in place.names():
            made = complete.get(name)
            fault = "its manifest is damaged" if pieces.has_manifest(place, name) else "incomplete"
            self.stdout.write(f"{name}  {_described(made) if made else fault}")

    def verify(self, place: Place, name: str, identity: Path | None) -> None:
        made = pieces.read_manifest(place, name or pieces.newest(place, settings.SITE_URL))
        keys = encryption.identities(identity) if identity and made.encrypted else []
        with work.folder() as folder:
            count = verifying.verify(place, made, keys, folder)
        text = f"{made.name}: {count} files are complete and unchanged."
        if made.encrypted:
            text += " They can be decrypted." if keys else " Not decrypted: give --identity."
        self.stdout.write(self.style.SUCCESS(text))


def _described(made: Manifest) -> str:
    uploads = f"{made.uploads} uploads" if made.has_uploads else "no uploads"
    secret = ", encrypted" if made.encrypted else ""
    version = f"PostgreSQL {made.server // 10_000}"
    return f"{made.site}, {sum(made.rows.values())} rows, {uploads}, {version}{secret}"
