"""A server on this machine that speaks the APIs of some providers of mail."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

POSTMARK = {"To": "ada@example.org", "MessageID": "b7bc2f4a", "ErrorCode": 0, "Message": "OK"}
MAILGUN = {"id": "<20261128@mail.site.example>", "message": "Queued. Thank you."}
SES = {"MessageId": "0100018f"}
REFUSED = {"ErrorCode": 300, "Message": "Invalid 'To' address: 'ada@example.org'."}
INACTIVE = {
    "ErrorCode": 406,
    "Message": "You tried to send to a recipient that has been marked as inactive.\n"
    "Found inactive addresses: ada@example.org.\n"
    "Inactive recipients are ones that have generated a hard bounce or a spam complaint. ",
}


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Provider:
    """The provider's side.

    Attributes:
        url: of its API.
        answers: the status and the body of the next answers; the last one is repeated. A status of
            0 is a connection that is closed, and of -1 one that gets no answer. A body of bytes is
            what it is, and others are JSON.
        headers: of the answers.
        requests: what has arrived.
    """

    url: str
    answers: list[tuple[int, Any]]
    headers: dict[str, str] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    ended: Event = field(default_factory=Event)

    def next_answer(self) -> tuple[int, Any]:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextmanager
def serve(*answers: tuple[int, Any]) -> Iterator[Provider]:
    """Serve until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            provider.requests.append(Request(self.path, dict(self.headers), body))
            status, answer = provider.next_answer()
            if status < 0:
                provider.ended.wait(30)
            if status <= 0:
                return
            content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            for name, value in provider.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider = Provider(f"http://127.0.0.1:{server.server_port}/", list(answers))
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield provider
    finally:
        provider.ended.set()
        server.shutdown()
        thread.join()
        server.server_close()
