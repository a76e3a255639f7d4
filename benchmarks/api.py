"""Compare the API with viewsets of Django REST framework and with bare SQL, in one run.

    uv run benchmarks/api.py [--articles 2000] [--rounds 120]

All of them answer the same requests from the same rows, in one process, in turns, and with the same
members: a list of 20 with their authors, one article, one that has not changed, a search, and a new
article. They are called as a WSGI server calls them, so with all of the site's middleware.

- **API** is the API as production serves it, with limits, scopes, and ETags.
- **plain** is a `ModelViewSet` as a tutorial writes it, with REST framework's default settings.
- **tuned** is the same with `select_related` and an annotation, so that a list takes two queries.
- **limit** is what the API asks the database, asked by psycopg, and the rows as JSON by orjson.

Prints the table in benchmarks/README.md: the answers per second of this process's processor time,
as multiples of the plain viewset's, and the time that an answer takes. Takes one to five minutes.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:1] = [str(ROOT / "project"), str(ROOT)]

from dovetail.devtools.embedded.testing import (  # noqa: E402
    throwaway_postgres,
    throwaway_valkey,
)

WARM_UP = 5  # rounds that do not count
TOPICS = "joints mortises tenons planes chisels saws glue wax oak walnut".split()  # noqa: SIM905
Times = dict[tuple[str, str], list[tuple[float, float]]]


def run_with_services(options: list[str]) -> None:
    """Run this script again, with throwaway services and with settings like production's."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.dev"
    with throwaway_postgres(ROOT / ".data") as postgres, throwaway_valkey() as valkey:
        environment = {
            "DATABASE_URL": postgres,
            "VALKEY_URL": f"{valkey}/0",
            "CELERY_BROKER_URL": f"{valkey}/1",
            "DATABASE_POOL_SIZE": "8",
            "VITE_DEV_SERVER": "false",
            "API_RATE_FACTOR": "1000000",  # requests are counted, but none is refused
        }
        command = [sys.executable, __file__, "--inside", *options]
        subprocess.run(command, env=os.environ | environment, check=True)


def prepare() -> None:
    """Load Django without what it has for development only."""
    import django  # noqa: PLC0415
    from django.conf import settings  # noqa: PLC0415

    django.setup()
    settings.DEBUG = False  # it would record every statement
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if ".devtools." not in name]
    settings.WHITENOISE_AUTOREFRESH = settings.WHITENOISE_USE_FINDERS = False


def fill(number: int) -> None:
    """Create published articles by 20 authors, a tenth of them on each of TOPICS."""
    from django.core.management import call_command  # noqa: PLC0415
    from django.utils import timezone  # noqa: PLC0415

    from apps.articles.models import Article, Category  # noqa: PLC0415
    from apps.users.models import User  # noqa: PLC0415

    call_command("migrate", verbosity=0)
    people = [User.objects.create_user(f"p{n}@example.org") for n in range(20)]
    categories = list(Category)
    Article.objects.bulk_create(
        Article(
            author=people[n % len(people)],
            title=f"Article {n} on {TOPICS[n % len(TOPICS)]}",
            slug=f"article-{n}",
            summary="Two pieces of wood that hold each other.",
            body="Wood holds wood, without nails or screws. " * 40,
            category=categories[n % len(categories)],
            status="published",
            published_at=timezone.now(),
        )
        for n in range(number)
    )


def measure(rounds: int) -> Times:
    """Return how long each answer took: by the clock, and of processor time."""
    from benchmarks.api_rivals import rivals  # noqa: PLC0415 - needs Django

    answers = rivals()
    times: Times = {key: [] for key in answers}
    for number in range(WARM_UP + rounds):
        for key, answer in answers.items():
            start, cpu = time.perf_counter(), time.process_time()
            answer()
            spent = time.perf_counter() - start, time.process_time() - cpu
            if number >= WARM_UP:
                times[key].append(spent)
    return times


def report(times: Times) -> None:
    rates = {key: len(spent) / sum(cpu for _, cpu in spent) for key, spent in times.items()}
    print("| | who | answers per CPU second | of plain | p50 ms | p99 ms |")
    print("|---|---|---:|---:|---:|---:|")
    for (request, who), spent in times.items():
        waits = statistics.quantiles([1000 * wall for wall, _ in spent], n=100)
        rate = rates[request, who]
        of_plain = rate / rates[request, "plain"]
        print(
            f"| {request} | {who} | {rate:.0f} | {of_plain:.2f} "
            f"| {waits[49]:.1f} | {waits[98]:.1f} |"
        )
    unchanged = rates["article, unchanged", "API"]
    print(
        f"\nThat an article has not changed is answered {unchanged / rates['article', 'API']:.1f} "
        f"times as fast as with the article, and {unchanged / rates['list of 20', 'API']:.1f} "
        "times as fast as a list."
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--articles", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=120, help="in which each answers once")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.inside:
        run_with_services(sys.argv[1:])
        return
    prepare()
    fill(options.articles)
    report(measure(options.rounds))


if __name__ == "__main__":
    main()
