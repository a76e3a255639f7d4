"""What someone can do to the site's pages who can write to its cache and its broker."""

import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from celery import current_app
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends import cached_db
from django.core.cache import cache, caches
from django.http import HttpResponse
from django.template import engines
from django.test import Client
from kombu import Connection
from kombu.exceptions import ContentDisallowed

from apps.users.models import User
from apps.users.sessions import ROW, SIGNED_IN_AT
from tests.dovetail.cache.planted import Payload, garbage, pickles
from tests.factories import make_user

pytestmark = pytest.mark.django_db

FORGED_KEY = "forged0key0of0a0session0000000000"
PAGES = ("/", "/articles/", "/accounts/login/", "/accounts/sessions/", "/admin/")
FRAGMENT = "{% load cache %}{% cache 60 fragment %}<b>Ours</b>{% endcache %}"


class Store:
    """A connection to the site's cache that does not go through the site."""

    def __init__(self) -> None:
        backend: Any = caches["default"]
        self.cache = backend
        self.server = backend._cache.get_client()  # noqa: SLF001

    def key(self, key: str) -> str:
        name: str = self.cache.make_key(key)
        return name

    def session_keys(self, key: str) -> list[str]:
        """Return where Django's engines look for a session in the cache."""
        prefixes = (cached_db.KEY_PREFIX, "django.contrib.sessions.cache")
        return [self.key(f"{prefix}{key}") for prefix in prefixes]

    def plant_everywhere(self, data: bytes) -> None:
        """Replace every value that there is."""
        for key in self.server.keys("*"):
            self.server.set(key, data)


@pytest.fixture
def store() -> Store:
    return Store()


def superuser_session() -> dict[str, Any]:
    user = make_user(is_staff=True, is_superuser=True)
    return {
        SESSION_KEY: str(user.pk),
        BACKEND_SESSION_KEY: settings.AUTHENTICATION_BACKENDS[0],
        HASH_SESSION_KEY: user.get_session_auth_hash(),
        # With a row in the list of sessions, so that only the engine can refuse it.
        ROW: UserSession.objects.create(user=user, session_key=FORGED_KEY, ip="::1").pk,
        SIGNED_IN_AT: time.time(),
    }


def visit(client: Client) -> list[HttpResponse]:
    responses: list[Any] = [client.get(page) for page in PAGES]
    responses.append(client.post("/accounts/login/", {"login": "ada@example.org", "password": "x"}))
    assert all(response.status_code < HTTPStatus.INTERNAL_SERVER_ERROR for response in responses)
    return responses


@pytest.mark.usefixtures("allow_session_queries")
def test_pickle_in_the_cache_is_never_run(
    member: User, log_in: Callable[..., Client], store: Store, tmp_path: Path
) -> None:
    """Kind: code that runs in the site because it was written to a store."""
    file = tmp_path / "created"
    client = log_in(member)
    visit(client)

    for data in garbage(file):  # pickles among it
        for key in store.session_keys(client.cookies[settings.SESSION_COOKIE_NAME].value):
            store.server.set(key, data)
        store.plant_everywhere(data)
        responses = visit(client)
        assert responses[3].status_code == HTTPStatus.OK  # still signed in
        assert not file.exists(), data


def test_superuser_session_in_the_cache_is_not_believed(client: Client, store: Store) -> None:
    """Kind: a store that says who a visitor is."""
    session = superuser_session()
    client.cookies[settings.SESSION_COOKIE_NAME] = FORGED_KEY
    for form in (session, tuple(session.items())):
        for key in store.session_keys(FORGED_KEY):
            # Even signed, as if the key of the signatures were known.
            cache.set(key.removeprefix(store.key("")), form)

        page = client.get("/admin/")

        assert page.status_code == HTTPStatus.FOUND
        assert "/login/" in page["Location"]


def test_session_of_another_cannot_be_copied_in_the_store(
    member: User, log_in: Callable[..., Client], store: Store
) -> None:
    log_in(member)
    before = {key: store.server.get(key) for key in store.server.keys("*")}

    stranger = Client()
    key = "another0session00000000000000000"
    stranger.cookies[settings.SESSION_COOKIE_NAME] = key
    for data in before.values():
        for place in store.session_keys(key):
            store.server.set(place, data)

    assert stranger.get("/accounts/sessions/").status_code == HTTPStatus.FOUND


def test_fragment_in_the_cache_is_shown_only_if_the_site_stored_it(
    store: Store, tmp_path: Path
) -> None:
    """Kind: HTML that is trusted because it was in a store."""
    template = engines["django"].from_string(FRAGMENT)
    assert template.render() == "<b>Ours</b>"
    (key,) = store.server.keys("*template.cache*")
    for data in (b"<script>", pickles(tmp_path / "created")[-1]):
        store.server.set(key, data)
        assert template.render() == "<b>Ours</b>"
        assert template.render() == "<b>Ours</b>"


def test_pickle_in_the_broker_is_never_run(tmp_path: Path) -> None:
    """Kind: a queue that runs code because of the type that a message states."""
    file = tmp_path / "created"
    app: Any = current_app
    refused = []
    with Connection(settings.CELERY_BROKER_URL) as broker:
        queue = app.amqp.queues["default"](broker.channel())
        queue.queue_declare()
        queue.purge()
        producer = broker.Producer(serializer="pickle")
        producer.publish(
            Payload(file), routing_key="default", exchange=queue.exchange, declare=[queue]
        )

        def on_message(message: Any) -> None:
            message.ack()
            with pytest.raises(ContentDisallowed):
                message.decode()
            refused.append(message)

        with app.amqp.TaskConsumer(broker.channel(), on_message=on_message):
            broker.drain_events(timeout=30)

    assert [message.content_type for message in refused] == ["application/x-python-serialize"]
    assert not file.exists()
