import json
import os
import re
import shelve
import signal
import stat
import subprocess
from contextlib import closing, suppress
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import amqp
import kombu
import psycopg
import pytest
import redis
from django.conf import settings
from pymemcache import Client
from pymemcache.exceptions import MemcacheError

from dovetail.tasks.queues import TASKS, queue
from tests.eventually import Eventually
from tests.stack.proxy import PUBLISH, mute_proxy
from tests.stack.stack import ROOT, Stack, descendants, is_open


def readiness_checks(stack: Stack) -> dict[str, str]:
    checks: dict[str, str] = json.loads(stack.get("/readyz").read())["checks"]
    return checks


def post(stack: Stack, path: str, **fields: str) -> int:
    page = stack.get(path).read().decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert token
    data = urlencode(fields | {"csrfmiddlewaretoken": token[1]}).encode()
    return stack.get(path, data).status


def test_home_page_is_served(stack: Stack) -> None:
    page = stack.get("/")

    assert page.status == HTTPStatus.OK
    assert settings.SITE_NAME in page.read().decode()
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]


def test_page_loads_assets_from_vite(stack: Stack) -> None:
    page = stack.get("/").read().decode()

    origin = f"http://localhost:{stack.ports['VITE_PORT']}"
    assert re.search(rf'src="{origin}/static/src/js/application\.ts"', page)


def test_search_finds_an_article(stack: Stack) -> None:
    paths = re.findall(r'href="(/articles/[\w-]+/)"', stack.get("/articles/").read().decode())
    wanted = next(path for path in paths if path.count("-") > 1)
    words = wanted.removeprefix("/articles/").strip("/").replace("-", " ")

    found = stack.get("/articles/?" + urlencode({"q": words})).read().decode()

    assert f'href="{wanted}"' in found
    assert len(set(re.findall(r'href="/articles/[\w-]+/"', found))) < len(set(paths))


def test_email_task_runs_through_rabbitmq(stack: Stack, eventually: type[Eventually]) -> None:
    address = "newcomer@example.com"
    password = "dovetails-hold-without-nails"

    post(stack, "/accounts/signup/", email=address, password1=password, password2=password)

    for _ in eventually():
        if any(address in mail.read_text() for mail in (stack.data / "mail").glob("*.eml")):
            break
    for _ in eventually():
        if re.search(r"Task dovetail\.mail\.tasks\.deliver_mail\S* succeeded", stack.log("worker")):
            break
    assert "amqp://" in stack.settings()["CELERY_BROKER_URL"]


def test_beat_sends_due_tasks(stack: Stack, eventually: type[Eventually]) -> None:
    """The daily cleanup, last sent two days ago, runs and removes an expired session."""
    with psycopg.connect(stack.settings()["DATABASE_URL"], autocommit=True) as database:
        database.execute(
            "INSERT INTO django_session (session_key, session_data, expire_date)"
            " VALUES ('expired', '', now() - interval '1 day')"
        )
        stack.command("process", "stop", "beat")
        with shelve.open(str(stack.data / "services" / "beat"), writeback=True) as schedule:  # noqa: S301
            entry = schedule["entries"]["clear-expired-sessions"]
            entry.last_run_at -= timedelta(days=2)
        stack.command("process", "start", "beat")

        for _ in eventually():
            left = "SELECT 1 FROM django_session WHERE session_key = 'expired'"
            if database.execute(left).fetchone() is None:
                break


def test_requests_use_valkey(stack: Stack) -> None:
    with redis.Redis.from_url(stack.settings()["VALKEY_URL"]) as valkey:
        before = valkey.info("stats")["keyspace_hits"]
        for _ in range(2):  # the rate limit reads what it stored on the first attempt
            post(stack, "/accounts/login/", login="nobody@example.com", password="wrong")
        after = valkey.info("stats")["keyspace_hits"]

    assert after > before


