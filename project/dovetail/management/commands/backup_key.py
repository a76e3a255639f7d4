from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from dovetail.backups import encryption
from dovetail.backups.command import sentences


class Command(BaseCommand):
    help = "Makes a key for encrypted backups: writes the private key, and prints the public one."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="to create; keep it away from the server")

    def handle(self, *, file: Path, **_: Any) -> None:
        with sentences():
            private, public = encryption.new_identity()
            encryption.write_identity(file, private, public)
        self.stdout.write(public)
