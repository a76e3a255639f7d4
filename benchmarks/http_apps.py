"""The servers that benchmarks/http.py compares with `manage.py serve`, on the same settings."""

import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
TITLES = "SELECT id, title FROM articles_article ORDER BY id LIMIT 20"


def wsgi() -> Any:
    """Return Django's application for WSGI servers."""
    from django.core.wsgi import get_wsgi_application  # noqa: PLC0415

    return get_wsgi_application()


def asgi() -> Any:
    """Return Django's application for ASGI servers, with nothing of the kit around it."""
    from django.core.asgi import get_asgi_application  # noqa: PLC0415

    return get_asgi_application()


def bare() -> Callable[..., Awaitable[None]]:
    """Return an application without Django: the most that a server in Python can do."""
    import orjson  # noqa: PLC0415
    import psycopg_pool  # noqa: PLC0415

    pool = psycopg_pool.AsyncConnectionPool(os.environ["DATABASE_URL"], open=False)

    async def application(scope: Message, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while (await receive())["type"] != "lifespan.shutdown":
                await pool.open()
                await send({"type": "lifespan.startup.complete"})
            await pool.close()
            await send({"type": "lifespan.shutdown.complete"})
            return
        kind, body = b"text/plain", b"Wood holds wood."
        if scope["path"] != "/text/":
            async with pool.connection() as connection:
                rows = await (await connection.execute(TITLES)).fetchall()
            kind = b"application/json"
            body = orjson.dumps({"articles": [{"pk": pk, "title": title} for pk, title in rows]})
        headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return application
