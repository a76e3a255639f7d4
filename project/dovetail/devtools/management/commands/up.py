import os
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from dovetail.devtools.errors import SetupError


class Command(BaseCommand):
    help = "Start the whole application for development. Ctrl-C stops it."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--port",
            type=int,
            metavar="N",
            help="port of the web server (default: PORT, or 8000); Vite, PostgreSQL and Valkey use "
            "the next three ports, and the S3 server those from 20 on",
        )
        parser.add_argument(
            "--s3",
            action="store_true",
            help="store uploads in an embedded S3 server instead of on the disk",
        )
        parser.add_argument(
            "--telemetry",
            action="store_true",
            help="collect traces and show them at /dev/traces/",
        )
        parser.add_argument(
            "--build",
            action="store_true",
            help="serve built assets instead of Vite's dev server",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        if sys.platform == "win32":
            sys.exit("error: `up` runs on Linux and macOS. On Windows, use WSL.")
        if os.environ.get("DJANGO_SETTINGS_MODULE") != "config.settings.dev":
            sys.exit(
                "error: `up` is for development only: unset DJANGO_SETTINGS_MODULE, or set it to "
                "config.settings.dev."
            )
        # These cannot be imported on Windows.
        from dovetail.devtools.environment import (  # noqa: PLC0415
            ensure_utf8,
            open_standard_streams,
        )
        from dovetail.devtools.stack.up import up  # noqa: PLC0415

        open_standard_streams()
        ensure_utf8()
        try:
            up(
                port=options["port"],
                build=options["build"],
                s3=options["s3"],
                telemetry=options["telemetry"],
            )
        except SetupError as error:
            sys.exit(f"error: {error}")
        except KeyboardInterrupt:  # before anything was started
            sys.exit(130)
        except OSError as error:  # no space, no permission
            sys.exit(f"error: {error.filename or 'The system'}: {error.strerror}.")
