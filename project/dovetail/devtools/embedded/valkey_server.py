"""The process of the Valkey-protocol server. It does not import Django.

Run it with `python -m dovetail.devtools.embedded.valkey_server PORT`.
"""

import signal
import sys
from typing import Any

import redis
from fakeredis import TcpFakeServer
from fakeredis._clients._tcp_server import TCPFakeRequestHandler


class Handler(TCPFakeRequestHandler):
    """Leaves a connection open after an error reply, as a real server does.

    fakeredis closes it, and then Celery loses its broker whenever it asks for a script that the
    server has not seen yet.
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
    """Serve for ever on 127.0.0.1.

    Args:
        port: where; 0 is any free port. It is printed.
    """
    # There is nothing to save: Ctrl-C ends it at once too, without waiting for its threads.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    with TcpFakeServer(("127.0.0.1", port), server_type="valkey", server_version=(8,)) as server:
        server.RequestHandlerClass = Handler
        print(f"Listening on port {server.server_address[1]}", flush=True)  # noqa: T201
        server.serve_forever()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
