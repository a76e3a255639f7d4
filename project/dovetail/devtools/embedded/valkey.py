"""A server that speaks the Valkey protocol, for development.

There is no wheel with a Valkey server, so this uses fakeredis: pure Python, served over TCP to any
number of processes, with its data in memory.
"""

import importlib.metadata
import secrets
import shutil
import sys
from pathlib import Path

HOST = "127.0.0.1"
PROJECT_DIR = Path(__file__).resolve().parents[3]
SERVER = Path(__file__).with_name("valkey_server.py")
PASSWORD = "VALKEY_SERVER_PASSWORD"  # noqa: S105 - the name of a variable of the server
INSTALLED = ("valkey-server", "redis-server")  # the second speaks the same protocol


def command(port: int) -> list[str]:
    """Return the command that runs the server in the foreground, wherever it is run.

    Args:
        port: the port to listen on; 0 picks a free one. The server prints its port.
    """
    # -P, because this folder has a module named as one that fakeredis looks for.
    return [sys.executable, "-P", str(SERVER), str(port)]


def find_installed() -> str | None:
    """Return the path of a real server, if there is one on PATH."""
    return next((path for name in INSTALLED if (path := shutil.which(name))), None)


def configuration(port: int, password: str, directory: Path) -> str:
    """Return the configuration file of a real server that keeps its data in memory.

    Args:
        port: the port to listen on.
        password: what clients must give; other users can read arguments, but not this file.
        directory: the server's working directory.
    """
    options = {
        "bind": HOST,
        "port": str(port),
        "requirepass": password,
        "save": '""',
        "loglevel": "warning",
        "dir": f'"{directory}"',
    }
    return "".join(f"{name} {value}\n" for name, value in options.items())


def new_password() -> str:
    """Return a password for one run of the server; it needs no encoding in a URL."""
    return secrets.token_urlsafe(24)


def environment(password: str) -> dict[str, str]:
    """Return the variables of the server's process, which other users cannot read."""
    return {PASSWORD: password}


def url(port: int, password: str) -> str:
    """Return the URL of the server, without a database number."""
    return f"redis://:{password}@{HOST}:{port}"


def describe() -> str:
    return f"fakeredis {importlib.metadata.version('fakeredis')}, in memory (embedded)"
