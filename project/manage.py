#!/usr/bin/env python3
"""Runs Django's commands. `manage.py up` starts everything."""

import os
import sys

if sys.version_info < (3, 11):  # noqa: UP036 - the sentence below is for those who run an older one
    sys.exit("error: This project needs Python 3.11 or newer. Install it and run this again.")


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")
    try:
        from django.core.management import execute_from_command_line  # noqa: PLC0415
    except ImportError:
        sys.exit("error: Django is not installed here. Start with `uv run project/manage.py`.")
    from config.startup import refuse_in_one_sentence  # noqa: PLC0415

    with refuse_in_one_sentence():
        execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
