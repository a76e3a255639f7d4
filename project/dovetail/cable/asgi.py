"""The ASGI application at `/cable`: who is let in."""

import asyncio
import logging

from dovetail.cable import origin, protocol
from dovetail.cable.connection import Connection
from dovetail.cable.database import in_thread
from dovetail.cable.handshake import header, identify
from dovetail.cable.hub import Hub
from dovetail.cable.identity import Identity
from dovetail.cable.recheck import end_lost_sessions
from dovetail.http.lifespan import Application, Receive, Scope, Send

logger = logging.getLogger(__name__)

PATH = "/cable"
MAX_SOCKETS = 5000  # a worker; at about 150 KiB each, more would need most of a small machine
MAX_SOCKETS_OF_SESSION = 100  # tabs; a browser itself stops at some 250 sockets
MAX_SOCKETS_OF_ADDRESS = 1500  # visitors; a school or an office may be behind one


def with_cable(application: Application) -> Application:
    """Return an ASGI application that answers sockets at `/cable`, and refuses all others."""

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
    """Answer a handshake: 403 to what is no page of ours, else the socket and its life."""
    # Some servers hand the whole header over as one name.
    offered = [part.strip() for name in scope["subprotocols"] for part in name.split(",")]
    allowed = origin.is_allowed(header(scope, b"origin"), header(scope, b"host") or "")
    if protocol.SUBPROTOCOL not in offered or not allowed:
        await send({"type": "websocket.close", "code": 1008})
        return
    heard = Hub.heard
    try:
        identity = await in_thread(identify, scope)
    except Exception:
        # The database is away: without an identity nobody comes in, and the browser tries again.
        logger.exception("a cable connection could not be identified")
        await send({"type": "websocket.close", "code": 1013})
        return
    if not _has_room(identity):
        logger.warning("a cable connection is refused: there are too many, of all or of one")
        await send({"type": "websocket.close", "code": 1013})
        return
    scope["headers"] = []  # or else the server keeps them, cookies and all, as long as the socket
    await send({"type": "websocket.accept", "subprotocol": protocol.SUBPROTOCOL})
    connection = Connection(Hub.current(), identity, send)
    if Hub.heard != heard:  # perhaps it was this session that ended, before anybody found us here
        connection.hub.in_background(end_lost_sessions([connection]))
    await connection.run(receive)


def _has_room(identity: Identity) -> bool:
    """Tell whether this session, or the visitors of this address, may have one more socket."""
    hub = Hub.of(asyncio.get_running_loop())
    most = MAX_SOCKETS_OF_SESSION if identity.session else MAX_SOCKETS_OF_ADDRESS
    return hub is None or (
        len(hub.connections) < MAX_SOCKETS and hub.holders[identity.holder] < most
    )
