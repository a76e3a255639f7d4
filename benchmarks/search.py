"""Compare ParadeDB with PostgreSQL full-text search on the same articles, in one run.

    uv run benchmarks/search.py [--articles 200000] [--rounds 3]

Starts a throwaway server with pg_search, fills two databases with the same generated articles,
builds each engine's index with `SearchIndex`, and times the queries of the article pages through
Django. Prints the table in benchmarks/README.md. Takes about 12 minutes and 3 GB of disk. Other
load on the machine changes the times, but hardly the ratios.
"""

import argparse
import itertools
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

BASE_DIR = Path(__file__).resolve().parents[1]
sys.path[:1] = [str(BASE_DIR / "project")]
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.dev"

SEED = 1789
VOCABULARY = 30_000  # words, whose frequency falls with their rank as in a natural language
COMMON, MEDIUM, RARE = (
    (0, 1, 2, 3, 5, 7, 10, 14, 19, 25),
    range(100, 900, 53),
    range(3000, 24000, 1400),
)
ENGINES = ("paradedb", "postgres")
SERVER = {
    "shared_buffers": "1GB",
    "work_mem": "64MB",
    "maintenance_work_mem": "512MB",
    "effective_cache_size": "4GB",
    "max_wal_size": "8GB",
    "random_page_cost": "1.1",
    # A parallel worker would speed up a single query, but compete with other visitors' queries.
    "max_parallel_workers_per_gather": "0",
}


class Language:
    """Generated words with the uneven frequencies of a natural language."""

    def __init__(self) -> None:
        self.chance = random.Random(SEED)  # noqa: S311
        starts = "b c d f g h j k l m n p r s t v w z br cr dr fl gr pl st tr".split()  # noqa: SIM905
        vowels = "a e i o u ai ea oo".split()  # noqa: SIM905
        ends = ["", "n", "r", "l", "t"]
        words: dict[str, None] = {}
        while len(words) < VOCABULARY:
            pairs = range(self.chance.randint(2, 3))
            word = "".join(self.chance.choice(starts) + self.chance.choice(vowels) for _ in pairs)
            words[word + self.chance.choice(ends)] = None
        self.words = list(words)
        self.shares = list(itertools.accumulate(1 / (rank + 8) for rank in range(VOCABULARY)))

    def text(self, length: int) -> str:
        return " ".join(self.chance.choices(self.words, cum_weights=self.shares, k=length))


