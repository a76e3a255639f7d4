"""Measure the caches: one read, a stampede, kept fragments, and an outage under load.

    uv run benchmarks/cache.py [--rounds 3000] [--articles 500]

- **get** reads a small value: with redis-py, with the kit's cache, and with Django's, in turns.
- **stampede** lets 200 threads ask for a missing value at once, and counts who computed it.
- **pages** opens the home page and the list as a visitor, in turns: kept as a whole, with warm
  fragments, and without. A cookie keeps the second from getting the first. The time is the
  processor's, of this process; PostgreSQL's is not in it.
- **outage** kills the server (-9) while 20 threads read, write and compute, and starts it again.

Prints the tables in benchmarks/README.md. Needs `valkey-server` or `redis-server` on PATH.
"""

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:1] = [str(ROOT / "project"), str(ROOT)]

from tests.cable.servers import Valkey  # noqa: E402

from dovetail.devtools.embedded.testing import throwaway_postgres, throwaway_valkey  # noqa: E402
from dovetail.devtools.embedded.valkey import find_installed  # noqa: E402

PAGES = ["/", "/articles/"]
AT_ONCE = 200  # threads of the stampede
COMPUTING = 0.5  # seconds
THREADS = 20  # of the outage
PHASE = 2  # seconds before, during and after the outage
VALUE = {"name": "Ada", "numbers": [1, 2, 3]}


