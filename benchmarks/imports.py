"""Import articles from a file, and kill the process that does it on the way.

    uv run benchmarks/imports.py [--rows 100000]

Checks the rows, starts the import, kills its process (-9) after 40% of the rows, and lets another
one go on. Prints the rows of a second and the number of articles, which is that of the rows.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:1] = [str(ROOT / "project"), str(ROOT)]

from dovetail.devtools.embedded.testing import (  # noqa: E402
    throwaway_postgres,
    throwaway_valkey,
)

KILLED_AT = 0.4  # of the rows
BODY = "Wood holds wood, without nails or screws. " * 10


def run_with_services(rows: int) -> int:
    """Run this script again, with throwaway services."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.dev"
    with (
        throwaway_postgres(ROOT / ".data") as postgres,
        throwaway_valkey() as valkey,
        tempfile.TemporaryDirectory() as folder,
    ):
        environment = {
            "DATABASE_URL": postgres,
            "VALKEY_URL": f"{valkey}/0",
            "CELERY_BROKER_URL": f"{valkey}/1",
            "ENV_FILE": os.devnull,
            "DATA_DIR": folder,
        }
        command = [sys.executable, __file__, "--inside", "--rows", str(rows)]
        return subprocess.run(command, env=os.environ | environment, check=False).returncode


def work(pk: str) -> None:
    """Do what the task does, in a process of its own."""
    from apps.articles.importing import run  # noqa: PLC0415 - needs Django
    from apps.articles.models import ArticleImport  # noqa: PLC0415

    while run(ArticleImport.objects.get(pk=pk)):
        pass


def measure(rows: int) -> None:
    from django.contrib.auth.models import Permission  # noqa: PLC0415
    from django.core.files.base import ContentFile  # noqa: PLC0415 - needs Django

    from apps.articles.importing import COLUMNS, check  # noqa: PLC0415
    from apps.articles.imports import start  # noqa: PLC0415
    from apps.articles.models import Article, ArticleImport  # noqa: PLC0415
    from apps.users.models import User  # noqa: PLC0415
    from dovetail.csv_files import write  # noqa: PLC0415

    lines = write(
        COLUMNS,
        ((f"Article {number}", "A summary.", "design", BODY, "draft") for number in range(rows)),
    )
    user = User.objects.create(email="ada@example.org")
    user.user_permissions.add(Permission.objects.get(codename="add_articleimport"))
    job = ArticleImport(user=user, name="articles.csv")
    job.file.save("articles.csv", ContentFile("".join(lines).encode()))
    began = time.monotonic()
    while check(job):
        pass
    checked = time.monotonic() - began
    start(job)

    command = [sys.executable, __file__, "--work", str(job.pk)]
    began = time.monotonic()
    process = subprocess.Popen(command)
    while job.done < KILLED_AT * rows and process.poll() is None:
        time.sleep(0.05)
        job.refresh_from_db()
    process.send_signal(signal.SIGKILL)
    process.wait()
    job.refresh_from_db()
    left = job.done
    subprocess.run(command, check=True)
    spent = time.monotonic() - began
    job.refresh_from_db()
    print("| | |\n|---|---:|")
    print(f"| rows | {rows:,} |")
    print(f"| rows checked in a second | {rows / checked:,.0f} |")
    print(f"| killed after | {left:,} |")
    print(f"| articles in the end | {Article.objects.count():,} |")
    print(f"| rows imported in a second, with the second start | {rows / spent:,.0f} |")
    if Article.objects.count() != rows or job.done != rows:
        sys.exit("error: rows were lost, or imported twice")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--work", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.inside and not options.work:
        sys.exit(run_with_services(options.rows))

    import django  # noqa: PLC0415

    django.setup()
    from django.conf import settings  # noqa: PLC0415
    from django.core.management import call_command  # noqa: PLC0415

    settings.DEBUG = False  # it would record every statement
    if options.work:
        work(options.work)
        return
    call_command("migrate", verbosity=0)
    measure(options.rows)


if __name__ == "__main__":
    main()