@dataclass
class Timing:
    """The times that one kind of request took, in milliseconds."""

    times: list[float]

    def percentile(self, percent: int) -> float:
        return statistics.quantiles(self.times, n=100, method="inclusive")[percent - 1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--articles", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3, help="searches per word")
    options = parser.parse_args()

    import django  # noqa: PLC0415

    django.setup()
    with server() as url:
        run(url, options.articles, options.rounds)


@contextmanager
def server() -> Iterator[str]:
    """Run an empty server with enough memory for the table; yield its URL."""
    from dovetail.devtools.embedded.account import reachable, server_account  # noqa: PLC0415
    from dovetail.devtools.embedded.postgres import Cluster, find_binaries  # noqa: PLC0415
    from dovetail.devtools.embedded.testing import free_port  # noqa: PLC0415
    from dovetail.devtools.supervisor.guard import Guard  # noqa: PLC0415

    guard = Guard()
    processes: list[subprocess.Popen[bytes]] = []
    try:
        directory = Path(tempfile.mkdtemp(prefix="benchmark-"))
        guard.remove_at_end(directory)
        directory.chmod(0o711)  # the server may run as another user
        account = server_account(directory / "postgres")
        binaries = find_binaries(reachable(BASE_DIR / ".data", "embedded", account), guard)
        cluster = Cluster(directory / "postgres", binaries, free_port(), account)
        cluster.prepare(guard)
        options = [part for name, value in SERVER.items() for part in ("-c", f"{name}={value}")]
        processes.append(
            subprocess.Popen(
                guard.wrapped([*cluster.command(durable=False), *options]),
                stdin=guard.pipe,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                cwd="/",
                env=cluster.environment(),
                **cluster.switch,
            )
        )
        while not cluster.answers():
            if processes[0].poll() is not None:
                sys.exit("error: PostgreSQL did not start")
            time.sleep(0.1)
        cluster.create_database()
        yield cluster.url()
    finally:
        guard.close(*processes)


def run(url: str, articles: int, rounds: int) -> None:
    import psycopg  # noqa: PLC0415
    from django.conf import settings  # noqa: PLC0415
    from django.db import connections  # noqa: PLC0415

    from config import env  # noqa: PLC0415

    settings.DEBUG = False  # DEBUG would record every statement
    server_url = url.rpartition("/")[0]
    with psycopg.connect(f"{server_url}/postgres", autocommit=True) as admin:
        for engine in ENGINES:
            admin.execute(f"CREATE DATABASE {engine}_articles")
    language = Language()
    terms = {
        "common": [language.words[rank] for rank in COMMON],
        "medium": [language.words[rank] for rank in MEDIUM],
        "rare": [language.words[rank] for rank in RARE],
    }
    for engine in ENGINES:
        os.environ["DATABASE_URL"] = f"{server_url}/{engine}_articles"
        database = env.database("DATABASE_URL")
        connections.settings[engine] = {**connections.settings["default"], **database}
    builds = {}
    for engine in ENGINES:
        # A database without the extension is searched with PostgreSQL full-text search.
        settings.SEARCH_ENGINE = "postgres" if engine == "postgres" else "auto"
        builds[engine] = prepare(engine, articles)
        print(f"{engine}: built in {builds[engine][0]:.0f} s", file=sys.stderr, flush=True)
    settings.SEARCH_ENGINE = "auto"
    report(articles, builds, measure(terms, rounds))
    overheads = [overhead(engine, terms, rounds) for engine in ENGINES]
    print("| Django on top of the SQL, p50 | {:.0f} % | {:.0f} % | |".format(*overheads))


def prepare(engine: str, articles: int) -> tuple[float, int]:
    """Migrate, load the articles and build the index; return its build time and size in bytes."""
    from django.core.management import call_command  # noqa: PLC0415
    from django.db import connections  # noqa: PLC0415

    from apps.articles.models import Article  # noqa: PLC0415
    from dovetail.search.index import index_of  # noqa: PLC0415

    connection = connections[engine]
    call_command("migrate", database=engine, verbosity=0)
    index = index_of(Article)
    with connection.schema_editor() as editor:
        editor.remove_index(Article, index)
    load(engine, articles)
    started = time.perf_counter()
    with connection.schema_editor() as editor:
        editor.add_index(Article, index)
    seconds = time.perf_counter() - started
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE articles_article")
        cursor.execute(
            "SELECT sum(pg_relation_size(indexrelid)) FROM pg_index JOIN pg_class ON "
            "pg_class.oid = indexrelid WHERE relname IN ('article_search', 'article_search_gin')"
        )
        size = int(cursor.fetchone()[0])
        # The stored column is not an index, but exists only for searching.
        cursor.execute(
            "SELECT 1 FROM pg_attribute WHERE attrelid = 'articles_article'::regclass "
            "AND attname = 'search_document'"
        )
        if cursor.fetchone():
            cursor.execute("SELECT sum(pg_column_size(search_document)) FROM articles_article")
            size += int(cursor.fetchone()[0])
    return seconds, size


def load(engine: str, articles: int) -> None:
    """Load the generated articles, which are the same for each engine."""
    from datetime import UTC, datetime, timedelta  # noqa: PLC0415

    from django.db import connections  # noqa: PLC0415

    from apps.articles.models import Category  # noqa: PLC0415
    from apps.users.models import User  # noqa: PLC0415

    language = Language()
    chance = language.chance
    authors = [
        User(id=UUID(int=number + 1), email=f"author{number}@example.org") for number in range(500)
    ]
    User.objects.using(engine).bulk_create(authors)
    start = datetime(2020, 1, 1, tzinfo=UTC)
    columns = (
        "id, author_id, title, slug, summary, body, category, status, published_at, cover, "
        "created_at, updated_at, deleted_at"
    )
    connection = connections[engine]
    connection.ensure_connection()
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY articles_article ({columns}) FROM STDIN") as copy,
    ):
        for number in range(articles):
            at = start + timedelta(minutes=15 * number)
            copy.write_row((
                UUID(int=(number << 64) | chance.getrandbits(60)),
                authors[int(chance.random() ** 3 * len(authors))].pk,
                language.text(6).capitalize(),
                f"article-{number}",
                language.text(15).capitalize(),
                language.text(chance.randint(60, 140)).capitalize(),
                chance.choice(Category.values),
                "published" if chance.random() < 0.9 else "draft",  # noqa: PLR2004
                at, "", at, at,
                at if chance.random() < 0.05 else None,  # noqa: PLR2004
            ))  # fmt: skip