def test_computed_values_use_memcached(stack: Stack) -> None:
    memcached = Client(str(stack.data / "services" / "memcached.sock"), timeout=60)
    before = memcached.stats()[b"get_hits"]

    code = "from django.core.cache import caches; cache = caches['computed']; "
    code += "cache.set('a', 7); print(cache.get('a'))"
    output = stack.manage("shell", "--no-imports", "--command", code)

    assert output.strip() == "7"
    assert memcached.stats()[b"get_hits"] == before + 1
    memcached.close()


def test_servers_ask_for_a_password(stack: Stack) -> None:
    """Kind: a server on a port that every user of the machine can reach."""
    settings = stack.settings()
    unknown = f"redis://127.0.0.1:{stack.ports['VALKEY_PORT']}"
    with redis.Redis.from_url(unknown) as valkey, pytest.raises(redis.AuthenticationError):
        valkey.ping()
    guest = f"amqp://guest:guest@127.0.0.1:{stack.ports['RABBITMQ_PORT']}//"
    with kombu.Connection(guest) as rabbitmq, pytest.raises(amqp.AccessRefused):
        rabbitmq.connect()
    url = urlsplit(settings["DATABASE_URL"])
    for secret in ("", ":postgres"):
        database = f"postgres://{url.username}{secret}@{url.hostname}:{url.port}{url.path}"
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(database)

    assert stat.S_IMODE((stack.data / "services").stat().st_mode) == 0o700
    arguments = subprocess.run(
        ["ps", "-A", "-ww", "-o", "args="], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    for name in ("valkey", "rabbitmq"):
        password = stack.data / "services" / f"{name}.password"
        assert stat.S_IMODE(password.stat().st_mode) == 0o600
        assert password.read_text() not in arguments


def test_other_terminals_use_the_same_services(stack: Stack) -> None:
    code = "from django.conf import settings; print(settings.CELERY_BROKER_URL)"

    output = stack.manage("shell", "--no-imports", "--command", code)

    assert output.strip() == stack.settings()["CELERY_BROKER_URL"]


def test_readiness_names_a_stopped_service(stack: Stack, eventually: type[Eventually]) -> None:
    assert stack.get("/readyz").status == HTTPStatus.OK

    stack.command("process", "stop", "valkey")
    for _ in eventually():
        if not is_open(stack.ports["VALKEY_PORT"]):
            break
    assert stack.get("/readyz").status == HTTPStatus.OK  # pages work without it
    assert readiness_checks(stack) == {"database": "ok", "cache": "unavailable", "broker": "ok"}
    assert stack.get("/").status == HTTPStatus.OK

    stack.command("process", "start", "valkey")
    for _ in eventually():
        if readiness_checks(stack)["cache"] == "ok":
            break


def test_crashed_server_is_restarted(stack: Stack, eventually: type[Eventually]) -> None:
    keeper = stack.processes()["memcached"]["pid"]
    path = str(stack.data / "services" / "memcached.sock")
    with closing(Client(path, timeout=60)) as memcached:
        crashed = memcached.stats()[b"pid"]

        for pid in descendants(keeper) - {keeper}:
            os.kill(pid, signal.SIGKILL)

        for _ in eventually():
            with suppress(OSError, MemcacheError):  # its socket outlives it
                if memcached.stats()[b"pid"] != crashed:
                    break
    assert "restarting it" in stack.log("memcached")
    assert stack.processes()["memcached"]["is_running"]


@pytest.mark.usefixtures("stack")
def test_third_crash_stops_the_stack_with_a_message(tmp_path: Path) -> None:
    broken = tmp_path / "valkey-server"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    another = Stack(tmp_path)
    path = f"{tmp_path}:{another.environment['PATH']}"

    ended = subprocess.run(
        ["process-compose", "up", "valkey", "postgres"],
        cwd=ROOT,
        env=another.environment | {"PATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode != 0
    log = f"{tmp_path}/log/valkey.log"
    assert f"valkey: crashed 3 times, last with status 3; see {log}" in ended.stdout
    assert not is_open(another.ports["POSTGRES_PORT"])


def test_second_stack_in_the_same_checkout_is_refused(stack: Stack) -> None:
    ended = subprocess.run(
        ["bash", "nix/services/run.sh", "postgres"],
        cwd=ROOT,
        env=stack.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == 78
    assert re.fullmatch(
        r"postgres: this checkout's stack is already running \(process \d+, .*\n", ended.stderr
    )


def test_broker_that_never_confirms_is_unavailable(stack: Stack) -> None:
    """Kind: RabbitMQ blocks publishers while its memory or disk is full, and a request waits."""
    code = """
from kombu.exceptions import OperationalError
from apps.core.tasks import clear_expired_sessions
try:
    clear_expired_sessions.delay()
except OperationalError as error:
    print("unavailable:", repr(error))
"""
    url = stack.settings()["CELERY_BROKER_URL"]
    with mute_proxy(stack.ports["RABBITMQ_PORT"], after=PUBLISH) as port:
        mute = url.replace(str(stack.ports["RABBITMQ_PORT"]), str(port))
        said = stack.manage("shell", "--no-imports", "--command", code, CELERY_BROKER_URL=mute)

    assert "unavailable: " in said


def test_message_for_a_task_that_no_worker_knows_is_kept(
    stack: Stack, eventually: type[Eventually]
) -> None:
    """Kind: a message that cannot be handled, and is gone or comes back for ever."""
    with kombu.Connection(stack.settings()["CELERY_BROKER_URL"]) as broker:
        broker.Producer().publish(
            [[], {}, {}],
            exchange="tasks",
            routing_key="bulk",
            headers={"task": "no.such.task", "id": "unknown"},
        )

    assert failure(stack, eventually, "task_id = 'unknown'") == (
        "no.such.task",
        "Dead letter: rejected by a worker (queue bulk)",
    )


def test_malformed_message_is_kept(stack: Stack, eventually: type[Eventually]) -> None:
    """Kind: a message that ends the worker, which meets it again."""
    task = "apps.articles.tasks.remove_old_imports"
    with kombu.Connection(stack.settings()["CELERY_BROKER_URL"]) as broker:
        broker.Producer().publish(
            [[], {}, {}], exchange="tasks", routing_key="bulk", headers={"task": task}
        )

    _, error = failure(stack, eventually, f"task = '{task}'")

    assert error == "Dead letter: rejected by a worker (queue bulk)"


def test_message_that_kills_each_worker_is_kept(stack: Stack, eventually: type[Eventually]) -> None:
    """As if workers that had the message were killed, by closing channels without an answer."""
    with kombu.Connection(stack.settings()["CELERY_BROKER_URL"]) as broker:
        poison = queue("poison", delivery_limit=2)
        poison(broker.default_channel).declare()
        broker.Producer().publish("kills", exchange=TASKS, routing_key="poison")
        deliveries = 0
        for _ in eventually():
            with broker.channel() as channel:
                deliveries += poison(channel).get() is not None
            if deliveries == 3:
                break

        assert failure(stack, eventually, "error LIKE '%(queue poison)'") == (
            "unknown",
            "Dead letter: each worker that had it was killed (queue poison)",
        )
        poison(broker.default_channel).delete()


def failure(stack: Stack, eventually: type[Eventually], condition: str) -> tuple[str, str]:
    """Wait for a record of a failure, and return its task and error."""
    collect = "from dovetail.tasks.dead_letters import collect; collect()"  # as beat does
    query = f"SELECT task, error FROM dovetail_tasks_taskfailure WHERE {condition}"  # noqa: S608
    with psycopg.connect(stack.settings()["DATABASE_URL"], autocommit=True) as database:
        for _ in eventually(90):  # each time, Django starts
            stack.manage("shell", "--no-imports", "--command", collect)
            if found := database.execute(query).fetchone():
                return str(found[0]), str(found[1])
    raise AssertionError
