from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.template.defaultfilters import filesizeformat

from dovetail.media import orphans


class Command(BaseCommand):
    help = (
        "Deletes stored files that no row refers to, among those that were uploaded to fields with "
        "random names. Files of the last day stay, since their rows may not be committed yet."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only list them")

    def handle(self, *, dry_run: bool, **_: Any) -> None:
        count = size = 0
        for orphan in orphans.find():
            if dry_run or orphans.delete(orphan):
                self.stdout.write(orphan.name)
                count += 1
                size += orphan.size
        done = "would be deleted" if dry_run else "deleted"
        self.stdout.write(self.style.SUCCESS(f"{count} files, {filesizeformat(size)}, {done}"))
