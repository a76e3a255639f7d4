"""A proxy for RabbitMQ that becomes silent."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread

# Classes and methods of AMQP 0-9-1.
PUBLISH = bytes([0, 60, 0, 40])
DECLARE = bytes([0, 50, 0, 10])  # a queue


@contextmanager
def mute_proxy(port: int, *, after: bytes) -> Iterator[int]:
    """Start a proxy that passes no answer on after a method was called, as its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection(("127.0.0.1", port))
                sent = Event()
                Thread(target=pump, args=(client, server, sent), daemon=True).start()
                Thread(target=drop, args=(server, client, sent), daemon=True).start()

    def pump(client: socket.socket, server: socket.socket, sent: Event) -> None:
        with suppress(OSError), client, server:
            while data := client.recv(65536):
                if after in data:
                    sent.set()
                server.sendall(data)

    def drop(server: socket.socket, client: socket.socket, sent: Event) -> None:
        with suppress(OSError), client, server:
            while data := server.recv(65536):
                if not sent.is_set():
                    client.sendall(data)

    Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()
