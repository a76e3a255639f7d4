"""The process that collects traces by OTLP over HTTP. It does not import Django.

Run it with `python -P collector.py PORT FOLDER`, and with the key that clients must send in the
variable OTLP_KEY. It writes each export into a file of its own, and keeps the newest.
"""

import hmac
import http.server
import os
import secrets
import signal
import sys
import time
from http import HTTPStatus
from pathlib import Path

KEY = "OTLP_KEY"  # the name of a variable
MAX_BODY = 4 * 1024 * 1024  # bytes
KEPT = 200  # exports; each has the spans of a second or so of a process
PATHS = {"/v1/traces", "/v1/metrics"}


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers exports of clients that know the key."""

    server: "Collector"
    timeout = 10  # seconds for each read

    def do_POST(self) -> None:
        expected = f"Bearer {self.server.key}"
        if not hmac.compare_digest(self.headers.get("Authorization", ""), expected):
            self.answer(HTTPStatus.UNAUTHORIZED)
            return
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or len(length) > 9 or int(length) > MAX_BODY:  # noqa: PLR2004
            self.answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return
        body = self.rfile.read(int(length))
        if self.path not in PATHS:
            self.answer(HTTPStatus.NOT_FOUND)
            return
        if self.path == "/v1/traces":  # metrics are taken, but there is no page for them
            self.server.save(body)
        self.answer(HTTPStatus.OK)

    def answer(self, status: HTTPStatus) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class Collector(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port: int, folder: Path, key: str) -> None:
        self.folder = folder
        self.key = key
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        super().__init__(("127.0.0.1", port), Handler)

    def save(self, body: bytes) -> None:
        """Keep an export, and delete the oldest of more than `KEPT`."""
        name = f"{time.time_ns():019d}-{secrets.token_hex(4)}"
        unfinished = self.folder / f".{name}"
        unfinished.write_bytes(body)
        unfinished.rename(self.folder / f"{name}.otlp")
        for old in sorted(self.folder.glob("*.otlp"))[:-KEPT]:
            old.unlink(missing_ok=True)


def main() -> None:
    port, folder = sys.argv[1:]
    server = Collector(int(port), Path(folder), os.environ[KEY])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server.serve_forever()


if __name__ == "__main__":
    main()
