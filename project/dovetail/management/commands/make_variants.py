from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from dovetail.media.generation import make_variants, originals, variants_fields
from dovetail.media.variants import VariantsField


class Command(BaseCommand):
    help = (
        "Makes the missing variants of images, as after other widths have been declared. "
        "Run it again if it was interrupted: it leaves out what exists."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "fields", nargs="*", help="such as articles.Article.cover; all if none are given"
        )
        parser.add_argument(
            "--all",
            action="store_true",
            help="make those that exist again, as after a change of the quality",
        )
        parser.add_argument("--after", help="the key of the last row that is done, with --all")
        parser.add_argument("--dry-run", action="store_true", help="only list the images")

    def handle(self, *, fields: list[str], **options: Any) -> None:
        chosen = self.chosen(fields)
        if options["after"] and len(chosen) != 1:
            raise CommandError("--after needs one field, such as articles.Article.cover.")
        for label, variants in chosen.items():
            self.make(label, variants, options)

    def chosen(self, wanted: list[str]) -> dict[str, VariantsField]:
        fields = {f"{field.model._meta.label}.{field.source}": field for field in variants_fields()}
        if unknown := set(wanted) - set(fields):
            raise CommandError(
                f"{min(unknown)} has no variants. Choose from {', '.join(sorted(fields))}."
            )
        return {label: fields[label] for label in wanted or fields}

    def make(self, label: str, variants: VariantsField, options: dict[str, Any]) -> None:
        count, again = 0, options["all"]
        for pk, name in originals(variants, again=again, after=self.key(variants, options)):
            done = "to do"
            if not options["dry_run"]:
                done = make_variants(variants, pk, name, again=again)
            self.stdout.write(f"{label} {pk} {name}: {done}")
            count += 1
        self.stdout.write(self.style.SUCCESS(f"{label}: {count} images"))

    def key(self, variants: VariantsField, options: dict[str, Any]) -> Any:
        try:
            return options["after"] and variants.model._meta.pk.to_python(options["after"])
        except ValidationError as error:
            raise CommandError(f"--after: {error.messages[0]}") from error
