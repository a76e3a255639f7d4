"""A server that speaks Valkey's protocol, for development.

No Valkey server comes as a wheel. fakeredis answers the same commands in pure Python, over TCP and
so to several processes; it keeps its data in memory. It runs as a process of its own that imports
nothing of Django: `python -m apps.devtools.embedded.valkey PORT`.
"""

import importlib.metadata
import signal
import sys
from pathlib import Path

HOST = "127.0.0.1"
PROJECT_DIR = Path(__file__).resolve().parents[3]


def command(port: int) -> list[str]:
    """Return what runs the server in the foreground, from `PROJECT_DIR`.

    Args:
        port: where it listens; 0 is any free port, which it prints.
    """
    return [sys.executable, "-m", "apps.devtools.embedded.valkey", str(port)]


def describe() -> str:
    return f"fakeredis {importlib.metadata.version('fakeredis')}, in memory (embedded)"


def serve(port: int) -> None:
    from fakeredis import TcpFakeServer  # noqa: PLC0415 - whoever only starts it need not load it

    # There is nothing to save: end at once, without waiting for the threads of its clients.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    with TcpFakeServer((HOST, port), server_type="valkey", server_version=(8,)) as server:
        print(server.server_address[1], flush=True)  # noqa: T201
        server.serve_forever()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
