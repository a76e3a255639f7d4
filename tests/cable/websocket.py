"""A minimal WebSocket client (RFC 6455) that can send what no library would."""

import base64
import json
import os
import socket
import ssl
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

OPCODES = {"text": 1, "binary": 2, "close": 8}


class HandshakeRejected(Exception):  # noqa: N818 - an answer
    """The server rejected the handshake, with the status that is the argument."""


class RawSocket:
    def __init__(
        self,
        url: str,
        *,
        timeout: float = 20,
        headers: Mapping[str, str] | None = None,
        certificate: Path | None = None,
    ) -> None:
        """Connect and shake hands.

        Args:
            url: the server's address, as in `http://127.0.0.1:8000`; the socket is at /cable.
            timeout: seconds for each operation.
            headers: override a browser's headers; "" omits one.
            certificate: for an https URL, what to trust.

        Raises:
            HandshakeRejected: the status is not 101.
        """
        parts = urlsplit(url)
        self.socket = socket.create_connection((parts.hostname, parts.port), timeout)
        if parts.scheme == "https":
            context = ssl.create_default_context(cafile=certificate)
            self.socket = context.wrap_socket(self.socket, server_hostname=parts.hostname)
        self.buffer = b""
        values = {
            "host": parts.netloc,
            "origin": url,
            "upgrade": "websocket",
            "connection": "Upgrade",
            "sec-websocket-key": base64.b64encode(os.urandom(16)).decode(),
            "sec-websocket-version": "13",
            "sec-websocket-protocol": "actioncable-v1-json, actioncable-unsupported",
        } | dict(headers or {})
        lines = [f"{name}: {value}" for name, value in values.items() if value]
        self.socket.sendall("\r\n".join(["GET /cable HTTP/1.1", *lines, "", ""]).encode())
        head = self._read_until(b"\r\n\r\n")
        status = int(head.split(maxsplit=2)[1])
        if status != 101:
            self.socket.close()
            raise HandshakeRejected(status)

    def send(self, content: str | bytes) -> None:
        """Send one masked frame."""
        kind = "text" if isinstance(content, str) else "binary"
        data = content.encode() if isinstance(content, str) else content
        size = len(data)
        if size < 126:
            head = struct.pack("!BB", 128 | OPCODES[kind], 128 | size)
        elif size < 65536:
            head = struct.pack("!BBH", 128 | OPCODES[kind], 128 | 126, size)
        else:
            head = struct.pack("!BBQ", 128 | OPCODES[kind], 128 | 127, size)
        # A mask of zeros leaves the data unchanged.
        self.socket.sendall(head + b"\0\0\0\0" + data)

    def command(self, command: str, identifier: str) -> None:
        self.send(json.dumps({"command": command, "identifier": identifier}))

    def receive(self) -> dict[str, Any] | None:
        """Return the next message that is not a ping, None if the server has closed the socket."""
        while True:
            try:
                opcode, data = self.frame()
            except (EOFError, ConnectionError):
                return None
            if opcode == OPCODES["close"]:
                return None
            if opcode != OPCODES["text"]:
                continue
            message: dict[str, Any] = json.loads(data)
            if message.get("type") != "ping":
                return message

    def frame(self) -> tuple[int, bytes]:
        """Return the next frame's opcode and content."""
        first, second = self._read(2)
        size = second & 127
        if size == 126:
            (size,) = struct.unpack("!H", self._read(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", self._read(8))
        return first & 15, self._read(size)

    def close(self) -> None:
        self.socket.close()

    def _read(self, size: int) -> bytes:
        while len(self.buffer) < size:
            self._fill()
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def _read_until(self, end: bytes) -> str:
        while end not in self.buffer:
            self._fill()
        data, self.buffer = self.buffer.split(end, 1)
        return data.decode()

    def _fill(self) -> None:
        chunk = self.socket.recv(65536)
        if not chunk:
            raise EOFError
        self.buffer += chunk
