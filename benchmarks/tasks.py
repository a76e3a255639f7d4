"""Measure what background work costs the request that starts it.

    uv run benchmarks/tasks.py [--rounds 2000] [--broker amqp://...]

In turns, in one process, each in a transaction that also inserts a row, as a request does:

- **nothing** inserts the row only.
- **publish** sends a message of the same size with kombu, and waits for the broker's confirmation.
- **delay** calls a task.
- **delay_on_commit** calls it after the commit.
- **outbox** writes it to the outbox, and wakes the task that sends it, after the commit.
- **insert** is what the outbox costs before the commit, of the same call.

Prints the table in benchmarks/README.md. Without --broker, it starts the Valkey on PATH. It empties
the queues of the broker that it is given, so give it one of its own.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:1] = [str(ROOT / "project"), str(ROOT)]

from dovetail.devtools.embedded.testing import (  # noqa: E402
    throwaway_postgres,
    throwaway_valkey,
)

WARM_UP = 20  # rounds that do not count
TEXT = "Wood holds wood, without nails or screws. " * 10  # what the task is given
PURGE_EVERY = 200  # rounds, so that the broker does not fill up
Times = dict[str, list[float]]


def run_with_services(options: argparse.Namespace) -> None:
    """Run this script again, with throwaway services."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.dev"
    with throwaway_postgres(ROOT / ".data") as postgres, throwaway_valkey() as valkey:
        environment = {
            "DATABASE_URL": postgres,
            "VALKEY_URL": f"{valkey}/0",
            "CELERY_BROKER_URL": options.broker or f"{valkey}/1",
            "ENV_FILE": os.devnull,
        }
        command = [sys.executable, __file__, "--inside", "--rounds", str(options.rounds)]
        subprocess.run(command, env=os.environ | environment, check=True)


def measure(rounds: int) -> Times:
    """Return the milliseconds that each way took, by its name."""
    from django.db import transaction  # noqa: PLC0415 - needs Django

    from dovetail.mail.tasks import deliver_mail  # noqa: PLC0415
    from dovetail.tasks import outbox  # noqa: PLC0415
    from dovetail.tasks.models import Done, OutboxEntry  # noqa: PLC0415

    task: Any = deliver_mail
    publish = publisher()
    inserts: list[float] = []

    def through_outbox() -> None:
        start = time.perf_counter()
        outbox.delay(task, {"body": TEXT})
        inserts.append(1000 * (time.perf_counter() - start))

    ways: dict[str, Callable[[], Any]] = {
        "nothing": lambda: None,
        "publish": publish,
        "delay": lambda: task.delay({"body": TEXT}),
        "delay_on_commit": lambda: task.delay_on_commit({"body": TEXT}),
        "outbox": through_outbox,
    }
    times: Times = {name: [] for name in ways}
    for number in range(WARM_UP + rounds):
        for name, start_work in ways.items():
            start = time.perf_counter()
            with transaction.atomic():
                Done(key=f"{name} {number}").save(force_insert=True)
                start_work()
            if number >= WARM_UP:
                times[name].append(1000 * (time.perf_counter() - start))
        if number % PURGE_EVERY == 0:
            purge()
            OutboxEntry.objects.all().delete()
    return times | {"insert": inserts[WARM_UP:]}


def publisher() -> Callable[[], None]:
    """Return a function that publishes a message to a queue of its own."""
    from django.conf import settings  # noqa: PLC0415 - needs Django
    from kombu import Connection  # noqa: PLC0415

    from dovetail.tasks.queues import queue  # noqa: PLC0415

    options = getattr(settings, "CELERY_BROKER_TRANSPORT_OPTIONS", {})
    broker = Connection(settings.CELERY_BROKER_URL, transport_options=options)
    bare = queue("benchmark")
    bare(broker.default_channel).declare()
    producer = broker.Producer(serializer="json")
    return lambda: producer.publish(
        [[{"body": TEXT}], {}, {}], exchange=bare.exchange, routing_key=bare.routing_key
    )


def purge() -> None:
    from celery import current_app  # noqa: PLC0415 - needs Django

    from dovetail.tasks.queues import queue  # noqa: PLC0415

    app: Any = current_app
    with app.connection_for_write() as broker:
        for one in (*app.amqp.queues.values(), queue("benchmark")):
            bound = one(broker.default_channel)
            bound.declare()
            bound.purge()


def report(times: Times) -> None:
    nothing = statistics.median(times["nothing"])
    print("| | p50 ms | p99 ms | more than nothing, p50 ms |")
    print("|---|---:|---:|---:|")
    for name, spent in times.items():
        waits = statistics.quantiles(spent, n=100)
        more = waits[49] - (0 if name == "insert" else nothing)
        print(f"| {name} | {waits[49]:.2f} | {waits[98]:.2f} | {more:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=2000)
    parser.add_argument("--broker", help="the URL of a RabbitMQ of its own: its queues are emptied")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.inside:
        run_with_services(options)
        return

    import django  # noqa: PLC0415
    from django.conf import settings  # noqa: PLC0415
    from django.core.management import call_command  # noqa: PLC0415

    django.setup()
    settings.DEBUG = False  # it would record every statement
    call_command("migrate", verbosity=0)
    report(measure(options.rounds))


if __name__ == "__main__":
    main()
