from collections.abc import Mapping
from typing import Any

from dovetail.http.lifespan import with_lifespan


async def test_startup_and_shutdown_are_answered() -> None:
    messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
    sent: list[Mapping[str, Any]] = []

    async def application(*_: Any) -> None:
        raise AssertionError("The application must not receive lifespan messages")

    async def receive() -> Mapping[str, Any]:
        return next(messages)

    async def send(message: Mapping[str, Any]) -> None:
        sent.append(message)

    called: list[str] = []
    answering = with_lifespan(
        application,
        on_startup=lambda: called.append("startup"),
        on_shutdown=lambda: called.append("shutdown"),
    )
    await answering({"type": "lifespan"}, receive, send)

    assert called == ["startup", "shutdown"]
    assert [message["type"] for message in sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]


async def test_requests_are_passed_to_the_application() -> None:
    seen: list[str] = []

    async def application(scope: dict[str, Any], *_: Any) -> None:
        seen.append(scope["type"])

    await with_lifespan(application)({"type": "http"}, None, None)  # type: ignore[arg-type]

    assert seen == ["http"]
