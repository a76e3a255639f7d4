"""What visitors see while a service is away or hangs."""

import signal
import time
from contextlib import ExitStack, closing
from pathlib import Path

import psycopg
import pytest

from tests.faults.conftest import Site
from tests.faults.servers import Memcached, Valkey, hung
from tests.production.conftest import EMAIL

pytestmark = pytest.mark.usefixtures("_well")

IN_FLIGHT = 8  # connections of the load: a restart costs each of them at most one answer


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGKILL], ids=["restart", "crash"])
def test_database_that_restarts_costs_no_answer_after_it_is_back(
    site: Site, stop: signal.Signals
) -> None:
    """Expected: errors while it is away, and none once it accepts connections again."""
    with site.load("/faults/rows/") as before:
        time.sleep(1)
    assert before.answers
    assert before.failures == 0

    site.postgres.stop(stop)
    assert site.get("/faults/rows/").status_code == 500
    site.postgres.start()

    with site.load("/faults/rows/") as after:
        time.sleep(2)
    assert after.failures <= IN_FLIGHT
    with site.load("/faults/rows/") as later:
        time.sleep(1)
    assert later.answers
    assert later.failures == 0


def test_database_that_hangs_is_waited_for(site: Site) -> None:
    """Expected: what needs no database answers; the rest goes on with the database."""
    with site.load("/faults/rows/", connections=2) as outcome:
        time.sleep(0.5)
        with hung(site.postgres):
            assert site.get("/livez").status_code == 200
            assert site.get("/readyz").status_code == 503
        site.wait_until_well("/faults/rows/")

    assert outcome.answers
    assert outcome.failures <= IN_FLIGHT


def test_database_without_free_connections_is_an_error_page_and_no_end(site: Site) -> None:
    """Expected: 500 or an answer, within seconds, and all is well when others let go."""
    site.postgres.stop()
    site.postgres.start()
    with ExitStack() as others:

        def take_all() -> None:
            while True:
                others.enter_context(closing(psycopg.connect(site.postgres.url)))

        with pytest.raises(psycopg.OperationalError, match=r"too many clients|reserved"):
            take_all()
        answer = site.get("/faults/rows/")
        assert answer.status_code == 500
        assert "Traceback" not in answer.text

    site.wait_until_well("/faults/rows/")


@pytest.mark.parametrize("name", ["valkey", "memcached"])
def test_cache_that_is_killed_costs_no_page(site: Site, name: str) -> None:
    """Expected: every page, slower."""
    service: Valkey | Memcached = getattr(site, name)

    with site.load("/", connections=4) as outcome:
        service.stop(signal.SIGKILL)
        try:
            for path in ("/", "/articles/", "/accounts/login/", "/faults/kept/"):
                assert site.get(path).status_code == 200
        finally:
            service.start()

    assert outcome.answers
    assert outcome.failures == 0


@pytest.mark.parametrize("name", ["valkey", "memcached"])
def test_cache_that_hangs_costs_no_page(site: Site, name: str) -> None:
    """Expected: every page, after a second or two at first."""
    service: Valkey | Memcached = getattr(site, name)

    with hung(service):
        for path in ("/", "/articles/", "/faults/kept/"):
            assert site.get(path, timeout=30).status_code == 200
        began = time.monotonic()
        assert site.get("/livez").status_code == 200
        assert time.monotonic() - began < 20

    site.wait_until_well("/faults/kept/")


def test_all_services_but_the_database_away(site: Site) -> None:
    with site.valkey.stopped(), site.memcached.stopped():
        assert site.get("/").status_code == 200
        ready = site.get("/readyz")
        assert ready.status_code == 200
        assert ready.json()["checks"]["cache"] == "unavailable"


def test_broker_that_is_away_at_the_commit_loses_no_task(site: Site, tmp_path: Path) -> None:
    """Expected: the page as ever, and the mail in the outbox."""
    waiting = "SELECT count(*) FROM dovetail_tasks_outboxentry WHERE task LIKE '%deliver_mail'"
    with (
        site.visited(tmp_path) as (_, visitor),
        psycopg.connect(site.postgres.url, autocommit=True) as database,
    ):
        [before] = database.execute(waiting).fetchone() or (0,)
        with site.valkey.stopped():
            answer = visitor.submit("/accounts/password/reset/", {"email": EMAIL})
            assert answer.status_code == 200
            assert answer.history

        assert database.execute(waiting).fetchone() == (before + 1,)


def test_clocks_an_hour_apart_end_no_session(site: Site, tmp_path: Path) -> None:
    """Expected: who has signed in stays so, on servers whose clocks have jumped there and back."""
    with site.visited(tmp_path) as (own, visitor):
        proxy = own.proxy
        assert proxy
        visitor.sign_in()
        changes = {name: own.web.environment[name] for name in ("SITE_URL", "ALLOWED_HOSTS")}
        settings = "tests.faults.ahead_settings"
        with own.another_web(
            tmp_path / "ahead.log", DJANGO_SETTINGS_MODULE=settings, **changes
        ) as ahead:
            for server in (ahead, own, ahead):
                proxy.upstream = server.web.port
                page = visitor.page("/people/me/edit/")
                assert page.status_code == 200
                assert not page.history
