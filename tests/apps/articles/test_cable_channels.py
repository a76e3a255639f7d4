import gc
import json
import weakref

import pytest
from asgiref.sync import sync_to_async

from apps.articles.models import Article
from dovetail.cable.hub import Hub
from dovetail.cable.streams import stream_name
from tests.apps.articles.test_broadcasts import REFRESH, identifier
from tests.dovetail.cable.conftest import Connect, _fresh_layer, connect, until
from tests.factories import make_article

__all__ = ["_fresh_layer", "connect"]
pytestmark = pytest.mark.django_db(transaction=True)


async def test_socket_that_subscribes_twice_is_one_reader(connect: Connect) -> None:
    article: Article = await sync_to_async(make_article)()
    browser = await connect()
    for spare in range(5):
        params = json.loads(identifier(article)) | {"spare": spare}
        await browser.send(command="subscribe", identifier=json.dumps(params))
    streams = Hub.current().streams
    await until(
        lambda: [c.is_confirmed for s in streams.values() for c in s.channels].count(True) == 5
    )

    other = await connect()
    await other.subscribe(identifier(article))

    told = ""
    # Its page fetches the number if that changed while it subscribed.
    while "2 people reading" not in told and told != REFRESH:
        told = str((await other.receive())["message"])
        assert told == REFRESH or "1 person reading" in told or "2 people reading" in told


async def test_channel_is_freed_when_its_reader_leaves(connect: Connect) -> None:
    article: Article = await sync_to_async(make_article)()
    first, second = await connect(), await connect()
    await first.subscribe(identifier(article))
    channels = Hub.current().streams[stream_name(article)].channels
    (channel,) = [weakref.ref(channel) for channel in channels]
    await second.subscribe(identifier(article))

    await first.send(command="unsubscribe", identifier=identifier(article))

    def is_gone() -> bool:
        gc.collect()
        return channel() is None

    await until(is_gone)
