from apps.core.cable.connection import Receive, Scope, Send, serve
from apps.core.http.lifespan import Application

PATH = "/cable"


def with_cable(application: Application) -> Application:
    """Return an ASGI application that answers sockets at `/cable`, and refuses all others."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await application(scope, receive, send)
        elif scope["path"] == PATH:
            await serve(scope, receive, send)
        else:
            await receive()
            await send({"type": "websocket.close", "code": 1008})

    return answer
