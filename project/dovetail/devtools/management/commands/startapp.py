from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management.base import CommandError
from django.core.management.commands import startapp

TEMPLATE = Path(__file__).parents[2] / "app_template"


class Command(startapp.Command):
    help = "Create an app in project/apps, wherever this is called from."

    def handle(self, *_arguments: Any, **options: Any) -> None:
        name: str = options["name"]
        if options["directory"] is not None:
            super().handle(**options)
            return
        if any(config.label == name for config in apps.get_app_configs()):
            raise CommandError(f"An app is already called {name}: choose another name.")
        self.app_or_project, self.a_or_an = "app", "an"  # for the errors of validate_name
        self.validate_name(name)  # before a folder of that name is made
        target: Path = settings.PROJECT_DIR / "apps" / name
        try:
            target.mkdir()
        except FileExistsError as error:
            raise CommandError(f"{target} already exists: choose another name.") from error
        options |= {"directory": str(target), "template": options["template"] or str(TEMPLATE)}
        super().handle(**options)
        self.stdout.write(
            f'Created {target}. Add "apps.{name}" to config/settings/parts/apps.py, its urls to '
            f'config/urls.py, and "{name}" to the layers of apps in pyproject.toml.'
        )