def run_with_services(arguments: list[str]) -> int:
    """Run this script again, with throwaway services."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.test"
    with throwaway_postgres(ROOT / ".data") as postgres, throwaway_valkey() as valkey:
        environment = {"DATABASE_URL": postgres, "VALKEY_URL": valkey, "ENV_FILE": os.devnull}
        command = [sys.executable, __file__, "--inside", *arguments]
        return subprocess.run(command, env=os.environ | environment, check=False).returncode


def in_turns(ways: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Return the median of the processor time that each way takes, in microseconds.

    A round calls each of them a few times, since the clock of the processor has large steps.
    """
    times: dict[str, list[float]] = {name: [] for name in ways}
    calls = 20
    for _ in range(max(rounds // calls, 1)):
        for name, call in ways.items():
            start = time.process_time()
            for _ in range(calls):
                call()
            times[name].append(1e6 * (time.process_time() - start) / calls)
    return {name: statistics.median(spent) for name, spent in times.items()}


def measure_get(rounds: int) -> None:
    import redis  # noqa: PLC0415 - after the settings
    from django.conf import settings  # noqa: PLC0415
    from django.core.cache import cache  # noqa: PLC0415
    from django.core.cache.backends.redis import RedisCache  # noqa: PLC0415

    client, stock = redis.Redis.from_url(settings.VALKEY_URL), RedisCache(settings.VALKEY_URL, {})
    client.set("benchmark", b"x" * 40)
    cache.set("benchmark", VALUE, 600)
    stock.set("benchmark", VALUE, 600)
    ways: dict[str, Callable[[], Any]] = {
        "redis-py, bytes": lambda: client.get("benchmark"),
        "`cache.get`": lambda: cache.get("benchmark"),
        "`cache.get` of Django": lambda: stock.get("benchmark"),
    }
    times = in_turns(ways, rounds)
    own = times["redis-py, bytes"]
    print("| get | processor time, µs | redis-py: 1 |\n|---|---:|---:|")
    for name, spent in times.items():
        print(f"| {name} | {spent:.0f} | {spent / own:.2f} |")


def measure_stampede() -> None:
    from dovetail.cache.computed import cached  # noqa: PLC0415

    computed: list[float] = []
    gate = threading.Barrier(AT_ONCE)

    def compute() -> str:
        computed.append(time.monotonic())
        time.sleep(COMPUTING)
        return "value"

    def ask() -> str:
        gate.wait(60)
        return cached("benchmark.stampede", compute, ttl=600)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        asked = [pool.submit(ask) for _ in range(AT_ONCE)]
        values = {one.result(60) for one in asked}
    if values != {"value"}:
        sys.exit(f"error: a thread got {values}")
    print(f"\nStampede: {AT_ONCE} threads asked at once; computed {len(computed)} times.\n")


def measure_pages(rounds: int, articles: int) -> None:
    from django.conf import settings  # noqa: PLC0415
    from django.core.cache import caches  # noqa: PLC0415
    from django.core.wsgi import get_wsgi_application  # noqa: PLC0415
    from django.db import connection  # noqa: PLC0415
    from django.test import RequestFactory  # noqa: PLC0415
    from tests.factories import make_article, make_user  # noqa: PLC0415

    authors = [make_user() for _ in range(20)]
    for number in range(articles):
        make_article(authors[number % len(authors)], title=f"Article {number}")
    connection.settings_dict["CONN_MAX_AGE"] = None  # as with the pool of the web server
    application: Any = get_wsgi_application()
    factory: Any = RequestFactory(SERVER_NAME="localhost")

    def visit(url: str, cookie: str = "") -> None:
        """Answer a request without a server, whose time is the same either way."""
        answers: list[str] = []
        values = {"PATH_INFO": url, "HTTP_COOKIE": cookie}
        environ = factory._base_environ(**values)  # noqa: SLF001 - no public way
        body = application(environ, lambda status, _: answers.append(status))
        b"".join(body)
        body.close()
        if answers != ["200 OK"]:
            sys.exit(f"error: {url} was answered with {answers}")

    kept = settings.CACHES["template_fragments"]
    nothing = {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}

    def without(url: str) -> None:
        switch(nothing)
        visit(url)
        switch(kept)

    def switch(backend: dict[str, Any]) -> None:
        caches.settings["template_fragments"] = backend
        with suppress(AttributeError):
            del caches["template_fragments"]

    print(
        "| page | kept, ms | fragments, ms | neither, ms | times as fast |\n"
        "|---|---:|---:|---:|---:|"
    )
    for url in PAGES:
        ways: dict[str, Callable[[], Any]] = {
            "kept": partial(visit, url),
            "with": partial(visit, url, "theme=light"),
            "without": partial(without, url),
        }
        for way in ways.values():
            way()
        times = in_turns(ways, rounds // 10)
        ratio = times["without"] / times["with"]
        spent = " | ".join(f"{times[way] / 1e3:.2f}" for way in ways)
        print(f"| {url} | {spent} | {ratio:.1f} |")


def measure_outage() -> None:
    from django.core.cache.backends.base import BaseCache  # noqa: PLC0415

    from dovetail.cache.valkey import ValkeyCache  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        server = Valkey(Path(folder) / "log", dict(os.environ))
        stack.callback(server.stop)
        server.start()
        options = {"socket_connect_timeout": 1, "socket_timeout": 1}
        store: BaseCache = ValkeyCache(server.url, {"OPTIONS": options})
        ended = threading.Event()
        spent: list[float] = []
        hits: list[bool] = []

        def use(number: int) -> None:
            while not ended.is_set():
                start = time.monotonic()
                store.set(f"benchmark.{number}", VALUE, 60)
                hits.append(store.get(f"benchmark.{number}") == VALUE)
                spent.append(time.monotonic() - start)

        with ThreadPoolExecutor(THREADS) as pool:
            using = [pool.submit(use, number) for number in range(THREADS)]
            try:
                time.sleep(PHASE)
                server.stop(signal.SIGKILL)
                time.sleep(PHASE)
                server.start()
                before = len(hits)
                time.sleep(PHASE)
            finally:
                ended.set()
            errors = sum(one.exception(60) is not None for one in using)
    print(
        f"\nOutage: {len(hits):,} writes and reads by {THREADS} threads, {errors} errors, "
        f"{hits.count(False):,} misses; the slowest took {max(spent):.2f} s; "
        f"{hits[before:].count(True):,} hits after it."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3000)
    parser.add_argument("--articles", type=int, default=500)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.inside:
        if find_installed() is None:
            sys.exit("error: no valkey-server or redis-server on PATH")
        sys.exit(run_with_services(sys.argv[1:]))

    import django  # noqa: PLC0415

    django.setup()
    from django.core.management import call_command  # noqa: PLC0415

    call_command("migrate", verbosity=0)
    measure_get(options.rounds)
    measure_stampede()
    measure_pages(options.rounds, options.articles)
    measure_outage()


if __name__ == "__main__":
    main()
