"""The Valkey-protocol server process. It does not import Django.

Run it with `python -P valkey_server.py PORT`.
"""

import signal
import sys
from typing import Any

import redis
from fakeredis import TcpFakeServer
from fakeredis._clients._tcp_server import TCPFakeRequestHandler


class Handler(TCPFakeRequestHandler):
    """Keeps the connection open after an error reply, as a real server does.

    fakeredis closes it, so Celery would lose its broker connection whenever it runs a script that
    the server has not loaded yet.
    """

    def setup(self) -> None:
        super().setup()
        read_response = self.current_client.read_response

        def read_response_or_error(**options: Any) -> Any:
            try:
                return read_response(**options)
            except redis.ResponseError as error:
                return error

        self.current_client.read_response = read_response_or_error  # type: ignore[method-assign]


def serve(port: int) -> None:
    """Serve on 127.0.0.1 until killed.

    Args:
        port: the port to listen on; 0 picks a free one. The port is printed.
    """
    # There is nothing to save, so Ctrl-C ends the process without waiting for its threads.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    with TcpFakeServer(("127.0.0.1", port), server_type="valkey", server_version=(8,)) as server:
        server.RequestHandlerClass = Handler
        print(f"Listening on port {server.server_address[1]}", flush=True)  # noqa: T201
        server.serve_forever()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
