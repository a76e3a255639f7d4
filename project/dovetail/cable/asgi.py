"""The ASGI application at `/cable`, which accepts or rejects connections."""

import asyncio
import logging

from dovetail.cable import connects, origin, protocol
from dovetail.cable.connection import Connection
from dovetail.cable.database import in_thread
from dovetail.cable.handshake import address, header, identify
from dovetail.cable.hub import Hub
from dovetail.cable.identity import Identity
from dovetail.cable.recheck import end_lost_sessions
from dovetail.http.address import network_of
from dovetail.http.headers import are_too_long
from dovetail.http.lifespan import Application, Receive, Scope, Send

logger = logging.getLogger(__name__)

PATH = "/cable"
MAX_SOCKETS = 5000  # per worker; at about 150 KiB each, more would fill a small machine's memory
MAX_SOCKETS_PER_SESSION = 100  # tabs; browsers themselves stop at about 250 sockets
MAX_SOCKETS_PER_ADDRESS = 1500  # anonymous visitors; a school or an office may share one address


def with_cable(application: Application) -> Application:
    """Return an ASGI application that serves WebSockets at `/cable` and rejects all others."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await application(scope, receive, send)
            return
        await receive()  # websocket.connect
        if scope["path"] == PATH:
            await _serve(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    return answer


async def _serve(scope: Scope, receive: Receive, send: Send) -> None:
    """Accept the WebSocket and run it, or reject it with 403.

    That is if its origin is not allowed, or if a header is too long (`dovetail.http.headers`).
    """
    if are_too_long(value for _, value in scope["headers"]):
        await send({"type": "websocket.close", "code": 1008})
        return
    # Some servers pass the whole header as one name.
    offered = [part.strip() for name in scope["subprotocols"] for part in name.split(",")]
    allowed = origin.is_allowed(header(scope, b"origin"), header(scope, b"host") or "")
    if protocol.SUBPROTOCOL not in offered or not allowed:
        await send({"type": "websocket.close", "code": 1008})
        return
    if not connects.fits(network_of(address(scope))):
        logger.warning("Rejected cable connection: its network connects too often")
        await send({"type": "websocket.close", "code": 1013})
        return
    revocations = Hub.revocations
    try:
        identity = await in_thread(identify, scope)
    except Exception:
        # The database is unavailable. The client retries.
        logger.exception("Could not identify a cable connection; rejected it")
        await send({"type": "websocket.close", "code": 1013})
        return
    if not _has_room(identity):
        logger.warning("Rejected cable connection: worker or per-client socket limit reached")
        await send({"type": "websocket.close", "code": 1013})
        return
    scope["headers"] = []  # otherwise the server keeps them, cookies included, with the socket
    await send({"type": "websocket.accept", "subprotocol": protocol.SUBPROTOCOL})
    connection = Connection(Hub.current(), identity, send)
    if Hub.revocations != revocations:  # this session may have ended before the hub knew the socket
        connection.hub.in_background(end_lost_sessions([connection]))
    await connection.run(receive)


def _has_room(identity: Identity) -> bool:
    """Return whether the worker and this session or address may have one more socket."""
    hub = Hub.of(asyncio.get_running_loop())
    limit = MAX_SOCKETS_PER_SESSION if identity.session else MAX_SOCKETS_PER_ADDRESS
    return hub is None or (
        len(hub.connections) < MAX_SOCKETS and hub.sockets_by_holder[identity.holder] < limit
    )
