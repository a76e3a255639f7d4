#!/usr/bin/env python3
"""Runs Django's management commands. `manage.py up` starts everything."""

import os
import sys
from pathlib import Path

if sys.version_info < (3, 11):  # noqa: UP036 - older versions must still get the message below
    sys.exit("error: This project needs Python 3.11 or newer. Install it and try again.")


def main() -> None:
    # Python does not add the folder of the script with PYTHONSAFEPATH.
    if (here := str(Path(__file__).resolve().parent)) not in sys.path:
        sys.path.insert(0, here)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")
    try:
        from django.core.management import execute_from_command_line  # noqa: PLC0415
    except ImportError:
        sys.exit("error: Django is not installed. Run `uv run project/manage.py` instead.")
    from config.startup import one_line_errors  # noqa: PLC0415

    with one_line_errors(is_web=sys.argv[1:2] == ["serve"]):
        execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
