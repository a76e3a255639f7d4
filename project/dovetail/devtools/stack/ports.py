"""The ports of the stack, all on 127.0.0.1, and the processes that occupy them."""

import contextlib
import errno
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from dovetail.devtools.errors import NotReadyError, SetupError

WEB = 8000  # the default port of the web server
# How far the others are from it. In between are those of RabbitMQ, which `nix run` starts.
DISTANCES = {"VITE_PORT": 1, "POSTGRES_PORT": 2, "VALKEY_PORT": 3, "OTLP_PORT": 18, "S3_PORT": 20}
LISTENING = "0A"  # the code of this state in /proc/net/tcp


@dataclass(frozen=True)
class Ports:
    web: int
    vite: int
    postgres: int
    valkey: int
    otlp: int
    s3: int  # and the next seven


def choose(web: int | None) -> Ports:
    """Return the configured ports; those not configured follow the port of the web server.

    Args:
        web: the port given on the command line, if any.

    Raises:
        SetupError: two ports are the same, or one is out of range.
    """
    if web is None:
        # Without `is_set`, the up.json that a killed `up` left behind would decide.
        web = settings.ENV.int("PORT", 0, least=1) if settings.ENV.is_set("PORT") else WEB
    first = web
    numbers = {"PORT": first}
    for name, distance in DISTANCES.items():
        numbers[name] = (
            settings.ENV.int(name, 0, least=1) if settings.ENV.is_set(name) else first + distance
        )
    names: dict[int, str] = {}
    for name, number in numbers.items():
        if not 0 < number < 65_536:  # noqa: PLR2004 - the number of ports
            raise SetupError(
                f"{name} would be {number}, but ports go from 1 to 65535: choose another --port."
            )
        if number in names:
            raise SetupError(
                f"{names[number]} and {name} are both {number}: set one of them to another port."
            )
        names[number] = name
    return Ports(*numbers.values())


def ensure_free(ports: Iterable[tuple[int, str]]) -> None:
    """Make sure nothing listens on the ports.

    Not every server checks: Granian silently shares a port that is in use, and the browser then
    reaches either server at random.

    Args:
        ports: pairs of a port and its purpose.

    Raises:
        SetupError: a port is in use; the message names it and, if known, the process using it.
    """
    for port, purpose in ports:
        reason = _conflict(port)
        if reason:
            raise SetupError(
                f"Port {port}, for {purpose}, {reason}: free it, or choose other ports with "
                "`up --port N`."
            )


def answers(port: int) -> bool:
    """Return whether something accepts connections on a port of 127.0.0.1."""
    with contextlib.suppress(NotReadyError):
        return connects(port)
    return False


def connects(port: int) -> bool:
    """Make sure that something accepts connections on a port of 127.0.0.1.

    Raises:
        NotReadyError: nothing does.
    """
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError as error:
        raise NotReadyError(f"port {port}: {error.strerror or error}") from error
    return True


def _conflict(port: int) -> str:
    with socket.socket() as probe:
        # As servers do, so that lingering connections of a stopped server do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return f"is in use{_owner(port)}"
            return f"cannot be used ({error.strerror})"
    # macOS allows binding a port both on one address and on all of them, and browsers resolve
    # `localhost` to ::1 first.
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with contextlib.suppress(OSError), socket.socket(family) as probe:
            probe.settimeout(0.5)
            probe.connect((address, port))
            return f"is in use on {address}{_owner(port)}"
    return ""


def _owner(port: int) -> str:
    """Return " by" and the process that listens on a port, or nothing if it cannot be found."""
    owner = _owner_by_proc(port) if sys.platform == "linux" else _owner_by_lsof(port)
    return f" by {owner}" if owner else ""


def _owner_by_proc(port: int) -> str:
    sockets = set()
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/net/{table}").read_text(encoding="ascii").splitlines()[1:]:
                fields = line.split()
                if fields[3] == LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                    sockets.add(f"socket:[{fields[9]}]")
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # another user's process, or one that has ended
            if any(str(file.readlink()) in sockets for file in (process / "fd").iterdir()):
                name = (process / "comm").read_text(encoding="utf-8", errors="replace").strip()
                return f"{name} (process {process.name})"
    return ""


def _owner_by_lsof(port: int) -> str:
    if not (lsof := shutil.which("lsof")):
        return ""
    command = [lsof, "-nP", f"-iTCP:{port}", "-sTCP:LISTEN", "-Fpc"]
    output = subprocess.run(command, text=True, capture_output=True, check=False).stdout  # noqa: S603
    found = {line[0]: line[1:] for line in output.splitlines() if line}
    return f"{found['c']} (process {found['p']})" if {"c", "p"} <= found.keys() else ""