def requests() -> dict[str, Callable[[str, str, str], Any]]:
    """Return the measured requests by name; each takes an engine, a word and a second word."""

    def page(rows: Any) -> list[Any]:
        return list(rows.defer("body")[:10])

    return {
        "top 10, ranked": lambda engine, word, _: page(published(engine).search(word)),
        "with snippet": lambda engine, word, _: page(
            published(engine).search(word, snippet="body")
        ),
        "two words": lambda engine, word, other: page(published(engine).search(f"{word} {other}")),
        "count": lambda engine, word, _: published(engine).search(word).count(),
        "facets": lambda engine, word, _: published(engine).search(word).facets("category"),
        "autocomplete": lambda engine, word, _: page(
            published(engine).autocomplete(word[:-1], limit=10)
        ),
        "typo": lambda engine, word, _: page(
            published(engine).search(word[:1] + word[2:3] + word[1:2] + word[3:], fuzzy=True)
        ),
    }


def published(engine: str) -> Any:
    from apps.articles.models import Article  # noqa: PLC0415

    return Article.objects.using(engine).published()


def measure(terms: dict[str, list[str]], rounds: int) -> dict[str, dict[str, Timing]]:
    """Time every request for every word, alternating the engines so both see the same load.

    Returns:
        The timings by engine, then by request and rarity of the word.
    """
    chance = random.Random(SEED)  # noqa: S311
    found: dict[str, dict[str, Timing]] = {engine: {} for engine in ENGINES}
    for (name, request), (rarity, words) in itertools.product(requests().items(), terms.items()):
        times: dict[str, list[float]] = {engine: [] for engine in ENGINES}
        for number in range(rounds + 1):
            for word in chance.sample(words, len(words)):
                other = chance.choice(terms["common"])
                for engine in ENGINES:
                    started = time.perf_counter()
                    request(engine, word, other)
                    if number:  # the first round only warms the caches
                        times[engine].append((time.perf_counter() - started) * 1000)
        for engine in ENGINES:
            found[engine][f"{name}, {rarity}"] = Timing(times[engine])
    return found


def overhead(engine: str, terms: dict[str, list[str]], rounds: int) -> float:
    """Return Django's share of a ranked page's median time, in percent of the SQL alone."""
    from django.db import connections  # noqa: PLC0415

    bare, whole = [], []
    for word in itertools.chain(*terms.values()):
        rows = published(engine).search(word).defer("body")[:10]
        sql, params = rows.query.get_compiler(engine).as_sql()
        for _ in range(rounds * 3):
            started = time.perf_counter()
            with connections[engine].cursor() as cursor:
                cursor.execute(sql, params)
                cursor.fetchall()
            between = time.perf_counter()
            list(published(engine).search(word).defer("body")[:10])
            bare.append(between - started)
            whole.append(time.perf_counter() - between)
    return 100 * (statistics.median(whole) / statistics.median(bare) - 1)


def rows_of(timings: dict[str, dict[str, Timing]]) -> Iterator[str]:
    ours, theirs = (timings[engine] for engine in ENGINES)
    for name, timing in ours.items():
        cells = [
            " / ".join(f"{found[name].percentile(percent):.1f}" for percent in (50, 95, 99))
            for found in (ours, theirs)
        ]
        ratio = theirs[name].percentile(95) / timing.percentile(95)
        yield f"| {name} | {cells[0]} | {cells[1]} | {ratio:.1f} |"


def report(
    articles: int,
    builds: dict[str, tuple[float, int]],
    timings: dict[str, dict[str, Timing]],
) -> None:
    print(f"{articles:,} articles; p50 / p95 / p99 in milliseconds; ratio of the p95s\n")
    print("| | ParadeDB | PostgreSQL | PostgreSQL : ParadeDB |\n|---|---|---|---|")
    for line in rows_of(timings):
        print(line)
    (seconds, size), (other_seconds, other_size) = (builds[engine] for engine in ENGINES)
    times = f"{seconds:.0f} s | {other_seconds:.0f} s | {other_seconds / seconds:.1f}"
    sizes = f"{size / 1e6:.0f} MB | {other_size / 1e6:.0f} MB | {other_size / size:.1f}"
    print(f"| index, build time | {times} |\n| index, size | {sizes} |")


if __name__ == "__main__":
    main()
