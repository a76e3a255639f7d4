"""The Redis channel layer, with five additions.

Publish/subscribe delivers at most once, so messages sent while a connection is down are lost. This
layer tells the hub when it has reconnected, and pages catch up. A subscription is complete only
when the server has confirmed it: a command may be written to a connection that has just ended. And
an unavailable server is logged in one line per second instead of a traceback. One that has not
answered in time gets no messages for a moment, or a request that broadcasts several would wait for
each. Messages are signed, because pages show the HTML in them: what another program publishes is
dropped.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import redis
from channels_redis.pubsub import (
    RedisPubSubChannelLayer,
    RedisPubSubLoopLayer,
    RedisSingleShardConnection,
)
from channels_redis.utils import _wrap_close, decode_hosts
from redis.asyncio import ConnectionPool
from redis.asyncio.client import PubSub

from dovetail.cable.hub import CONTROL, Hub
from dovetail.cache import outages
from dovetail.signed import sign, unsign

logger = logging.getLogger(__name__)

PURPOSE = "cable"  # of the signatures
POLL = 1.0  # seconds to wait for a message before checking whether there are subscriptions left
RETRY = 1.0  # seconds
CONTROL_GROUP = f"__group__{CONTROL}"  # the end of its channel's name
CONFIRMATION = 5.0  # seconds the server has to confirm a subscription


class WatchfulPubSub(PubSub):
    def __init__(self, pool: ConnectionPool, confirmed: Mapping[str, asyncio.Event]) -> None:
        super().__init__(pool)
        self._confirmed = confirmed

    async def on_connect(self, connection: Any) -> None:
        """Subscribe again; redis-py calls this on every connection but the first."""
        may_have_lost_messages = any(event.is_set() for event in self._confirmed.values())
        await super().on_connect(connection)
        hub = Hub.of(asyncio.get_running_loop())
        if hub and may_have_lost_messages:
            logger.warning("Reconnected to the channel layer; refreshing open pages")
            hub.catch_up()


class Shard(RedisSingleShardConnection):  # type: ignore[misc] # channels_redis has no types
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._confirmed: dict[str, asyncio.Event] = {}
        self._has_subscriptions = asyncio.Event()
        # Not the address alone: the cache may be slow while this is not.
        self._server = f"{PURPOSE} {self.host.get('address', self.host)}"

    async def publish(self, channel: str, message: bytes) -> None:
        """Publish a message.

        Raises:
            redis.TimeoutError: the server has not answered in time, now or a moment ago.
            redis.RedisError: it is unavailable.
        """
        signed = sign(PURPOSE, channel, message)
        # Who loses access is told so although a broadcast was too slow a moment ago.
        server = f"{self._server} {CONTROL}" if channel.endswith(CONTROL_GROUP) else self._server
        async with self._lock:
            # Here, for those that have waited for the lock while the server did not answer.
            if outages.is_paused(server):
                raise redis.TimeoutError("The server has not answered a moment ago")
            self._ensure_redis()
            try:
                await self._redis.publish(channel, signed)
            except redis.TimeoutError:
                outages.pause(server)
                outages.pause(self._server)
                raise

    async def subscribe(self, channel: str) -> None:
        """Subscribe to a channel, and return when the server has confirmed it.

        Raises:
            redis.RedisError, OSError: the server cannot be reached.
            TimeoutError: it has not confirmed in time; the next call asks again.
        """
        confirmed = self._confirmed.setdefault(channel, asyncio.Event())
        try:
            await super().subscribe(channel)
            self._has_subscriptions.set()
            await asyncio.wait_for(confirmed.wait(), CONFIRMATION)
        except (redis.RedisError, OSError):  # a TimeoutError is one
            # It may have been sent on a connection that ended before the client had noted it.
            self._subscribed_to.discard(channel)
            self._confirmed.pop(channel, None)
            raise

    async def unsubscribe(self, channel: str) -> None:
        self._confirmed.pop(channel, None)
        await super().unsubscribe(channel)

    async def flush(self) -> None:
        self._confirmed.clear()
        await super().flush()

    def _ensure_redis(self) -> None:
        is_new = self._redis is None
        super()._ensure_redis()
        if is_new:
            self._pubsub = WatchfulPubSub(self._redis.connection_pool, self._confirmed)

    async def _do_receiving(self) -> None:
        while True:
            try:
                if self._pubsub.subscribed:
                    self._receive_message(await self._pubsub.get_message(timeout=POLL))
                else:
                    self._has_subscriptions.clear()
                    await self._has_subscriptions.wait()
            except (redis.ConnectionError, redis.TimeoutError, OSError) as error:
                logger.warning("The channel layer is unavailable; reconnecting: %s", error)
                await asyncio.sleep(RETRY)
            except Exception:
                logger.exception("The channel layer failed; trying again")
                await asyncio.sleep(RETRY)

    def _receive_message(self, message: dict[str, Any] | None) -> None:
        match message:
            case {"type": "subscribe", "channel": bytes(name)}:
                if confirmed := self._confirmed.get(name.decode()):
                    confirmed.set()
            case {"type": "message", "channel": bytes(name), "data": bytes(signed)}:
                data = unsign(PURPOSE, name.decode(), signed)
                if data is None:
                    logger.warning("Dropped a message on the channel layer that is not signed")
                else:
                    super()._receive_message({"channel": name, "data": data})


class LoopLayer(RedisPubSubLoopLayer):  # type: ignore[misc]
    def __init__(self, hosts: Any = None, **options: Any) -> None:
        super().__init__(hosts, **options)
        self._shards = [Shard(host, self) for host in decode_hosts(hosts)]


class ValkeyChannelLayer(RedisPubSubChannelLayer):  # type: ignore[misc]
    def _get_layer(self) -> LoopLayer:
        loop = asyncio.get_running_loop()
        if loop not in self._layers:
            self._layers[loop] = LoopLayer(*self._args, **self._kwargs, channel_layer=self)
            _wrap_close(self, loop)
        layer: LoopLayer = self._layers[loop]
        return layer
