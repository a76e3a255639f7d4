"""A server that speaks Valkey's protocol, for development.

No Valkey server comes as a wheel. fakeredis answers the same commands in pure Python, over TCP and
so to several processes; it keeps its data in memory.
"""

import importlib.metadata
import sys
from pathlib import Path

HOST = "127.0.0.1"
PROJECT_DIR = Path(__file__).resolve().parents[3]


def command(port: int) -> list[str]:
    """Return what runs the server in the foreground, from `PROJECT_DIR`.

    Args:
        port: where it listens; 0 is any free port. It prints the port.
    """
    return [sys.executable, "-m", "dovetail.devtools.embedded.valkey_server", str(port)]


def describe() -> str:
    return f"fakeredis {importlib.metadata.version('fakeredis')}, in memory (embedded)"
